"""`resume.sync()` and `resume.save()`: a safe point wherever a program wants one."""

from __future__ import annotations

import os
from collections.abc import Callable
from types import FrameType

_askers: list[Callable[[FrameType, str], None]] = []
"""Whoever saves the program that runs; the last one asks for it."""
_whole: list[Callable[[FrameType, str], None]] = []
"""Those of them that save a whole program. A forked child of it is rewritten as well."""


def sync() -> None:
    """Save here, if a save is due: at any depth under `resume run`, or below `@resumable`.

    Elsewhere it does nothing.
    """
    if _askers:
        _ask("sync")


def save() -> None:
    """Save here and now; else as `sync`. Right behind what must not happen twice."""
    if _askers:
        _ask("save")


def _ask(trigger: str) -> None:
    from resume.frames import frame_at  # noqa: PLC0415 - the start of a script must not wait for it

    _askers[-1](frame_at(2), trigger)


def listen(asker: Callable[[FrameType, str], None], *, whole: bool = False) -> None:
    """Let *asker* be called with the frame that asks, and with what it asked for.

    Args:
        asker: Makes a save.
        whole: It saves the whole program, whatever that calls.
    """
    _askers.append(asker)
    if whole:
        _whole.append(asker)


def is_whole() -> bool:
    """Whether all of this program was rewritten, and is saved by `resume run` as far as it can."""
    return bool(_whole)


def ignore(asker: Callable[[FrameType, str], None]) -> None:
    """Call *asker* no more."""
    for known in (_askers, _whole):
        if asker in known:
            known.remove(asker)


if hasattr(os, "register_at_fork"):  # the state is the parent's: a child saves nothing
    os.register_at_fork(after_in_child=_askers.clear)
