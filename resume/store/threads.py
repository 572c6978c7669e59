"""Threads that are started while a Ctrl-C may come."""

from __future__ import annotations

import sys
import threading


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
