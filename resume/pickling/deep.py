"""Graphs too deep for the pickler's recursion: cut into pieces at objects that come by reference.

The C pickler calls itself once for each step down (500 links of a chain are too many for 3.11). An
object whose place in the memo is taken before is not gone into; so every so many steps one object
is made an anchor that no living object stands for: blank first, its contents in a piece of its own.
"""

from __future__ import annotations

from typing import Any

from resume.pickling import anchors as anchoring
from resume.pickling import culprits
from resume.pickling.reducers import Table
from resume.pickling.session import Session

LEVELS = (100, 25, 5)
"""Steps between two cuts, at the first try and the next ones."""
_PLAIN = frozenset({"list", "dict", "deque", "object"})


def cuts(
    name: str, value: Any, session: Session, taken: set[int], level: int
) -> list[anchoring.Anchor]:
    """Anchors that cut the graph under *value* every *level* steps, in pickle's own order."""
    table = Table(session)
    found: list[anchoring.Anchor] = []
    seen: set[int] = set()
    kept: list[Any] = []
    waiting: list[tuple[int, Any]] = [(0, value)]
    while waiting:
        depth, thing = waiting.pop()
        if type(thing) in culprits.ATOMS or id(thing) in seen:
            continue
        seen.add(id(thing))
        kept.append(thing)
        if id(thing) in taken:
            depth = 0
        elif depth >= level and anchoring.kind_of(thing, table) in _PLAIN:
            path = f"{name} (piece {len(found) + 1})"
            kind = anchoring.kind_of(thing, table) or ""
            found.append(anchoring.Anchor(thing, name, (anchoring.NOT_FOUND,), path, kind))
            depth = 0
        try:
            inside = list(culprits.children("", thing, table))
        except Exception:  # noqa: BLE001, S112 - the user's code; the next pass will say
            continue
        waiting += [(depth + 1, part) for _, part in reversed(inside)]
    return found
