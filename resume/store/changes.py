"""What of the live buffers is new since the previous generation, and copies of just that.

This is all that a save does while the program waits: it reads every byte once (xxh3 runs at the
speed of memory) and copies the parts of 64 KiB that changed. The digests taken here only decide
what to copy. What goes on record is computed from the copy by the writer.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import xxhash

from resume.store.copying import Copier, Pair
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
_FEW_PARTS = 8


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
        for one in reversed(tuple(buffers)):
            self._exact[one.path, one.kind, one.size_bytes].append(one)
            self._loose[one.path, one.kind].append(one)
        self._taken: set[int] = set()

    def pairs(self, buffers: Sequence[Buffer]) -> list[Stored | None]:
        """The earlier buffer that each of *buffers* most likely is: same variable, type and size.

        What is left over is paired whatever its size: an array that grew.
        """
        exact = [self._take(self._exact[one.path, one.kind, len(one.view)]) for one in buffers]
        return [
            found or self._take(self._loose[one.path, one.kind])
            for one, found in zip(buffers, exact, strict=True)
        ]

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
    filling = _Filling(pool, ship)
    pairs = previous.pairs(buffers)
    try:
        plans = [
            _plan(buffer, owner, before, previous, filling)
            for owner, (buffer, before) in enumerate(zip(buffers, pairs, strict=True))
        ]
        filling.ship_last()
    finally:
        filling.close()
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


class _Filling:
    """The block that is being filled. Its copies are made when it is full, all at once."""

    def __init__(self, pool: Pool, ship: Callable[[Block], None]) -> None:
        self._pool = pool
        self._ship = ship
        self._block: Block | None = None
        self._pairs: list[Pair] = []
        self._copier = Copier()

    def copy(self, live: memoryview, start: int, owner: int) -> Run:
        if self._block is not None and not self._block.has_room(len(live)):
            self.ship_last()
        if self._block is None:
            self._block = self._pool.take()
        run = self._block.add(len(live), start, owner)
        self._pairs.append((run.data, live))
        return run

    def ship_last(self) -> None:
        block, self._block = self._block, None
        if block is not None:
            pairs, self._pairs = self._pairs, []
            self._copier.copy(pairs)
            self._ship(block)

    def close(self) -> None:
        self._copier.close()


def _plan(
    buffer: Buffer, owner: int, before: Stored | None, previous: Previous, filling: _Filling
) -> Plan:
    plan = Plan(buffer.path, buffer.kind, len(buffer.view))
    old = iter(before.pieces if before is not None else ())
    for live in cut(buffer.view):
        piece = next(old, None)
        if piece is not None and not previous.may_use(piece):
            piece = None
        plan.pieces.append(_look(live, owner, piece, filling))
    return plan


def _look(live: memoryview, owner: int, piece: Piece | None, filling: _Filling) -> Piece | Change:
    if piece is None or (not piece.parts and piece.digest == UNKNOWN):
        return _whole(live, owner, filling)
    if not piece.parts:
        is_same = length_of(piece) == len(live) and digest(live) == piece.digest
        return piece if is_same else _whole(live, owner, filling)
    sample = _sample(live, piece.parts)
    if sample:
        return _whole(live, owner, filling, sample)
    parts = part_digests(live)
    if parts == piece.parts and length_of(piece) == len(live):
        return piece
    runs = list(_changed_runs(live, parts, piece))
    if sum(end - start for start, end in runs) > _MOSTLY * len(live):
        return _whole(live, owner, filling, [(0, parts)])
    copies = [filling.copy(live[start:end], start, owner) for start, end in runs]
    return Change(len(live), piece, copies, [(0, parts)])


def _whole(
    live: memoryview, owner: int, filling: _Filling, looked: Sequence[tuple[int, bytes]] = ()
) -> Change:
    return Change(len(live), None, [filling.copy(live, 0, owner)], looked)


def _sample(live: memoryview, parts: bytes) -> list[tuple[int, bytes]]:
    """Four parts of *live*, where all four changed; then no more digests are worth their time.

    A training step changes everything; the price of guessing wrong is bytes, never a wrong state.
    """
    count = min(len(live), len(parts) // DIGEST_BYTES * PART_BYTES) // PART_BYTES
    if count < _FEW_PARTS:
        return []
    sample = []
    for row in (0, count // 3, 2 * count // 3, count - 1):
        mark = digest(live[row * PART_BYTES : (row + 1) * PART_BYTES])
        if mark == parts[row * DIGEST_BYTES : (row + 1) * DIGEST_BYTES]:
            return []
        sample.append((row, mark))
    return sample


def part_digests(data: memoryview) -> bytes:
    """The xxh3-128 of each 64 KiB of *data*, joined."""
    take = xxhash.xxh3_128_digest
    return b"".join(
        [take(data[start : start + PART_BYTES]) for start in range(0, len(data), PART_BYTES)]
    )


def length_of(piece: Piece) -> int:
    """Bytes of *piece*."""
    return sum(part.length for part in piece.slices)


def _changed_runs(live: memoryview, parts: bytes, piece: Piece) -> Iterator[tuple[int, int]]:
    """First and last byte of what is new, part by part, neighbours joined."""
    old_length = length_of(piece)
    begun: int | None = None
    for row, start in enumerate(range(0, len(live), PART_BYTES)):
        end = min(start + PART_BYTES, len(live))
        place = slice(row * DIGEST_BYTES, (row + 1) * DIGEST_BYTES)
        is_comparable = end == min(start + PART_BYTES, old_length)
        if is_comparable and parts[place] == piece.parts[place]:
            if begun is not None:
                yield begun, start
                begun = None
        elif begun is None:
            begun = start
    if begun is not None:
        yield begun, len(live)


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
