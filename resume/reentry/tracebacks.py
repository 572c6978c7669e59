"""Tracebacks of exceptions that a program holds, made again from what they say.

Goal: `traceback.print_exc()` in a handler that goes on in another process prints what it would.

What does not work: to keep the frames. They are over, or on the stack that is entered anew.

What we do: file, name, line and columns of each entry are saved. Each comes back as the frame of a
piece of code that bears these names, has one place in its table, and raises.

What can still go wrong: such a frame has no variables, so nothing is told from them (a hint such as
"did you mean", `capture_locals`).
"""

from __future__ import annotations

import sys
from itertools import islice
from types import FrameType, TracebackType
from typing import Any, TypeAlias

from resume.pickling.builders import builder
from resume.pickling.session import Session
from resume.rewrite.positions import Position, location_table

Entry: TypeAlias = tuple[str, str, str, str, int, int, Position]
"""Module, file, name and qualified name; first line of the function, the line, and the place."""

_RAISES = compile("0 / 0", "", "exec")


def reduce_traceback(_session: Session, thing: TracebackType) -> Any:
    """Reduce it to what it says."""
    entries: list[Entry] = []
    current: TracebackType | None = thing
    while current is not None:
        entries.append(_entry(current))
        current = current.tb_next
    return traceback_of, (entries,)


def _entry(trace: TracebackType) -> Entry:
    frame, code = trace.tb_frame, trace.tb_frame.f_code
    line: int | None = trace.tb_lineno  # none where the code tells no lines
    place = next(islice(code.co_positions(), trace.tb_lasti // 2, None), None)
    module = str(frame.f_globals.get("__name__", ""))
    names = module, code.co_filename, code.co_name, code.co_qualname
    at = -1 if line is None else line
    return *names, code.co_firstlineno, at, place or (line, line, None, None)


@builder
def traceback_of(entries: list[Entry]) -> TracebackType | None:
    """A traceback that says what another one said."""
    made: TracebackType | None = None
    for module, file, name, qualname, first, line, place in reversed(entries):
        code = _RAISES.replace(
            co_filename=file,
            co_name=name,
            co_qualname=qualname,
            co_firstlineno=first,
            co_linetable=location_table([place] * (len(_RAISES.co_code) // 2), first),
        )
        frame, at = _frame_of(code, module)
        made = TracebackType(made, frame, at, line)
    return made


def _frame_of(code: Any, module: str) -> tuple[FrameType, int]:
    here = sys.modules.get(module)
    space = {"__name__": module} if here is None else vars(here)
    try:
        exec(code, space)  # noqa: S102 - it divides by zero
    except ZeroDivisionError as error:
        trace: Any = error.__traceback__
        return trace.tb_next.tb_frame, trace.tb_next.tb_lasti
    raise AssertionError("zero has an inverse")  # pragma: no cover - it has not
