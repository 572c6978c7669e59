"""What of the live buffers is new since the previous generation, and copies of just that.

This is all that a save does while the program waits: it reads every byte once (xxh3 runs at the
speed of memory) and copies the parts of 64 KiB that changed. The digests taken here only decide
what to copy. What goes on record is computed from a copy, by the writer most often.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import xxhash

from resume.store.comparing import Look, changed_runs, compare, length_of, with_digest
from resume.store.copying import Filling, SecondThread
from resume.store.extents import (
    DIGEST_BYTES,
    PART_BYTES,
    PIECE_BYTES,
    UNKNOWN,
    Piece,
    Slice,
    Stored,
    cut,
    digest,
)
from resume.store.staging import Block, Pool, Run
from resume.types import BodyRef, Buffer

_MOSTLY = 0.75
"""From this share of changed parts on, a piece is written anew: many small slices cost, too."""
_SEALED_SHARE = 1 / 16
"""No more of the pieces get a digest at one save: what is left of a burst of changes waits."""
_LEAST_SEALED = 8


@dataclass(slots=True, eq=False)
class Change:
    """A piece that is not as it was: its new runs, and the piece that the rest comes from."""

    length: int
    before: Piece | None
    runs: list[Run] = field(default_factory=list)
    looked: Sequence[tuple[int, bytes]] = ()
    """Digests of the live bytes, before the copy was made: first part, and one or more of them."""


@dataclass(slots=True, eq=False)
class Plan:
    """A buffer of the new generation, piece by piece."""

    path: str
    kind: str
    size_bytes: int
    pieces: list[Piece | Change] = field(default_factory=list)


class Previous:
    """The buffers of the parent generation, to be paired with the live ones."""

    def __init__(self, buffers: Iterable[Stored], bodies: Mapping[str, BodyRef]) -> None:
        """Lean on those pieces of *buffers* that lie in *bodies* entirely."""
        self._bodies = bodies
        self._exact: dict[tuple[str, str, int], list[Stored]] = defaultdict(list)
        self._loose: dict[tuple[str, str], list[Stored]] = defaultdict(list)
        self._by_path: dict[str, list[Stored]] = defaultdict(list)
        for one in reversed(tuple(buffers)):
            self._exact[one.path, one.kind, one.size_bytes].append(one)
            self._loose[one.path, one.kind].append(one)
            self._by_path[one.path].append(one)
        self._taken: set[int] = set()

    def pairs(self, buffers: Sequence[Buffer]) -> list[Stored | None]:
        """The earlier buffer that each of *buffers* most likely is: same variable, type and size.

        What is left over is paired whatever its size: an array that grew; and then whatever its
        type: bytes that are looked at in another way.
        """
        found = [self._take(self._exact[one.path, one.kind, len(one.view)]) for one in buffers]
        for row, one in enumerate(buffers):
            found[row] = found[row] or self._take(self._loose[one.path, one.kind])
        for row, one in enumerate(buffers):
            found[row] = found[row] or self._take(self._by_path[one.path])
        return found

    def _take(self, candidates: list[Stored]) -> Stored | None:
        while candidates:
            one = candidates.pop()
            if id(one) not in self._taken:
                self._taken.add(id(one))
                return one
        return None

    def may_use(self, piece: Piece) -> bool:
        """Whether all of *piece* lies where a new generation may lean on it."""
        return all(part.extent.body in self._bodies for part in piece.slices)


def stage(
    buffers: Sequence[Buffer], previous: Previous, pool: Pool, ship: Callable[[Block], None]
) -> list[Plan]:
    """Copy what changed in *buffers* into blocks of *pool*, and hand each to *ship* when full.

    Returns:
        For each buffer what it consists of. No live memory is referred to any more.

    Raises:
        StagingBrokenError: The writer has given up.
    """
    second = SecondThread()
    pairs = previous.pairs(buffers)
    looks = [_looks(one, before, previous) for one, before in zip(buffers, pairs, strict=True)]
    try:
        compare([look for some in looks for look in some], second)
        stage = _Stage(Filling(pool, ship, second), sum(map(len, looks)))
        plans = [
            stage.plan(buffer, owner, some)
            for owner, (buffer, some) in enumerate(zip(buffers, looks, strict=True))
        ]
        stage.filling.finish()
    finally:
        second.close()
    for buffer, plan in zip(buffers, plans, strict=True):
        _look_again(buffer.view, plan)
    return plans


def _look_again(view: memoryview, plan: Plan) -> None:
    """Digest the first part of each changed piece once more: does another thread write to it?

    A sample: who writes to a variable now and then while it is saved may stay unseen.
    """
    for start, piece in zip(range(0, len(view), PIECE_BYTES), plan.pieces, strict=True):
        if isinstance(piece, Change):
            piece.looked = (*piece.looked, (0, digest(view[start : start + PART_BYTES])))


def _looks(buffer: Buffer, stored: Stored | None, previous: Previous) -> list[Look]:
    old = iter(stored.pieces if stored is not None else ())
    looks = []
    for live in cut(buffer.view):
        piece = next(old, None)
        is_of_use = piece is not None and previous.may_use(piece)
        looks.append(Look(live, piece if is_of_use else None))
    return looks


class _Stage:
    """Goes through the pieces one by one, and copies what changed of each."""

    def __init__(self, filling: Filling, pieces: int) -> None:
        """Fill *filling*; there are so many *pieces* in all."""
        self.filling = filling
        self._to_be_sealed = max(_LEAST_SEALED, int(pieces * _SEALED_SHARE))

    def plan(self, buffer: Buffer, owner: int, looks: Sequence[Look]) -> Plan:
        plan = Plan(buffer.path, buffer.kind, len(buffer.view))
        for row, look in enumerate(looks):
            place = _Place(buffer.view, row * PIECE_BYTES, owner)
            plan.pieces.append(self._look(look, place))
        return plan

    def _look(self, look: Look, place: _Place) -> Piece | Change:
        live, piece = look.live, look.before
        if look.is_same and piece is not None:
            return piece
        if piece is None or not piece.parts or look.is_other:
            return self._whole(live, place, look.sample)
        marks = _marks(live)
        parts = b"".join(marks)
        self.filling.looked_bytes += len(live)
        if parts == piece.parts and length_of(piece) == len(live):
            return self._with_digest(live, piece)
        runs = list(changed_runs(live, marks, piece))
        if sum([end - start for start, end in runs]) > _MOSTLY * len(live):
            return self._whole(live, place, [(0, parts)])
        copies = [self._copy(place, start, end) for start, end in runs]
        return Change(len(live), piece, copies, [(0, parts)])

    def _whole(
        self, live: memoryview, place: _Place, looked: Sequence[tuple[int, bytes]] = ()
    ) -> Change:
        return Change(len(live), None, [self._copy(place, 0, len(live))], looked)

    def _copy(self, place: _Place, start: int, end: int) -> Run:
        return self.filling.add(place.view, place.start + start, place.start + end, place.owner)

    def _with_digest(self, live: memoryview, piece: Piece) -> Piece:
        if piece.digest != UNKNOWN or not self._to_be_sealed:
            return piece
        self._to_be_sealed -= 1
        return with_digest(piece, live)


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a live piece is."""

    view: memoryview
    """All of its buffer."""
    start: int
    owner: int
    """Index of the buffer."""


