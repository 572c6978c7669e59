"""What a run listens to, as it was asked for: signals."""

from __future__ import annotations

import sys
import weakref
from _thread import get_ident
from threading import main_thread
from types import FrameType

from resume.asking import Asking
from resume.owner import runs_interactively
from resume.settings import Settings
from resume.triggers.signals import USUAL, Interruptible, subscribe


def listen(
    run: Interruptible, asking: Asking, settings: Settings, frame: FrameType | None
) -> tuple[int, ...]:
    """Let *run* be asked for saves from now on, until *asking* is closed; tells by which signals.

    Args:
        run: What saves.
        asking: What it is asked by.
        settings: What the user wants.
        frame: The one that begins it.
    """
    numbers = settings.signals
    if numbers is None:
        numbers = () if _is_watched(frame) else USUAL
    if numbers:
        in_main = get_ident() == main_thread().ident
        subscription = subscribe(run, numbers, exit_code=settings.exit_code, in_main=in_main)
        asking.add(subscription)
        # the run of an object ends when the program drops it, and nobody says so
        weakref.finalize(run, subscription.close).atexit = False
    return numbers


def _is_watched(frame: FrameType | None) -> bool:
    """Whether somebody sits at a prompt, where a Ctrl-C ends one command and not the program."""
    if sys.flags.interactive or runs_interactively(frame):
        return True
    debugger = sys.modules.get("bdb")
    tracer = getattr(sys.gettrace(), "__self__", None)
    return debugger is not None and isinstance(tracer, debugger.Bdb)
