"""Bytes from older bodies to the end of a new one, verified on the way.

A compressed extent that is live as a whole goes as it lies there. Of all others the live parts are
cut out, and those that follow each other in a piece become one extent: what is dead stays behind,
and pieces that were changed bit by bit have few slices again.

It is done in batches, for few, large calls: each return from one may wait five milliseconds for a
busy main loop (`sys.getswitchinterval`). Of a batch nothing is written before all of it is read.
"""

from __future__ import annotations

import logging
from bisect import insort
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

from resume.errors import StoreError
from resume.store.appending import BodyWriter, Span, stretches
from resume.store.extents import ZSTD, Extent, Piece, Slice, digest
from resume.store.windows import Room, read_extents
from resume.types import BodyRef

_log = logging.getLogger(__name__)

_BATCH_BYTES = 4 << 20
"""Raw bytes of a batch, and a piece at most beyond that."""
_PACKED_BYTES = 1 << 20
"""A compressed extent of this raw size stays as it is: little is won by joining it to others."""


@dataclass(slots=True, eq=False)
class Run:
    """Slices that follow each other in a piece, on their way into one new extent."""

    moves: list[Move] = field(default_factory=list)
    length: int = 0
    place: int = 0
    """First byte in the memory of its batch."""
    extent: Extent | None = None
    """None until it is written, and for ever where a part of it is damaged."""

    def takes(self, part: Slice) -> bool:
        """Whether *part* may be joined to what is here."""
        last = self.moves[-1].old
        is_alike = part.extent.codec == last.extent.codec
        return is_alike and not (_stays_as_it_is(part) or _stays_as_it_is(last))

    def add(self, part: Slice) -> Move:
        """Let *part* be the next."""
        move = Move(part, self, self.length)
        self.moves.append(move)
        self.length += part.length
        return move

    @property
    def is_packed(self) -> bool:
        """Whether it goes as it lies in its body: one compressed extent, all of it live."""
        first = self.moves[0].old
        return len(self.moves) == 1 and first.extent.codec == ZSTD and _is_whole(first)

    @property
    def is_to_pack(self) -> bool:
        """Whether it is to be compressed again."""
        return self.moves[0].old.extent.codec == ZSTD and not self.is_packed

    @property
    def size(self) -> int:
        """Bytes in memory."""
        return self.moves[0].old.extent.stored if self.is_packed else self.length

    @property
    def span(self) -> Span:
        """First byte in memory, and the one behind the last."""
        return self.place, self.place + self.size


@dataclass(slots=True, eq=False)
class Move:
    """Bytes of an old extent, and where they are in a new one."""

    old: Slice
    run: Run
    start: int
    """First byte in the run."""

    @property
    def new(self) -> Slice:
        """Where the bytes lie now; known once all batches are done."""
        if self.run.extent is None:
            return self.old
        return Slice(self.run.extent, self.start, self.old.length)


Step: TypeAlias = "Slice | Move"
"""Bytes of a piece that stay where they are, or do not."""


def _is_whole(part: Slice) -> bool:
    return part.length == part.extent.raw


def _stays_as_it_is(part: Slice) -> bool:
    extent = part.extent
    return extent.codec == ZSTD and extent.raw >= _PACKED_BYTES and _is_whole(part)