def part_digests(data: memoryview) -> bytes:
    """The xxh3-128 of each 64 KiB of *data*, joined."""
    return b"".join(_marks(data))


def _marks(data: memoryview) -> list[bytes]:
    take = xxhash.xxh3_128_digest
    return [take(data[start : start + PART_BYTES]) for start in range(0, len(data), PART_BYTES)]


def finished(plan: Plan) -> tuple[Stored, bool]:
    """*plan* with all of its runs written, and whether other threads wrote to it meanwhile."""
    torn = False
    pieces = []
    for piece in plan.pieces:
        if isinstance(piece, Change):
            done = _finished_piece(piece)
            torn = torn or not _is_as_looked(done.parts, piece.looked)
            pieces.append(done)
        else:
            pieces.append(piece)
    return Stored(plan.path, plan.kind, plan.size_bytes, tuple(pieces)), torn


def _is_as_looked(parts: bytes, looked: Sequence[tuple[int, bytes]]) -> bool:
    return all(parts[row * DIGEST_BYTES :].startswith(marks) for row, marks in looked)


def _finished_piece(change: Change) -> Piece:
    if change.before is None:
        run = change.runs[0]
        return Piece(run.digest, run.slices, run.parts)
    slices: list[Slice] = []
    parts = bytearray(change.looked[0][1])
    place = 0
    for run in change.runs:
        slices += between(change.before.slices, place, run.start)
        slices += run.slices
        row = run.start // PART_BYTES * DIGEST_BYTES
        parts[row : row + len(run.parts)] = run.parts
        place = run.start + len(run.data)
    slices += between(change.before.slices, place, change.length)
    return Piece(UNKNOWN, tuple(joined(slices)), bytes(parts))


def between(slices: Sequence[Slice], start: int, end: int) -> Iterator[Slice]:
    """What of *slices*, laid one behind the other, lies from *start* to *end*."""
    place = 0
    for part in slices:
        first, last = max(start, place), min(end, place + part.length)
        if first < last:
            yield Slice(part.extent, part.start + first - place, last - first)
        place += part.length


def joined(slices: Iterable[Slice]) -> Iterator[Slice]:
    """*slices* with neighbours that continue each other made one."""
    last: Slice | None = None
    for part in slices:
        if last is not None and last.extent is part.extent and _continues(last, part):
            last = Slice(last.extent, last.start, last.length + part.length)
            continue
        if last is not None:
            yield last
        last = part
    if last is not None:
        yield last


def _continues(one: Slice, other: Slice) -> bool:
    return one.start + one.length == other.start
