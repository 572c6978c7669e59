"""A generation on its way to the disk, and what waits for it.

The writer is a thread of its own for each save: none idles between saves, none has to be told that
the program ends (the interpreter waits for it), and a forked child has none. Where the checkpoint
is let go of before the disk is done, whoever opens the same place in this process waits.

A Ctrl-C may come at any line, and must not leave a lock behind that the writer needs. So there are
no events and conditions here: those of `threading` are written in Python, and an interrupt inside
them does (tests/crash/test_interrupts.py).
"""

from __future__ import annotations

import os
import threading
import time
import traceback
import weakref
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from resume.errors import ResumeError
from resume.types import Manifest

_in_flight: list[weakref.ref[Pending]] = []
"""The writer's thread holds its `Pending` to its very end.

No `WeakSet`: it calls back when one dies, and a Ctrl-C in there is printed and lost.
"""


class Pending:
    """One save between the moment when the program goes on and the moment when it is durable."""

    def __init__(self, place: Path, number: int) -> None:
        self.number = number
        """Of the generation, once it is durable."""
        self.writer_s = 0.0
        """Processor time of the writer's thread, in seconds: no more was taken from the program."""
        self.real_place = os.path.realpath(place)
        """The folder that it is on its way to."""
        self._runs_in: int | None = None
        self._thread: threading.Thread | None = None
        self._latch = threading.Lock()
        self._latch.acquire()
        self._is_done = False
        self._manifest: Manifest | None = None
        self._error: BaseException | None = None
        self._then: list[Callable[[], None]] = []

    @property
    def is_done(self) -> bool:
        """Whether it is durable, or has failed."""
        return self._is_done

    @property
    def error(self) -> BaseException | None:
        """Why it failed; None while it has not."""
        return self._error

    def announce(self) -> None:
        """Let whoever opens the place wait. From here on `run` must follow."""
        for get in _in_flight.copy():
            if get() is None:
                with suppress(ValueError):  # another thread was faster
                    _in_flight.remove(get)
        _in_flight.append(weakref.ref(self))

    def run(self, act: Callable[[], Manifest], *, beside: bool = False) -> None:
        """Do all of the writing by *act*, *beside* the program or in its own thread.

        What it raises is kept for who waits.
        """
        self._runs_in = threading.get_ident()
        if beside:
            self._thread = threading.current_thread()
        began = time.thread_time()
        try:
            self._manifest = act()
        except BaseException as why:  # noqa: BLE001 - handed over to who waits
            self._error = _without_frames(why)
        finally:
            self.writer_s = time.thread_time() - began if beside else 0.0
            self._is_done = True
            self._latch.release()
            self._call_back()

    def when_done(self, call: Callable[[], None]) -> None:
        """Call *call* once it is done: in the writer's thread, or now where it is done already."""
        self._then.append(call)
        if self._is_done:
            self._call_back()

    def _call_back(self) -> None:
        while self._then:
            try:
                call = self._then.pop(0)  # it may hold what holds this
            except IndexError:
                return  # another thread found it
            call()

    def wait(self) -> Manifest:
        """The manifest, when it is durable; raises what the writer met."""
        self.settle()
        try:
            if self._error is not None:
                raise self._error
            if self._manifest is None:
                raise RuntimeError("the writer waits for itself")
            return self._manifest
        finally:
            del self  # the error holds this frame: with it, a cycle that keeps the caller's alive

    def settle(self) -> None:
        """Wait until it is done, however it ends, and the writer's thread is gone."""
        if threading.get_ident() == self._runs_in:  # the collector may call from there
            return
        if not self._is_done:
            with self._latch:
                pass
        if self._thread is not None:
            self._thread.join()


def _without_frames(why: BaseException) -> BaseException:
    # The error waits for somebody to be told. Its frames hold live memory (a bytearray of the
    # program could not change its size), and the program's own frames behind them.
    if isinstance(why, Exception) and not isinstance(why, ResumeError):
        why.add_note("".join(traceback.format_exception(why)))  # nobody foresaw it: keep its way
    one: BaseException | None = why
    while one is not None:
        one.__traceback__ = None
        one = one.__cause__ or one.__context__
    return why


def settle(place: Path) -> None:
    """Wait until nothing of this process is on its way to *place*."""
    pending = _on_its_way_to(place)
    if pending is not None:
        pending.settle()


def when_settled(place: Path, call: Callable[[], None]) -> None:
    """Call *call* once nothing of this process is on its way to *place*: by the writer, or now."""
    pending = _on_its_way_to(place)
    if pending is None:
        call()
    else:
        pending.when_done(call)


def _on_its_way_to(place: Path) -> Pending | None:
    if not _in_flight:
        return None
    real_place = os.path.realpath(place)
    for get in reversed(_in_flight.copy()):
        pending = get()
        if pending is not None and pending.real_place == real_place:
            return pending
    return None


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_in_flight.clear)
