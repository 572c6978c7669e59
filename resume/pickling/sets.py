"""Sets keep the order in which they iterate.

A set iterates over its table; where an item lies depends on the table's size and on what lay in the
way when it came. A plain round trip fills a table of another size: 629 of 1,000 sets of ints came
back in another order. So the size of the table is saved, and the set is filled on ways that end at
that size (below), each checked, until the order is the saved one. Of a program that goes on in its
middle the whole table is known, and made again (`set_tables.py`).

What cannot be repeated is counted: items whose hash is another in the next process (text, unless
PYTHONHASHSEED is set; objects that hash by their address).
"""

from __future__ import annotations

import operator
import sys
from bisect import bisect_left
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any

from resume.pickling.builders import bound
from resume.pickling.session import Rebuild, Session
from resume.pickling.set_tables import Layout, build, frozen

# CPython 3.11 to 3.13: a table of 8 entries inside the object, larger ones outside, 16 bytes an
# entry. Adding grows it fourfold at 3/5 full; merging a set makes it the power of two above twice
# the items; taking out many at once makes it the one above four times. unit/pickling/test_sets.py.
_INSIDE = set().__sizeof__()
_ENTRY = 16
_SMALLEST = 8
_PROBES = 9
_NEAR, _FAR = 10, 60
"""Entries of a way of probing that are looked at: at first, and where that does not do."""
_TRIES = 8
"""Ways to part a union in two."""
_MOST = 20_000
"""Larger sets are only tried on the quick ways."""
_STABLE = frozenset({int, bool, float, complex})


class SetRecord:
    """Stands in the stream for one set; persistent ids are saved with the memo like the rest."""

    __slots__ = ("held",)

    def __init__(self, held: Any) -> None:
        self.held = held


