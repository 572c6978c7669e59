"""Writing a body: what changed, staged, digested, compressed where that pays, hashed as a whole."""

from __future__ import annotations

import hashlib
import logging
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import zstandard

from resume.errors import ConfigError
from resume.store import files
from resume.store.extents import PIECE_BYTES, Extent, Lender, Piece, Slice, Stored, cut, digest
from resume.store.files import Disk
from resume.store.tables import encode_tables
from resume.types import BodyRef, Buffer

_log = logging.getLogger(__name__)

RAW, ZSTD = 0, 1
_SAMPLE_BYTES = 16 << 10
_SAMPLE_PARTS = 4
_WORTH = 0.85
"""A sample that shrinks to less than this part is worth the time: float noise gains 0 to 8 %."""
_AUTO_LEVEL = 1
_MOST_LEVEL = 22


@dataclass(frozen=True, slots=True)
class Target:
    """Where and how a generation is written."""

    disk: Disk
    place: Path
    name: str
    """The checkpoint's."""
    level: int | None
    """Compression: None by sample, 0 never, else the zstd level."""
    fsync: bool


@dataclass(frozen=True, slots=True)
class Lent:
    """What a new generation may lean on."""

    buffers: tuple[Stored, ...] = ()
    """Those of the parent, as they lie on disk."""
    bodies: Mapping[str, BodyRef] = field(default_factory=dict)
    """Those of the parent's bodies that may be used."""


@dataclass(frozen=True, slots=True)
class Body:
    """A body that is on disk under its final name."""

    ref: BodyRef
    bodies: tuple[BodyRef, ...]
    """All that its generation needs, itself first."""
    tables: dict[str, Any]
    """`offset`, `size_bytes` and `sha256` of the tables in it."""
    buffers: tuple[Stored, ...]


def compression_level(compress: str | int) -> int | None:
    """The zstd level that *compress* asks for: None by sample, 0 never.

    Raises:
        ConfigError: It is none of `auto`, `none`, or a level.
    """
    if compress == "auto":
        return None
    if compress == "none":
        return 0
    if isinstance(compress, int) and not isinstance(compress, bool):
        level = compress
        if 0 <= level <= _MOST_LEVEL:
            return level
    raise ConfigError(f"compress={compress!r}: give 'auto', 'none' or a zstd level from 0 to 22")


def write_body(
    target: Target, path: Path, head: bytes, buffers: Sequence[Buffer], lent: Lent
) -> Body:
    """Write the body *path*: *head*, and all of *buffers* that *lent* does not have.

    Raises:
        OSError: The disk refused; nothing is left of the body.
    """
    disk = target.disk
    scratch = files.scratch_beside(path)
    writer = _Writer(disk, path.name, disk.create(scratch), target.level)
    lender = Lender(lent.buffers, lent.bodies)
    try:
        try:
            writer.write(head)
            stored = tuple(_store(writer, buffer, lender) for buffer in buffers)
            body = _finish(writer, stored, lent.bodies)
            if target.fsync:
                disk.fsync(writer.descriptor)
        finally:
            os.close(writer.descriptor)
        disk.rename(scratch, path)
    except BaseException:
        files.discard(disk, scratch)
        raise
    return body


def _finish(writer: _Writer, stored: tuple[Stored, ...], lent: Mapping[str, BodyRef]) -> Body:
    used = {part.extent.body for one in stored for piece in one.pieces for part in piece.slices}
    others = [body for name, body in lent.items() if name in used and name != writer.name]
    tables = encode_tables(stored, [writer.name, *(one.name for one in others)])
    place = {
        "offset": writer.offset,
        "size_bytes": len(tables),
        "sha256": hashlib.sha256(tables).hexdigest(),
    }
    writer.write(tables)
    ref = BodyRef(writer.name, writer.offset, writer.sha256.hexdigest())
    return Body(ref, (ref, *others), place, stored)


def _store(writer: _Writer, buffer: Buffer, lender: Lender) -> Stored:
    pieces = []
    torn = False
    for live in cut(buffer.view):
        mark = digest(live) if lender.has_previous else None
        slices = lender.find(mark, len(live)) if mark is not None else None
        if mark is not None and slices is not None:
            pieces.append(Piece(mark, slices))
            continue
        pieces.append(_write_piece(writer, live, lender))
        torn = torn or mark not in (None, pieces[-1].digest)
    if torn:
        _log.warning(
            "%s was written to by another thread while it was saved: the generation is readable, "
            "but that variable may mix two moments. Let other threads rest at sync().",
            buffer.path or "the state",
        )
    return Stored(buffer.path, buffer.kind, len(buffer.view), tuple(pieces))


def _write_piece(writer: _Writer, live: memoryview, lender: Lender) -> Piece:
    # What is digested, compressed and written is the copy: the live bytes may change at any time.
    staged = writer.stage(live)
    mark = digest(staged)
    slices = lender.find(mark, len(staged))
    if slices is not None:
        return Piece(mark, slices)
    extent = writer.add_extent(staged, mark)
    piece = Piece(mark, (Slice(extent, 0, extent.raw),))
    lender.add(piece)
    return piece


class _Writer:
    """An open body: where it is, what its sha256 is so far, and the staging memory."""

    def __init__(self, disk: Disk, name: str, descriptor: int, level: int | None) -> None:
        self.disk = disk
        self.name = name
        self.descriptor = descriptor
        self.offset = 0
        self.sha256 = hashlib.sha256()
        self._level = level
        self._staging = bytearray()

    def stage(self, live: memoryview) -> memoryview:
        """A copy of *live* that nobody else writes to, valid until the next call."""
        if len(self._staging) < len(live):
            self._staging = bytearray(PIECE_BYTES if self._staging else len(live))
        staged = memoryview(self._staging)[: len(live)]
        staged[:] = live
        return staged

    def add_extent(self, staged: memoryview, mark: bytes) -> Extent:
        """Write *staged*, compressed where that pays."""
        codec, data = _pack(staged, self._level)
        extent = Extent(self.name, self.offset, len(data), len(staged), codec, mark)
        self.write(data)
        return extent

    def write(self, data: bytes | memoryview) -> None:
        """Append *data*."""
        self.disk.write(self.descriptor, data)
        self.sha256.update(data)
        self.offset += len(data)


def _pack(raw: memoryview, level: int | None) -> tuple[int, bytes | memoryview]:
    if level == 0 or (level is None and not _is_worth_it(raw)):
        return RAW, raw
    packed = zstandard.ZstdCompressor(level=_AUTO_LEVEL if level is None else level).compress(raw)
    return (ZSTD, packed) if len(packed) < len(raw) else (RAW, raw)


def _is_worth_it(raw: memoryview) -> bool:
    # Four places, not one: an array that starts with zeros says nothing about the rest.
    part = _SAMPLE_BYTES // _SAMPLE_PARTS
    step = max(len(raw) // _SAMPLE_PARTS, part)
    sample = b"".join(raw[start : start + part] for start in range(0, len(raw), step))
    return len(zstandard.ZstdCompressor(level=_AUTO_LEVEL).compress(sample)) < _WORTH * len(sample)
