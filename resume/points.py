"""`resume.sync()` and `resume.save()`: a safe point wherever a program wants one."""

from __future__ import annotations

import os
from collections.abc import Callable
from types import FrameType

_askers: list[Callable[[FrameType, str], None]] = []
"""Whoever saves the program that runs; the last one asks for it."""


def sync() -> None:
    """Save here, if a save is due: anywhere in a program under `resume run`, at any depth.

    Under plain `python` it does nothing.
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


def listen(asker: Callable[[FrameType, str], None]) -> None:
    """Let *asker* be called with the frame that asks, and with what it asked for."""
    _askers.append(asker)


def ignore(asker: Callable[[FrameType, str], None]) -> None:
    """Call *asker* no more."""
    if asker in _askers:
        _askers.remove(asker)


if hasattr(os, "register_at_fork"):  # the state is the parent's: a child saves nothing
    os.register_at_fork(after_in_child=_askers.clear)
