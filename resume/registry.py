"""The runs that are live in this process: who holds a name, what a fork and an exit do to them.

There is no lock here: the collector closes a run in any thread, at any line, and may wait there for
a writer. So what is shared are lists and dicts, each changed by single steps of the interpreter.
"""

from __future__ import annotations

import _thread
import atexit
import contextlib
import logging
import os
import signal
import sys
import threading
import time
import weakref
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

from resume.errors import ResumeError


class LiveRun(Protocol):
    """What the registry needs of a run."""

    title: str

    def is_alive(self) -> bool:
        """Whether its owner can still come to a safe point."""

    def close(self) -> None:
        """Let go of everything."""

    def switch_off(self) -> None:
        """This is a forked child: save nothing any more."""

    def at_exit(self) -> None:
        """The interpreter ends."""


_live: list[Callable[[], LiveRun | None]] = []
"""References, so that an object given by `of=` is not kept alive by being known here."""
_unreported: list[tuple[ResumeError, str]] = []
_script = ""
"""File of the program that runs."""
_ended_calls: dict[tuple[str, str], list[Any]] = {}
_MOMENT_S = 0.05


def add(run: LiveRun, *, weakly: bool = False) -> None:
    """Keep *run* until it is closed; *weakly*: as long as somebody else does."""
    global _script  # noqa: PLW0603 - gone from __main__ when the script has ended
    _script = getattr(sys.modules.get("__main__"), "__file__", None) or _script
    _live.append(weakref.ref(run) if weakly else lambda: run)


def _runs() -> list[LiveRun]:
    return [run for run in (get() for get in _live.copy()) if run is not None]


def remove(run: LiveRun) -> None:
    """*run* is closed."""
    for get in _live.copy():
        if get() in (None, run):
            with contextlib.suppress(ValueError):  # another thread was faster
                _live.remove(get)


def close_dead(is_same: Callable[[LiveRun], bool]) -> None:
    """Close runs that *is_same* and whose owner has ended, though a traceback holds its frame."""
    for run in _runs():
        if is_same(run) and not run.is_alive():
            run.close()


def find(is_same: Callable[[LiveRun], bool]) -> LiveRun | None:
    """The live run that *is_same*, None where there is none."""
    return next((run for run in _runs() if is_same(run)), None)


def remember_objects(key: tuple[str, str], objects: Sequence[Any]) -> None:
    """A call of this process has ended normally: *objects* are what it was given.

    Weak references where the type has them: what the program drops is not kept alive for this.
    """
    held: list[Any] = []
    for thing in objects:
        try:
            held.append(weakref.ref(thing))
        except TypeError:
            held.append(lambda thing=thing: thing)
    _ended_calls[key] = held


def forget_objects(key: tuple[str, str]) -> None:
    """The call that *key* tells of was cut short: another try belongs to the same call."""
    _ended_calls.pop(key, None)


def met_other_objects(key: tuple[str, str], objects: Sequence[Any]) -> bool:
    """Whether a call of this process that ended normally was given other objects than these."""
    held = _ended_calls.get(key)
    if held is None:
        return False
    return len(held) != len(objects) or any(
        get() is not thing for get, thing in zip(held, objects, strict=True)
    )


def report_later(error: ResumeError, file: str) -> None:
    """Keep an error that could not be raised in code of *file* for the next call, or the end."""
    _unreported.append((error, file))


def raise_unreported() -> None:
    """Raise what could not be raised before, once."""
    errors = _unreported.copy()
    del _unreported[: len(errors)]
    if errors:
        raise errors[0][0]


def interrupt_again() -> None:
    """Let the main thread be interrupted once more, a moment later.

    What a callback of a weak reference raises is printed and lost: a Ctrl-C met there must come
    again when the callback has ended (tests/crash/test_background_ends.py).
    """

    def later() -> None:
        time.sleep(_MOMENT_S)
        if callable(signal.getsignal(signal.SIGINT)) and hasattr(signal, "pthread_kill"):
            # a signal of the system: what the main thread waits for by now has to end, too
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
        else:
            _thread.interrupt_main()

    with contextlib.suppress(RuntimeError):  # the interpreter ends, and this program with it
        threading.Thread(target=later, name="resume-interrupt", daemon=True).start()


def _after_fork_in_child() -> None:
    # the state belongs to the parent: the child neither saves nor holds a lock
    for run in _runs():
        run.switch_off()
    _live.clear()
    _unreported.clear()
    _ended_calls.clear()


def _at_exit() -> None:
    for run in _runs():
        run.at_exit()
    lost = [error for error, file in _unreported if _script and Path(file) == Path(_script)]
    if lost and uncaught() is None:  # else that has set the status already
        _end_with(lost[0].exit_code)


def uncaught() -> BaseException | None:
    """What ended the program, as far as it left its mark in `sys`: a SystemExit leaves none."""
    return getattr(sys, "last_value", None)


def _end_with(status: int) -> None:
    """End a script that missed its way back with *status*: its result must not pass for one.

    Here nothing can be raised any more: what atexit functions raise does not change the status.
    """
    logging.shutdown()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError, AttributeError):  # closed, or none at all
            stream.flush()
    os._exit(status)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)
atexit.register(_at_exit)
