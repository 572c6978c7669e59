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
from copy import copy
from dataclasses import dataclass
from multiprocessing.connection import wait
from time import perf_counter
from typing import Any

from resume.errors import Preempted
from resume.item import Item, working_on
from resume.store.threads import started
from resume.sweep import payload
from resume.sweep.payload import Packed
from resume.triggers.signals import leave_to_parent

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
    has_left: bool = False
    """It was left for a rerun: saved, and `error` says how the program is left; or not begun."""
    saves_itself: bool = False
    """Whether it had checkpoints."""
    checkpoints: tuple[tuple[str, str], ...] = ()
    """Folder and name of those that are named after it."""


class Task:
    """The function, as a worker calls it; equal to it but for what comes back.

    Args:
        function: The user's.
        keeps_error: What it raises is wanted back.
        leave_file: Where it is there, nothing is begun any more, and items that can save themselves
            do so; not asked for where items are worked on one by one.
        signals: Those that a worker leaves to the launch.
    """

    def __init__(
        self,
        function: Callable[[Any], Any],
        *,
        keeps_error: bool,
        leave_file: str = "",
        signals: tuple[int, ...] = (),
    ) -> None:
        self.function = function
        self.__name__ = getattr(function, "__name__", type(function).__name__)
        """Schedulers show it."""
        self.key = ""
        self._keeps_error = keeps_error
        self._leave_file, self._signals = leave_file, signals
        self._maker = os.getpid()

    def of(self, key: str) -> Task:
        """The same, for the item of that key."""
        task = copy(self)
        task.key = key
        return task

    def __call__(self, item: Any) -> Outcome:
        """Work on *item*; only what asks the whole process to end is raised, and only in ours."""
        is_ours = os.getpid() == self._maker
        if not is_ours:
            settle_in(self._maker, self._signals)
        if self._leave_file and os.path.exists(self._leave_file):  # noqa: PTH110 - for each item
            return Outcome(0.0, None, has_left=True)
        known = Item(self.key, self._leave_file)
        began = perf_counter()
        try:
            with working_on(known):
                packed = payload.pack(self.function(item))
        except Preempted as why:
            if is_ours:
                raise
            # raised in one of Dask's workers, it would end that
            return Outcome(
                perf_counter() - began, None, error=Preempted(_status(why)), has_left=True
            )
        except (Exception, SystemExit) as why:  # noqa: BLE001 - the user's code; all is recorded
            error = self._kept(why) if self._keeps_error else None
            return Outcome(perf_counter() - began, None, describe(why), error)
        return Outcome(
            perf_counter() - began,
            packed,
            saves_itself=known.saves_itself,
            checkpoints=known.checkpoints(),
        )

    def _kept(self, why: BaseException) -> BaseException | bytes | None:
        if os.getpid() == self._maker:
            return why
        try:
            data = pickle.dumps(why)
            pickle.loads(data)
        except Exception:  # noqa: BLE001 - the user's class; its text and traceback are kept
            return None
        return data


def _status(why: Preempted) -> int:
    return why.code if isinstance(why.code, int) else Preempted().code  # type: ignore[return-value]


def settle_in(maker: int, signals: tuple[int, ...] = ()) -> None:
    """In a worker of a pool: leave Ctrl-C and the like to the parent, and do not outlive it.

    A terminal sends Ctrl-C to all processes, and a scheduler its SIGTERM; the parent waits for what
    is running. A worker that its killed parent left behind would work on an item that the next
    launch takes up, or wait for ever for one.

    Args:
        maker: Process that the sweep runs in; the children of others are none of its business.
        signals: Those at which the sweep leaves.
    """
    parent = multiprocessing.parent_process()
    if parent is None or parent.pid != maker or os.getpid() in _cared_for:
        return
    _cared_for.clear()
    _cared_for.add(os.getpid())
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        leave_to_parent(signals)
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