class Transfer:
    """Moves to a new body what the pieces that it is shown name of some older ones."""

    def __init__(
        self,
        allowed: dict[str, float],
        bodies: Mapping[str, BodyRef],
        place: Path,
        writer: BodyWriter,
        damaged: set[str],
    ) -> None:
        """Move so many bytes out of each body as *allowed* says; see `carrying.carry`."""
        self._allowed = allowed
        self._bodies = bodies
        self._place = place
        self._writer = writer
        self._damaged = damaged
        self._moves: dict[Extent, list[Move]] = {}
        """What of each extent is moved, by its first byte: shared bytes stay shared."""
        self._batch: list[Run] = []
        self._memory, self._window = Room(), Room()

    def plan(self, piece: Piece) -> list[Step]:
        """What becomes of the slices of *piece*, in order; nothing where all of them stay."""
        if not any(part.extent.body in self._allowed for part in piece.slices):
            return []
        steps: list[Step] = []
        run: Run | None = None
        for part in piece.slices:
            for step in list(self._look_up(part)):
                if isinstance(step, Slice) and self._may_go(step):
                    run = run if run is not None and run.takes(step) else self._begin()
                    steps.append(self._move(run, step))
                else:
                    run = None
                    steps.append(step)
        if sum(run.length for run in self._batch) >= _BATCH_BYTES:
            self.finish()
        return steps

    def _may_go(self, part: Slice) -> bool:
        extent = part.extent
        left = self._allowed.get(extent.body, 0)
        if left <= 0:
            return False
        self._allowed[extent.body] = left - extent.stored * part.length / extent.raw
        return True

    def _begin(self) -> Run:
        self._batch.append(Run())
        return self._batch[-1]

    def _move(self, run: Run, part: Slice) -> Move:
        move = run.add(part)
        insort(self._moves.setdefault(part.extent, []), move, key=lambda one: one.old.start)
        return move

    def _look_up(self, part: Slice) -> Iterator[Step]:
        """*part*, in pieces where some of its bytes are moved already."""
        place, end = part.start, part.start + part.length
        for move in self._moves.get(part.extent, ()):
            first = max(place, move.old.start)
            last = min(end, move.old.start + move.old.length)
            if first < last:
                if place < first:
                    yield Slice(part.extent, place, first - place)
                bytes_moved = Slice(part.extent, first, last - first)
                yield Move(bytes_moved, move.run, move.start + first - move.old.start)
                place = last
        if place < end:
            yield part if place == part.start else Slice(part.extent, place, end - place)

    def finish(self) -> None:
        """Read and write what is planned so far."""
        batch, self._batch = self._batch, []
        memory = self._lay_out(batch)
        by_body: dict[str, list[Move]] = {}
        for move in (move for run in batch for move in run.moves):
            by_body.setdefault(move.old.extent.body, []).append(move)
        lost = {name for name, moves in by_body.items() if not self._read(name, moves, memory)}
        whole = [run for run in batch if not any(one.old.extent.body in lost for one in run.moves)]
        self._write(memory, [run for run in whole if not run.is_to_pack])
        self._write_packed(memory, [run for run in whole if run.is_to_pack])

    def _lay_out(self, batch: list[Run]) -> memoryview:
        """Memory for all of *batch*, those first that are written as they are."""
        batch.sort(key=lambda run: run.is_to_pack)
        place = 0
        for run in batch:
            run.place = place
            place += run.size
        return self._memory.take(place)

    def _read(self, name: str, moves: Iterable[Move], memory: memoryview) -> bool:
        """Bring *moves*, all out of the body *name*, into *memory*; False where that fails."""
        wanted: dict[Extent, list[Move]] = {}
        for move in moves:
            wanted.setdefault(move.old.extent, []).append(move)
        try:
            found = read_extents(self._place / name, self._bodies[name], wanted, self._window)
            for extent, stored, raw in found:
                for move in wanted[extent]:
                    first, place = move.old.start, move.run.place + move.start
                    cut = stored if move.run.is_packed else raw[first : first + move.old.length]
                    memory[place : place + len(cut)] = cut
        except StoreError as why:
            self._leave(name, why)
            return False
        return True

    def _leave(self, name: str, why: StoreError) -> None:
        self._damaged.add(name)
        self._allowed[name] = 0
        _log.warning(
            "%s, of which this and earlier generations need parts, is damaged or not to be read, "
            "and stays as it is: %s. The next save writes those parts anew.",
            self._place / name,
            why,
        )

    def _write(self, memory: memoryview, runs: Sequence[Run]) -> None:
        """Write what is not to be compressed, or is already."""
        name, offset = self._writer.name, self._writer.offset
        for run in runs:
            mark, codec = _digest_of(run, memory), run.moves[0].old.extent.codec
            run.extent = Extent(name, offset, run.size, run.length, codec, mark)
            offset += run.size
        for start, end in stretches(run.span for run in runs):
            self._writer.write(memory[start:end])

    def _write_packed(self, memory: memoryview, runs: Sequence[Run]) -> None:
        spans = [run.span for run in runs]
        marks = [_digest_of(run, memory) for run in runs]
        for run, extent in zip(runs, self._writer.add(memory, spans, marks), strict=True):
            run.extent = extent


def _digest_of(run: Run, memory: memoryview) -> bytes:
    first = run.moves[0].old
    if len(run.moves) == 1 and _is_whole(first):
        return first.extent.digest
    start, end = run.span
    return digest(memory[start:end])
