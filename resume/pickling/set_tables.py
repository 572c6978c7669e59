"""A set whose table is filled as that of another was: what comes later lies where it would have.

An order alone is not enough: an entry whose item has gone stays taken until the table grows, so
later items go around it, or take it; and `pop` goes on where it stopped.

Since the table was last made anew, no entry has become free again: whatever an item had to go
around holds an item now, or one that has gone. So each of these entries is given a filler first.
Then one filler after the other makes room for the item that lies in its place: the only free entry
on that item's way. At the end those that lie where items have gone are taken out.
"""

from __future__ import annotations

import functools
import operator
from array import array
from typing import Any, TypeAlias

Layout: TypeAlias = "tuple[int, int, bytes, bytes, bytes]"
"""As `resume.frames.tables.layout` gives it."""

# CPython 3.11 to 3.13: a table of 8 entries inside the object; taking out many at once makes it
# anew, of the power of two above four times what is left.
_SMALLEST = 8
_TRIES = 32
_HIGH = 1 << 55
"""Beyond any table: a filler's hash is no usual item's."""


class _Filler:
    """Lies in the entry that its number says and is equal to nothing."""

    __slots__ = ("number",)

    def __init__(self, number: int) -> None:
        self.number = number

    def __hash__(self) -> int:
        return self.number

    def __eq__(self, other: object) -> bool:
        return self is other


def build(target: set[Any], items: list[Any], layout: Layout) -> bool:
    """Fill the emptied *target* so that *items* lie as they lay; False where that cannot be."""
    size, finger, _, _, gone = layout
    if finger:
        _move_finger(target, size, finger)
    return _lay(target, items, _places(items, layout), array("i", gone), size)


def frozen(items: list[Any], layout: Layout) -> frozenset[Any] | None:
    """A frozenset whose *items* lie as they lay; None where that cannot be.

    A set with no entry of one that has gone is copied as it is, if it fills up to half of its
    table. What is more comes by a union, and goes where its hash says: items that no other had to
    go around. Which these are is tried.
    """
    size = layout[0]
    over = max(0, len(items) - (size // 2 - 1)) if size > _SMALLEST else 0
    away, places = set(array("i", layout[2])), _places(items, layout)
    homes = [index for index in range(len(items)) if index not in away]
    for start in range(min(_TRIES, len(homes) - over + 1) if over else 1):
        last = set(homes[start : start + over])
        first = [index for index in range(len(items)) if index not in last]
        source: set[Any] = set()
        its_places = [places[index] for index in first]
        is_made = _lay(source, [items[index] for index in first], its_places, array("i"), size)
        made = frozenset(source)
        made = made | {items[index] for index in last} if last else made
        if is_made and _is_ordered(made, items):
            return made
    return None


def _is_ordered(made: Any, items: list[Any]) -> bool:
    return len(made) == len(items) and all(map(operator.is_, made, items))


def _places(items: list[Any], layout: Layout) -> list[int]:
    size, _, away, away_places, _ = layout
    places = [hash(item) & (size - 1) for item in items]
    for index, place in zip(array("i", away), array("i", away_places), strict=True):
        places[index] = place
    return places


def _lay(
    target: set[Any], items: list[Any], places: list[int], gone: array[int], size: int
) -> bool:
    """Put *items* into the emptied *target*, each in its place, and nothing where *gone* says."""
    fillers = [_Filler(_HIGH + place) for place in (*places, *gone)]
    if size > _SMALLEST and not _make_table(target, fillers, size):
        return False
    for filler in fillers:
        target.add(filler)
    for item, filler in zip(items, fillers, strict=False):
        target.discard(filler)
        target.add(item)
    for filler in fillers[len(items) :]:
        target.discard(filler)
    return _is_ordered(target, items)


def _make_table(target: set[Any], fillers: list[_Filler], size: int) -> bool:
    """Give *target* a table of *size*, with some of *fillers* in it."""
    count = size // _SMALLEST
    if len(fillers) < count:
        return False
    target.update(fillers[:count])
    pool = _pool(size)
    target.update(pool)
    target.difference_update(pool)
    return True


def _move_finger(target: set[Any], size: int, finger: int) -> None:
    """Let `pop` go on at *finger*, wherever it was."""
    target.update(_pool(size))
    while target.pop().number != 2 * _HIGH + finger - 1:
        pass
    target.clear()


@functools.lru_cache(maxsize=4)
def _pool(size: int) -> frozenset[_Filler]:
    """So many fillers that a table of many times *size* holds them, from its first entry on."""
    return frozenset(_Filler(2 * _HIGH + number) for number in range(2 * size))
