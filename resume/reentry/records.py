"""One frame of a running program as plain data."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import CellType
from typing import Any

from resume.rewrite import Entry


class Postponed(Exception):  # noqa: N818 - no error: the program goes on, and the next point is asked
    """Now is no time for a save; the text says why, in the program's words."""


@dataclass(frozen=True, slots=True)
class Keeping:
    """An `lru_cache` that waits for what a frame returns."""

    cache: Any
    args: tuple[Any, ...]
    """The call, as the program made it."""
    named: dict[str, Any]
    is_counted: bool = False
    """The cache has counted the call as a miss: not where the frame was resumed."""


@dataclass(slots=True, eq=False)
class FrameRecord:
    """A frame that is to go on: one of the stack, or a generator's."""

    module: str
    """Name of the rewritten module."""
    block: int
    """Id of the function, lambda or hidden comprehension in it; 0: the module itself."""
    position: int
    """Id of the place where it stands."""
    entry: Entry
    """How it goes on there."""
    values: dict[str, Any] = field(default_factory=dict)
    """By name, hidden names with them: bound variables that lie in no cell. Of a module: the hidden
    names only, for its variables are its namespace."""
    cells: dict[str, CellType] = field(default_factory=dict)
    """By name: the cells of its own and of the functions around it, bound or not."""
    again: tuple[str, ...] = ()
    """Of a restored one: iterators among the values that are made again and skipped to their place
    (`Suspension.again`)."""
    reentered: tuple[str, ...] = ()
    """Context managers that are made and entered again, and so not among the values."""
    recreated: tuple[str, ...] = ()
    """Variables that are not among the values: their only assignment makes them again."""
    qualname: str = ""
    name: str = ""
    """Of a generator: its `__name__`, which a program may have set, as the other one."""
    generator: Any = None
    """What goes on instead: a call that runs it (`generator.send(x)`) has its next value."""
    line: int = 0
    """In the source: for people."""
    keeping: Keeping | None = None
    """What keeps the result, besides the frame that waits for it."""
