"""One body onto the disk under its final name: the staged blocks, the stream, the tables."""

from __future__ import annotations

import hashlib
import logging
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from resume.errors import ConfigError
from resume.store import files
from resume.store.appending import BodyWriter
from resume.store.carrying import carry
from resume.store.changes import Plan, finished
from resume.store.extents import Known, Stored
from resume.store.files import Disk
from resume.store.staging import Block
from resume.store.streams import Lent, store_stream
from resume.store.tables import encode_tables
from resume.types import BodyRef

_log = logging.getLogger(__name__)

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
    damaged: set[str] = field(default_factory=set)
    """Bodies that were found damaged by this process: nothing new leans on them."""


@dataclass(frozen=True, slots=True)
class Load:
    """What a body is made of, and who brings it."""

    stream: Sequence[bytes]
    """The pickle stream, in parts."""
    feed: Callable[[Callable[[Block], None]], Sequence[Plan]]
    """Gives every staged block to its argument, and then the plan of all buffers."""
    is_awaited: Callable[[], bool]
    """Whether the program stands still for the writer now."""


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


def write_body(target: Target, path: Path, head: bytes, load: Load, lent: Lent) -> Body:
    """Write the body *path*: *head*, and all of *load* that *lent* does not have.

    Raises:
        OSError: The disk refused; nothing is left of the body.
    """
    disk = target.disk
    scratch = files.scratch_beside(path)
    try:
        descriptor = disk.create(scratch)
        try:
            writer = BodyWriter(
                disk, path.name, descriptor, target.level, is_awaited=load.is_awaited
            )
            writer.write(head)
            stored = _store(writer, load, lent)
            stored = carry(stored, lent.bodies, target.place, writer, target.damaged)
            tables, others = _write_tables(writer, stored, lent.bodies)
            sha256 = writer.hash.finish(scratch, lambda: _sync(target, descriptor))
        finally:
            os.close(descriptor)
        disk.rename(scratch, path)
    except BaseException:
        files.discard(disk, scratch)
        raise
    ref = BodyRef(path.name, writer.offset, sha256)
    return Body(ref, (ref, *others), tables, stored)


def _store(writer: BodyWriter, load: Load, lent: Lent) -> tuple[Stored, ...]:
    known = Known(lent.buffers, lent.bodies)
    plans = load.feed(lambda block: writer.take(block, known))
    stored = [store_stream(writer, load.stream, lent, known)]
    for plan in plans:
        one, torn = finished(plan)
        stored.append(one)
        if torn:
            _log.warning(
                "%s was written to by another thread while it was saved: the generation is "
                "readable, but that variable may mix two moments. Let other threads rest at "
                "sync().",
                plan.path or "the state",
            )
    return tuple(stored)


def _write_tables(
    writer: BodyWriter, stored: tuple[Stored, ...], lent: Mapping[str, BodyRef]
) -> tuple[dict[str, Any], Sequence[BodyRef]]:
    """Where the tables of *stored* are now, and which other bodies they name."""
    used = {part.extent.body for one in stored for piece in one.pieces for part in piece.slices}
    others = [body for name, body in lent.items() if name in used and name != writer.name]
    tables = encode_tables(stored, [writer.name, *(one.name for one in others)])
    place = {
        "offset": writer.offset,
        "size_bytes": len(tables),
        "sha256": hashlib.sha256(tables).hexdigest(),
    }
    writer.write(tables)
    return place, others


def _sync(target: Target, descriptor: int) -> None:
    if target.fsync:
        target.disk.fsync(descriptor)
