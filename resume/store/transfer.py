"""Bytes from older bodies to the end of a new one, verified on the way.

A compressed extent that is live as a whole goes as it lies there. Of all others the live parts are
cut out, and those that follow each other in a piece become one extent: what is dead stays behind,
and pieces that were changed bit by bit have few slices again.

It is done in batches, for few, large calls: each return from one may wait five milliseconds for a
busy main loop (`sys.getswitchinterval`). Of a batch nothing is written before all of it is read.
"""

from __future__ import annotations

import logging
import os
from bisect import insort
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

from resume.errors import IntegrityError, StoreError
from resume.store import trust
from resume.store.appending import BodyWriter
from resume.store.extents import ZSTD, Extent, Piece, Slice, digest
from resume.store.generations import opened
from resume.store.restore import Source, empty, read_extent
from resume.types import BodyRef

_log = logging.getLogger(__name__)

_BATCH_BYTES = 4 << 20
"""Raw bytes of a batch. Up to four times this is needed in memory."""
_WINDOW_BYTES = 4 << 20
_GAP_BYTES = 256 << 10
"""Reading on over so many bytes that nobody wants is cheaper than one more call."""
_PACKED_BYTES = 1 << 20
"""A compressed extent of this raw size stays as it is: little is won by joining it to others."""


@dataclass(slots=True, eq=False)
class Run:
    """Slices that follow each other in a piece, on their way into one new extent."""

    moves: list[Move] = field(default_factory=list)
    length: int = 0
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


@dataclass(slots=True, eq=False)
class Move:
    """Bytes of an old extent, and where they are in a new one."""

    old: Slice
    run: Run
    start: int
    """First byte in the run."""
    data: bytes = b""
    """What is to be written, once it is read."""

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
        by_body: dict[str, list[Move]] = {}
        for move in (move for run in batch for move in run.moves):
            by_body.setdefault(move.old.extent.body, []).append(move)
        lost = {name for name, moves in by_body.items() if not self._read(name, moves)}
        whole = [run for run in batch if not any(one.old.extent.body in lost for one in run.moves)]
        self._write([run for run in whole if not run.is_to_pack])
        self._write_packed([run for run in whole if run.is_to_pack])
        for move in (move for run in batch for move in run.moves):
            move.data = b""

    def _read(self, name: str, moves: Iterable[Move]) -> bool:
        """Fill in the data of *moves*, all of them out of the body *name*; False where it is lost.

        Nothing may be written in here: `opened` takes what the disk says for damage.
        """
        wanted: dict[Extent, list[Move]] = {}
        for move in moves:
            wanted.setdefault(move.old.extent, []).append(move)
        try:
            with opened(self._place / name) as descriptor:
                _require_ours(descriptor, self._bodies[name])
                source = Source(self._place / name, descriptor, None)
                for extents in _windows(wanted):
                    _read_window(source, extents, wanted)
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

    def _write(self, runs: Sequence[Run]) -> None:
        """Write what is not to be compressed, or is already."""
        written = []
        offset = self._writer.offset
        for run in runs:
            written += [move.data for move in run.moves]
            size = sum(len(move.data) for move in run.moves)
            codec = run.moves[0].old.extent.codec
            run.extent = Extent(self._writer.name, offset, size, run.length, codec, _digest_of(run))
            offset += size
        if written:
            self._writer.write(b"".join(written))

    def _write_packed(self, runs: Sequence[Run]) -> None:
        memory = memoryview(b"".join([move.data for run in runs for move in run.moves]))
        spans = []
        place = 0
        for run in runs:
            spans.append((place, place + run.length))
            place += run.length
        marks = [digest(memory[start:end]) for start, end in spans]
        for run, extent in zip(runs, self._writer.add(memory, spans, marks), strict=True):
            run.extent = extent


def _digest_of(run: Run) -> bytes:
    first = run.moves[0].old
    if len(run.moves) == 1 and _is_whole(first):
        return first.extent.digest
    return digest(b"".join([move.data for move in run.moves]))


def _require_ours(descriptor: int, body: BodyRef) -> None:
    # What is carried is ours from then on: it must not have come from somebody else meanwhile.
    found = os.fstat(descriptor)
    why = trust.complaint(found)
    if why is not None:
        raise IntegrityError(f"{body.name} was replaced: {why}")
    if found.st_size != body.size_bytes:
        raise IntegrityError(f"{found.st_size} bytes instead of {body.size_bytes}")


def _windows(extents: Iterable[Extent]) -> Iterator[list[Extent]]:
    """*extents* of one body by their place, in stretches that are read at once."""
    window: list[Extent] = []
    for extent in sorted(extents, key=lambda one: one.offset):
        if window:
            gap = extent.offset - window[-1].offset - window[-1].stored
            size = extent.offset + extent.stored - window[0].offset
            if gap > _GAP_BYTES or size > _WINDOW_BYTES:
                yield window
                window = []
        window.append(extent)
    if window:
        yield window


def _read_window(
    source: Source, extents: Sequence[Extent], wanted: Mapping[Extent, Sequence[Move]]
) -> None:
    first, last = extents[0], extents[-1]
    memory = empty(last.offset + last.stored - first.offset)
    source.read_into(memory, first.offset)
    window = _Window(source.path, memory, first.offset)
    for extent in extents:
        raw = empty(extent.raw)
        read_extent(extent, window, raw)
        for move in wanted[extent]:
            start = move.old.start
            cut = raw[start : start + move.old.length]
            move.data = bytes(window.stored(extent) if move.run.is_packed else cut)


class _Window(Source):
    """A part of a body in memory."""

    def __init__(self, path: Path, memory: memoryview, start: int) -> None:
        super().__init__(path, -1, None)
        self._memory = memory
        self._start = start

    def read_into(self, target: memoryview, offset: int) -> None:
        place = offset - self._start
        target[:] = self._memory[place : place + len(target)]

    def stored(self, extent: Extent) -> memoryview:
        """*extent* as it lies in the body."""
        place = extent.offset - self._start
        return self._memory[place : place + extent.stored]