def table_size(held: Any) -> int:
    """Entries in the table of the set *held*."""
    outside: int = held.__sizeof__() - _INSIDE
    return max(_SMALLEST, outside // _ENTRY)


def record(session: Session, held: Any) -> SetRecord:
    """The one record of *held* in this encode."""
    found: SetRecord | None = session.made.get(id(held))
    if found is None:
        session.has_sets = True
        session.unordered += not _has_stable_hashes(held)
        found = session.made[id(held)] = SetRecord(held)
    return found


def reduce_record(session: Session, thing: SetRecord) -> Any:
    """The reduce value of a record: what comes back is the set itself."""
    held = thing.held
    if type(held) is frozenset:
        return frozen_set, (list(held), table_of(session, held))
    return new_set, (), (list(held), table_of(session, held)), None, None, fill_set


def table_of(session: Session, held: Any) -> int | Layout:
    """How the table of *held* is filled, where the program's side can tell; else its size."""
    if session.layout is None:
        found = session.look(SetRecord) if session.look is not None else None
        session.layout = found or _no_layout
    return session.layout(session, held) or table_size(held)


def _no_layout(_session: Session, _held: Any) -> None:
    """Nobody can tell."""


def _has_stable_hashes(items: Iterable[Any]) -> bool:
    kinds = set(map(type, items))
    if kinds <= _STABLE:
        return True
    if kinds & {str, bytes} and not sys.flags.hash_randomization:
        kinds -= {str, bytes}
    nested = kinds - _STABLE
    if nested <= {tuple, frozenset}:
        return all(_has_stable_hashes(item) for item in items if type(item) in nested)
    return False


# ---------------------------------------------------------------- building


@bound
def new_set(_rebuild: Rebuild) -> set[Any]:
    """A set, its items still to come."""
    return set()


@bound
def fill_set(rebuild: Rebuild, target: set[Any], state: tuple[list[Any], int | Layout]) -> None:
    """Put the items into *target* so that they iterate in their saved order."""
    items, size = state
    if not fill(target, items, size):
        rebuild.unordered += 1


@bound
def frozen_set(rebuild: Rebuild, items: list[Any], table: int | Layout) -> frozenset[Any]:
    """A frozenset that iterates in the saved order."""
    if isinstance(table, tuple):
        exact = frozen(items, table)
        if exact is not None and table_size(exact) == table[0]:
            return exact
    size = table[0] if isinstance(table, tuple) else table
    first = frozenset(items)
    if _is_as_saved(first, items, size):
        return first
    for made in _frozen_ways(items, size):
        if _is_ordered(made, items):
            return made
    rebuild.unordered += 1
    return first


def _frozen_ways(items: list[Any], size: int) -> Iterator[frozenset[Any]]:
    source: set[Any] = set()
    fill(source, items, size)
    yield frozenset(source)
    yield frozenset() | source
    plan = Plan(items, size)
    yield frozenset(plan.order())
    yield frozenset(_packed(items, size // 4))
    yield from _joined(plan)


def _joined(plan: Plan) -> Iterator[frozenset[Any]]:
    """What `one | other` may have made: a copy has twice as many entries as items, and more came.

    A copy of more items than half of the entries has a larger table.
    """
    order = plan.order()
    most_first = min(len(order), plan.size // 2) - 1
    for most in range(most_first, max(plan.size // 4, most_first - _TRIES), -1):
        first = set(map(id, order[:most]))
        source: set[Any] = set()
        fill(source, [item for item in plan.items if id(item) in first], plan.size)
        yield frozenset(source) | set(order[most:])


def _packed(items: list[Any], size: int) -> list[Any]:
    """An order of coming in which a table of a quarter of the size was filled first."""
    return Plan(items, size).order() if size >= _SMALLEST else items


def fill(target: set[Any], items: list[Any], table: int | Layout) -> bool:
    """Put *items* into the emptied *target*; True where they iterate in that order.

    Args:
        target: What it is now goes.
        items: In their order.
        table: Its size; or all of it, then it is also made sure that later items lie as they would.
    """
    if isinstance(table, tuple):
        target.clear()
        if build(target, items, table) and table_size(target) == table[0]:
            return True
        fill(target, items, table[0])
        return False
    size = table
    best: Callable[[], None] | None = None
    for way in _ways(target, items, size):
        target.clear()
        way()
        if _is_as_saved(target, items, size):
            return True
        if best is None and _is_ordered(target, items):
            best = way
    target.clear()
    if best is None:
        target.update(items)
        return _is_ordered(target, items)
    best()
    return True


def _is_ordered(made: Any, items: list[Any]) -> bool:
    return len(made) == len(items) and all(map(operator.is_, made, items))


def _is_as_saved(made: Any, items: list[Any], size: int) -> bool:
    return table_size(made) == size and _is_ordered(made, items)


def _ways(target: set[Any], items: list[Any], size: int) -> Iterator[Callable[[], None]]:
    yield lambda: target.update(items)
    yield lambda: target.update(frozenset(items))
    if len(items) <= _MOST:
        # Nearly half of all sets of ten numbers come here, and hardly one goes on to what follows,
        # which takes eight times as long.
        near = Plan(items, size, _NEAR)
        yield lambda: target.update(near.order())
        yield lambda: near.build(target)
        plan = Plan(items, size)
        yield lambda: plan.build(target)
        yield lambda: target.update(plan.order())
        for seed in (max(size // 4, 5), size // 8):
            yield lambda seed=seed: plan.build(target, seed)  # type: ignore[misc]


class _Filler:
    """Lies in one entry of a table and is equal to nothing."""

    __slots__ = ("slot",)

    def __init__(self, slot: int) -> None:
        self.slot = slot

    def __hash__(self) -> int:
        return self.slot

    def __eq__(self, other: object) -> bool:
        return self is other


class Plan:
    """Where each item lay in a table of *size*, as far as the order tells, and how it came there.

    The places rise with the order, and each lies on its item's way of probing; of all such places
    those nearest to the starts of the ways are taken. What stood in the way came before.
    """

    def __init__(self, items: list[Any], size: int, far: int = _FAR) -> None:
        self.items = items
        self.size = size
        self.ways = [list(islice(_probes(hash(item), size), far)) for item in items]
        self.places = _rising_places(self.ways)

    def order(self) -> list[Any]:
        """The items in an order in which they may have come; without those that have gone."""
        return [self.items[index] for index in self._come()[0]]

    def build(self, target: set[Any], seed: int = 0) -> None:
        """Fill the empty *target*; *seed*: with so many first, wherever they lie."""
        order, gone = self._come()
        fillers = [_Filler(slot) for slot in gone]
        at_home = order
        if not seed:
            at_home = [i for i in order if self.places[i] == self.ways[i][0]]
            seed = self._seed(len(at_home))
        if seed and self.size > _SMALLEST:
            first = at_home[:seed]
            _merge(target, [self.items[index] for index in first], self.size)
        elif self.size > _SMALLEST:
            first = []
            fillers += self._padding(gone)
            target.update(frozenset(fillers))
        for filler in fillers:
            target.add(filler)
        done = set(first) if self.size > _SMALLEST else set()
        for index in order:
            if index not in done:
                target.add(self.items[index])
        for filler in fillers:
            target.discard(filler)

    def _seed(self, count: int) -> int:
        if self.size <= _SMALLEST:
            return 0
        for seed in (max(self.size // 4, 5), self.size // 8):
            if count >= seed >= 1:
                return seed
        return 0

    def _padding(self, gone: set[int]) -> list[_Filler]:
        taken = {slot for way in self.ways for slot in way[:3]} | set(self.places) | gone
        free = (slot for slot in range(self.size) if slot not in taken)
        return [_Filler(slot) for slot in islice(free, max(0, self.size // 4 - len(gone)))]

    def _come(self) -> tuple[list[int], set[int]]:
        """Indexes in an order of coming, and places where something lay that has gone."""
        holder = {place: index for index, place in enumerate(self.places)}
        gone: set[int] = set()
        waits: list[set[int]] = []
        behind: dict[int, list[int]] = {}
        for index, way in enumerate(self.ways):
            needed = set()
            for slot in way[: way.index(self.places[index])]:
                if slot in holder:
                    needed.add(holder[slot])
                    behind.setdefault(holder[slot], []).append(index)
                else:
                    gone.add(slot)
            waits.append(needed)
        ready = deque(index for index, needed in enumerate(waits) if not needed)
        order = []
        while ready:
            index = ready.popleft()
            order.append(index)
            for other in behind.get(index, ()):
                waits[other].discard(index)
                if not waits[other]:
                    ready.append(other)
        known = set(order)
        return order + [i for i in range(len(self.items)) if i not in known], gone


def _merge(target: set[Any], first: list[Any], size: int) -> None:
    """Put *first* into the empty *target* so that its table gets *size* entries."""
    if len(first) >= max(size // 4, 5):
        target.update(frozenset(first))
        return
    fillers = {_Filler(slot) for slot in range(2 * size)}
    target.update(first)
    target.update(fillers)
    target.difference_update(fillers)


def _probes(number: int, size: int) -> Iterator[int]:
    """The entries that an item of that hash tries, in order."""
    mask = size - 1
    rest = number & sys.maxsize * 2 + 1
    slot = rest & mask
    seen = set()
    for _ in range(_FAR):
        run = range(slot, slot + _PROBES + 1) if slot + _PROBES <= mask else (slot,)
        for place in run:
            if place not in seen:
                seen.add(place)
                yield place
        rest >>= 5
        slot = (slot * 5 + 1 + rest) & mask


def _rising_places(ways: list[list[int]]) -> list[int]:
    """One place of each way, each above the one before, as near to the starts as can be."""
    rows: list[list[tuple[int, int, int]]] = []
    places: list[int] = []
    costs: list[int] = []
    for way in ways:
        row = []
        for depth, slot in enumerate(way):
            before = bisect_left(places, slot) - 1
            if before >= 0 or not rows:
                cost = depth + (costs[before] if rows else 0)
                row.append((slot, cost, before if rows else -1))
        row.sort()
        kept: list[tuple[int, int, int]] = []
        for entry in row:
            if not kept or entry[1] < kept[-1][1]:
                kept.append(entry)
        if not kept:
            return [way[0] for way in ways]
        rows.append(kept)
        places, costs = [slot for slot, _, _ in kept], [cost for _, cost, _ in kept]
    chosen = []
    index = len(places) - 1
    for row in reversed(rows):
        chosen.append(row[index][0])
        index = row[index][2]
    return chosen[::-1]
