"""What one encode and one decode carry along while the pickle machinery runs."""

from __future__ import annotations

import types
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

Reduced: TypeAlias = "tuple[Any, ...] | str"
Reducer: TypeAlias = "Callable[[Session, Any], Any]"
"""Returns what `__reduce__` may return, or NotImplemented for pickle's own way."""

Reducers: TypeAlias = "Mapping[type, Callable[[Any], Any]]"
"""The user's own (`Checkpoint.add_types`): type to a callable like `__reduce__`."""

Look: TypeAlias = "Callable[[type], Reducer | None]"
"""Which reducer a type has, if any; where that gives NotImplemented, the core decides."""


class Unsavable(Exception):  # noqa: N818 - never leaves this room
    """An object has no recipe; args are (why, remedy)."""

    def __init__(self, why: str, remedy: str = "") -> None:
        super().__init__(why, remedy)
        self.why = why
        self.remedy = remedy

    def __str__(self) -> str:
        return self.why


class Session:
    """State of one encode that reducers share; it is thrown away when a root fails."""

    def __init__(
        self,
        *,
        reducers: Reducers | None = None,
        cells: Callable[[types.CellType, str], str | None] | None = None,
        own: Collection[Any] = (),
        look: Look | None = None,
    ) -> None:
        self.reducers = dict(reducers or {})
        self.look = look
        self.owner_cell = cells
        named = own if isinstance(own, Mapping) else {str(i): o for i, o in enumerate(own)}
        self._named = named
        self.own = {id(thing): str(name) for name, thing in named.items()}
        self.own_types = {type(thing) for thing in named.values()}
        self.anchored: Mapping[int, Any] = {}
        """Objects whose place in the memo is taken before the first root."""
        self.filled: set[int] = set()
        """Cells whose contents are already on their way."""
        self.made: dict[int, Any] = {}
        """Stand-in by id of the object that it stands for (sets)."""
        self.records: dict[Any, Any] = {}
        """Stand-in of memory by what tells it from other memory."""
        self.memory: dict[int, Any] = {}
        """Owner of raw memory by address, for tensors and arrays over one memory."""
        self.kind = ""
        """What the next out-of-band buffer holds."""
        self.unordered = 0
        self.lost_graph = False
        """Whether a tensor went out that `backward()` could have been called on."""
        self.frame_cells: dict[int, str] = {}
        """Cells of the owner's frame that functions were met with, to the variable's name."""
        self.has_sets = False
        self.layout: Callable[[Session, Any], Any] | None = None
        """Tells how the table of a set is filled; found when the first set is met."""

    def again(self) -> Session:
        """A fresh session with the same answers, to look for a culprit or for blanks."""
        made = Session(
            reducers=self.reducers, cells=self.owner_cell, own=self._named, look=self.look
        )
        made.anchored = self.anchored
        return made


@dataclass
class Rebuild:
    """State of one decode that bound builders share."""

    cells: Callable[[str], types.CellType | None] | None = None
    own: Mapping[str, Any] = field(default_factory=dict)
    last: list[Callable[[], None]] = field(default_factory=list)
    """To be run when every object is whole, in order."""
    unordered: int = 0
    found: set[int] = field(default_factory=set)
    """Functions that the rerun has defined itself: they stay as they are."""
