"""Threads that are started while a Ctrl-C may come: begun, refused, or interrupted."""

from __future__ import annotations

import gc
import os
import threading
import time
import weakref
from contextlib import suppress

import pytest
from crash.disk import in_child

from resume.interpreter import FORK_LOOKS_LAST
from resume.store.threads import Delayed, started


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


def natives() -> set[str]:
    """The threads of this process that the system knows, where it tells."""
    return set(os.listdir("/proc/self/task")) if os.path.isdir("/proc/self/task") else {"1"}


def wait_for(is_there) -> None:
    until = time.monotonic() + 60.0
    while not is_there():
        assert time.monotonic() < until
        time.sleep(0.005)


def test_a_delayed_call_comes_once_and_leaves_no_thread():
    """Nor is it one that the program counts."""
    before, natives_before, done = threading.enumerate(), natives(), []
    delayed = Delayed(lambda: done.append(threading.enumerate()), 0.01)

    assert delayed.start()
    wait_for(lambda: done)
    delayed.cancel()

    assert done == [before]
    assert natives() <= natives_before


@pytest.mark.parametrize("times", [1, 2])
def test_a_cancelled_call_does_not_come(times):
    done = []
    before = natives()
    delayed = Delayed(lambda: done.append(1), 3600.0)
    delayed.start()

    for _ in range(times):
        delayed.cancel()

    assert natives() <= before
    assert done == []


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("error")
def test_a_fork_meets_no_thread_of_ours():
    """Up to 3.12 the parent waits on behind it; from 3.13 on it is called at once."""
    done = []
    delayed = Delayed(lambda: done.append(1), 3600.0)
    delayed.start()

    code = in_child(lambda: os._exit(len(natives()) + 10 * len(done)))

    assert code == 1
    assert done == ([1] if FORK_LOOKS_LAST else [])
    delayed.cancel()
    assert in_child(lambda: None) == 0
    assert len(done) == FORK_LOOKS_LAST
