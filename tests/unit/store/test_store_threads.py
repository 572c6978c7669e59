"""Threads that are started while a Ctrl-C may come: begun, refused, or interrupted."""

from __future__ import annotations

import gc
import threading
import weakref
from contextlib import suppress

import pytest

from resume.store.threads import started


class Refused(threading.Thread):
    """As at the end of the interpreter."""

    def start(self):
        raise RuntimeError("can't start new thread")


class Interrupted(threading.Thread):
    """As `Thread.start` is where a Ctrl-C comes while it waits."""

    def start(self):
        super().start()
        condition = threading.Condition(threading.Lock())
        with condition:
            condition.release()  # as its `wait` does, and the Ctrl-C comes before it is taken again
            raise KeyboardInterrupt


def test_it_runs():
    done = []
    thread = threading.Thread(target=done.append, args=(1,))

    assert started(thread)
    thread.join()

    assert done == [1]


def test_a_refusal_is_told():
    assert not started(Refused())


def test_a_refusal_while_an_error_is_handled_is_told():
    try:
        raise ValueError
    except ValueError:
        assert not started(Refused())


def test_an_interrupt_is_no_refusal():
    """It comes out as what it was, and the thread runs."""
    done = []
    thread = Interrupted(target=done.append, args=(1,))

    with pytest.raises(KeyboardInterrupt):
        started(thread)
    thread.join()

    assert done == [1]


def test_an_interrupt_keeps_no_frame_alive():
    """Whoever was interrupted ends with its variables, without the collector: one is a lock."""

    class Kept:
        pass

    thread = Interrupted(target=lambda: None)

    def caller():
        kept = Kept()
        found.append(weakref.ref(kept))
        with suppress(KeyboardInterrupt):
            started(thread)

    found = []
    gc.disable()
    try:
        caller()
        assert found[0]() is None
    finally:
        gc.enable()
        thread.join()
