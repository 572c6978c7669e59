"""One item, worked on in whatever process or thread the executor chose.

The result crosses back as the bytes that the log keeps: whoever records it need not unpickle it,
and what cannot be pickled, or raises an exception that cannot, is the item's failure and not the
pool's.
"""

from __future__ import annotations

import multiprocessing
import os
import pickle
import signal
import threading
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import wait
from time import perf_counter
from typing import Any

from resume.errors import Preempted
from resume.store.threads import started
from resume.sweep import payload
from resume.sweep.payload import Packed

_PARENT_S = 1.0
_cared_for: set[int] = set()
"""Processes that end with the one that made the pool; only ever this one."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of an item."""

    seconds: float
    packed: Packed | None
    """The result; None where it failed."""
    why: dict[str, str] | None = None
    """The failure, as the log keeps it."""
    error: BaseException | bytes | None = None
    """The exception, pickled where it came from another process; None where it is not asked for."""


class Task:
    """The function, as a worker calls it; equal to it but for what comes back."""

    def __init__(self, function: Callable[[Any], Any], *, keeps_error: bool) -> None:
        self.function = function
        self.__name__ = getattr(function, "__name__", type(function).__name__)
        """Schedulers show it."""
        self._keeps_error = keeps_error
        self._maker = os.getpid()

    def __call__(self, item: Any) -> Outcome:
        """Work on *item*; only what asks the whole process to end is raised."""
        if os.getpid() != self._maker:
            settle_in(self._maker)
        began = perf_counter()
        try:
            packed = payload.pack(self.function(item))
        except Preempted:
            raise
        except (Exception, SystemExit) as why:  # noqa: BLE001 - the user's code; all is recorded
            error = self._kept(why) if self._keeps_error else None
            return Outcome(perf_counter() - began, None, describe(why), error)
        return Outcome(perf_counter() - began, packed)

    def _kept(self, why: BaseException) -> BaseException | bytes | None:
        if os.getpid() == self._maker:
            return why
        try:
            data = pickle.dumps(why)
            pickle.loads(data)
        except Exception:  # noqa: BLE001 - the user's class; its text and traceback are kept
            return None
        return data


def settle_in(maker: int) -> None:
    """In a worker of a pool: leave Ctrl-C to the parent, and do not outlive it.

    A terminal sends Ctrl-C to all processes, and the parent waits for what is running. A worker
    that its killed parent left behind would work on an item that the next launch takes up, or wait
    for ever for one.

    Args:
        maker: Process that the sweep runs in; the children of others are none of its business.
    """
    parent = multiprocessing.parent_process()
    if parent is None or parent.pid != maker or os.getpid() in _cared_for:
        return
    _cared_for.clear()
    _cared_for.add(os.getpid())
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    started(threading.Thread(target=_end_with, args=(parent,), name="resume-end", daemon=True))


def _end_with(parent: Any) -> None:
    if parent.sentinel is not None:
        wait([parent.sentinel])
    else:  # loky's parent has none
        while os.getppid() == parent.pid:
            time.sleep(_PARENT_S)
    os._exit(1)


def describe(why: BaseException) -> dict[str, str]:
    """An exception as the log keeps it: without our own part of the traceback."""
    kind = type(why)
    home = "" if kind.__module__ in ("builtins", "__main__") else f"{kind.__module__}."
    trace = why.__traceback__
    while trace is not None and trace.tb_frame.f_code.co_filename == __file__:
        trace = trace.tb_next
    try:
        text = str(why)
        told = "".join(traceback.format_exception(kind, why, trace or why.__traceback__))
    except Exception as again:  # noqa: BLE001 - a __str__ of the user's that fails, too
        text = f"<its text cannot be had: {type(again).__name__}>"
        told = "".join(traceback.format_tb(trace))
    return {"type": f"{home}{kind.__qualname__}", "text": text, "traceback": told}


def raised_from(outcome: Outcome) -> BaseException | None:
    """The exception that an outcome carries, as it was raised, or None where it could not cross."""
    if isinstance(outcome.error, bytes):
        found: BaseException = pickle.loads(outcome.error)  # from a worker of this very program
        if outcome.why is not None:
            found.add_note(f"In the worker:\n{outcome.why['traceback']}")
        return found
    return outcome.error


def can_cross(task: Task) -> str | None:
    """Why *task* cannot be sent to another process of this program, or None where it can."""
    try:
        pickle.dumps(task)
    except Exception as why:  # noqa: BLE001 - what the user's function raises there is the answer
        return f"{type(why).__name__}: {why}"
    return None
