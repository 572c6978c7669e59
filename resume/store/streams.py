"""The pickle stream into a body: what of it is new, wherever the rest of it has moved to."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from resume.store.appending import BodyWriter
from resume.store.changes import joined
from resume.store.cuts import Fresh, Kept, Places, plan_stream
from resume.store.extents import PIECE_BYTES, Known, Piece, Slice, Stored, cut, digest
from resume.types import BodyRef

_LEAST_CUT = 256 << 10
"""A stream of fewer bytes is written whole: to cut it costs more than it spares."""
_BATCH_BYTES = 16 << 20


@dataclass(frozen=True, slots=True)
class Lent:
    """What a new generation may lean on."""

    buffers: tuple[Stored, ...] = ()
    """Those of the parent, as they lie on disk."""
    bodies: Mapping[str, BodyRef] = field(default_factory=dict)
    """Those of the parent's bodies that may be used."""


def store_stream(writer: BodyWriter, parts: Sequence[bytes], lent: Lent, known: Known) -> Stored:
    """Write what of the stream *parts* is new."""
    memory = memoryview(parts[0] if len(parts) == 1 else b"".join(parts))
    if len(memory) < _LEAST_CUT:
        pieces = tuple(_whole(writer, piece, known) for piece in cut(memory))
        return Stored("", "stream", len(memory), pieces)
    before = _usable(lent)
    runs, chunks = plan_stream(memory, None if before is None else before.chunks)
    places = Places([] if before is None else list(_slices(before)))
    fresh = iter(_write(writer, memory, [run for run in runs if isinstance(run, Fresh)]))
    slices = (
        part
        for run in runs
        for part in (places.find(run) if isinstance(run, Kept) else (next(fresh),))
    )
    pieces = tuple(
        Piece(digest(piece), found)
        for piece, found in zip(cut(memory), _by_piece(slices), strict=True)
    )
    return Stored("", "stream", len(memory), pieces, chunks)


def _whole(writer: BodyWriter, piece: memoryview, known: Known) -> Piece:
    mark = digest(piece)
    slices = known.find(mark, len(piece))
    if slices is None:
        (extent,) = writer.add(piece, [(0, len(piece))], [mark])
        slices = (Slice(extent, 0, extent.raw),)
    return Piece(mark, slices)


def _usable(lent: Lent) -> Stored | None:
    """The stream of the parent, where its cuts are known and all of it may be leant on."""
    before = lent.buffers[0] if lent.buffers else None
    if before is None or before.chunks is None:
        return None
    is_whole = all(part.extent.body in lent.bodies for part in _slices(before))
    return before if is_whole else None


def _slices(stored: Stored) -> Iterator[Slice]:
    for piece in stored.pieces:
        yield from piece.slices


def _write(writer: BodyWriter, memory: memoryview, runs: Sequence[Fresh]) -> Iterator[Slice]:
    for batch in _batches(runs):
        spans = [(run.start, run.start + run.length) for run in batch]
        marks = [digest(memory[start:end]) for start, end in spans]
        for extent in writer.add(memory, spans, marks):
            yield Slice(extent, 0, extent.raw)


def _batches(runs: Iterable[Fresh]) -> Iterator[list[Fresh]]:
    batch: list[Fresh] = []
    size = 0
    for run in runs:
        batch.append(run)
        size += run.length
        if size >= _BATCH_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _by_piece(slices: Iterable[Slice]) -> Iterator[tuple[Slice, ...]]:
    """*slices* piece by piece: none of them crosses the border of one."""
    parts: list[Slice] = []
    size = 0
    for part in slices:
        parts.append(part)
        size += part.length
        if size == PIECE_BYTES:
            yield tuple(joined(parts))
            parts, size = [], 0
    if parts:
        yield tuple(joined(parts))
