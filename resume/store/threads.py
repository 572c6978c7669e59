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
        raise interrupt from None
    finally:
        del handled, interrupt  # what is raised holds this frame: a cycle keeps the caller's alive
    return True
