"""Find the frame that made a checkpoint again, and know when it is gone, without holding it.

Goal: tell one call from the next. A frame's address is its own while it lives, but is used again
afterwards, frames cannot be weakly referenced, and a strong reference to the frame would be a cycle
that keeps the user's whole state alive.

What does not work: an extra key in `f_locals` is seen by the user's `locals()`, and breaks
`f(**locals())` on every version; a key that is no string still counts among `locals()`; a wrapper
dict cannot be hung into a frame; on 3.13 there is no dict at all.

What we do: the frame object has one field of its own that takes any object, `f_trace`. A token that
lies there is invisible to the program, lives as long as the frame object, and costs nothing while
nobody traces (3.11, 3.12, 3.13: tests/unit/frames/test_owner.py). It is callable and does nothing,
for the case that tracing begins later, and is false, because `bdb` asks `if not frame.f_trace`.

What can still go wrong: a debugger that is there first, or that comes later, wants the field. The
first: the token goes into `f_locals` as a hidden local. The other: the token notices in `__del__`
that its frame still runs, and moves there. So `locals()` shows it only in a function that is being
debugged (or measured by coverage, which takes the field too).
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from inspect import CO_NEWLOCALS, CO_OPTIMIZED
from types import CodeType, FrameType
from typing import Any

from resume.frames.slots import extra_locals

HIDDEN = ".resume"
"""Name of the local that holds the token where `f_trace` is taken; no source text can spell it."""


class Token:
    """What dies with a frame. Hold it weakly; the frame alone keeps it alive."""

    __slots__ = ("__weakref__", "_behind", "_code", "_frame_id")

    def __init__(self) -> None:
        self._frame_id = 0
        self._code: CodeType | None = None
        self._behind: list[Any] = []

    def __call__(self, frame: FrameType, event: str, arg: object) -> None:
        """Stand where a local trace function stands, and leave the frame as it is (None: keep)."""

    def __bool__(self) -> bool:
        return False

    def __reduce__(self) -> tuple[type[Token], tuple[()]]:
        # A program that pickles `dict(locals())` under a debugger gets a token of no frame.
        return Token, ()

    def __repr__(self) -> str:
        return "<resume: marks this call>"

    def __del__(self) -> None:
        # Called when the frame goes, and when a debugger replaced us in `f_trace`. A frame that
        # ends is unlinked from the stack before its fields are cleared (from 3.11.1, gh-99729), so
        # the walk finds it in the second case only. Weak references survive a move: a finalizer
        # runs before they are cleared (PEP 442).
        if self._code is None:
            return
        frame = find_owner(sys._getframe(), self._frame_id, self._code)  # noqa: SLF001
        if frame is not None:
            self.move_to_locals(frame)

    def move_to_locals(self, frame: FrameType) -> None:
        """Lie in *frame* as a hidden local; one that lies there already is kept alive behind us."""
        extra = extra_locals(frame)
        there = extra.get(HIDDEN)
        if there is not None:
            self._behind.append(there)
        extra[HIDDEN] = self

    def plant(self, frame: FrameType) -> None:
        """Lie in *frame*, or behind the token that lies there."""
        self._frame_id, self._code = id(frame), frame.f_code
        first: Any = frame.f_trace
        if first is None:
            frame.f_trace = self
        elif isinstance(first, Token):
            first._behind.append(self)  # noqa: SLF001 - one of us
        else:
            self.move_to_locals(frame)


def plant_token(frame: FrameType, token: Token) -> None:
    """Make a function's *frame* hold *token*, which dies with it; drop your own reference.

    For frames whose names are a real mapping (modules, class bodies) there is no token: the names
    of a notebook outlive the frame of each cell, so the mapping itself is the owner.
    """
    if not is_function_frame(frame):
        raise ValueError(f"{frame.f_code.co_name} keeps its names in a mapping, and needs no token")
    token.plant(frame)


def is_function_frame(frame: FrameType) -> bool:
    """Tell whether the names of *frame* live in its own slots (functions, generators, lambdas).

    Otherwise (module, class body, `exec` with a dict) `f_locals` is the real mapping.
    """
    return bool(frame.f_code.co_flags & CO_OPTIMIZED and frame.f_code.co_flags & CO_NEWLOCALS)


def find_owner(start: FrameType, frame_id: int, code: CodeType) -> FrameType | None:
    """Walk outwards from *start* to the frame with this address and code; None: not on this stack.

    Reads no `f_locals`: on 3.11 and 3.12 that would copy the names of every frame on the way.
    An address may have been used again by a later call of the same function: the token tells.
    """
    frame: FrameType | None = start
    while frame is not None:
        if id(frame) == frame_id and frame.f_code is code:
            return frame
        frame = frame.f_back
    return None


frame_at: Callable[[int], FrameType] = sys._getframe  # noqa: SLF001 - no public name
"""The frame so many calls above the one that asks: 0 is the asker's own."""

running_frames: Callable[[], dict[int, FrameType]] = sys._current_frames  # noqa: SLF001 - documented
"""The innermost frame of every thread, by thread id."""
