"""Threads that are started while a Ctrl-C may come, and one that waits unseen."""

from __future__ import annotations

import _thread
import os
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress

from resume.interpreter import FORK_LOOKS_LAST, wait_for_end_of_thread


def started(thread: threading.Thread) -> bool:
    """Start *thread*; False where none can be started: the system has none, or the program ends.

    A Ctrl-C amid `Thread.start` may come out of it as a RuntimeError ("release unlocked lock"),
    because `threading` waits there with Python code. Who took it for a refusal would do the work of
    a thread that runs, a second time, and lose the Ctrl-C.

    Raises:
        BaseException: What interrupted the start; the thread may run.
    """
    handled, interrupt = sys.exception(), None
    try:
        thread.start()
    except RuntimeError as why:
        interrupt = why.__context__
        if interrupt is None or interrupt is handled:
            return False
    # What is raised holds this frame; and amid `except` it would be given the RuntimeError, one of
    # whose frames (`Condition.__exit__`) holds it. Either cycle keeps the caller's frame alive.
    try:
        if interrupt is not None:
            raise interrupt
    finally:
        del handled, interrupt
    return True


class Delayed:
    """Calls a function once, some seconds after `start`, unless it is cancelled before.

    It waits in a bare thread, which the program does not count. `fork` would warn of that thread:
    it ends before each fork. Up to 3.12 another one waits for the rest behind it; from 3.13 on
    `fork` looks for threads behind its hooks as well, so there it is called at once.
    """

    def __init__(self, call: Callable[[], None], wait_s: float) -> None:
        self._call, self._until = call, time.monotonic() + wait_s
        self._is_over = False
        self._stop = _thread.allocate_lock()
        self._gone = _thread.allocate_lock()
        self._stop.acquire()
        self._thread = self._native = 0

    def start(self) -> bool:
        """Begin to wait; False where no thread can be started."""
        _waiting.append(self)
        return self._start_thread()

    def cancel(self) -> None:
        """Call nothing any more, and leave no thread behind; safe to call again."""
        self._is_over = True
        with suppress(ValueError):  # not there any more
            _waiting.remove(self)
        self._end_thread()

    def _run(self) -> None:  # pragma: no cover - a bare thread is not measured
        try:
            self._native = _thread.get_native_id()
            if not self._stop.acquire(timeout=max(0.0, self._until - time.monotonic())):
                self._call_once()
        finally:
            self._gone.release()

    def _call_once(self) -> None:
        if not self._is_over:
            self._is_over = True
            self._call()

    def _end_thread(self) -> None:
        if self._thread in (0, _thread.get_ident()):  # the collector may come in that very thread
            return
        with suppress(RuntimeError):  # it was told already
            self._stop.release()
        with self._gone:
            self._thread = 0
        wait_for_end_of_thread(self._native)

    def end_before_fork(self) -> None:
        """End the thread."""
        self._end_thread()

    def go_on_after_fork(self) -> None:
        """In the parent: wait for the rest, or call."""
        self._stop.acquire(blocking=False)
        if self._is_over:
            return
        if FORK_LOOKS_LAST or not self._start_thread():
            self._call_once()

    def _start_thread(self) -> bool:
        self._gone.acquire()
        try:
            self._thread = _thread.start_new_thread(self._run, ())
        except RuntimeError:
            self._gone.release()
            return False
        return True


_waiting: list[Delayed] = []


def _before_fork() -> None:
    for one in _waiting.copy():
        one.end_before_fork()


def _in_parent() -> None:
    for one in _waiting.copy():
        one.go_on_after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_before_fork, after_in_parent=_in_parent, after_in_child=_waiting.clear
    )
