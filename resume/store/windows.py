"""Many extents of one body, verified, in few, large calls."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import cast

import numpy as np
import zstandard

from resume.errors import IntegrityError
from resume.store import trust
from resume.store.extents import ZSTD, Extent, digest
from resume.store.generations import opened
from resume.store.sources import Source, empty
from resume.types import BodyRef

_WINDOW_BYTES = 4 << 20
_GAP_BYTES = 256 << 10
"""Reading on over so many bytes that nobody wants is cheaper than one more call."""


class Room:
    """Memory that is used again: fresh pages cost ten times a warm copy."""

    def __init__(self) -> None:
        self._memory = empty(0)

    def take(self, size: int) -> memoryview:
        """So many bytes; what was taken before is no more."""
        if len(self._memory) < size:
            self._memory = empty(size)
        return self._memory[:size]


def read_extents(
    path: Path, body: BodyRef, extents: Iterable[Extent], room: Room
) -> Iterator[tuple[Extent, memoryview, memoryview]]:
    """Each of *extents* of the body *path*, as it lies there and its raw bytes.

    They come in the order of their places, and are good until the next one is asked for.

    Raises:
        IntegrityError: The body or one of them is damaged, or came from somebody else meanwhile.
        StoreError: The body may not be read.
    """
    with opened(path) as descriptor:
        _require_ours(os.fstat(descriptor), body)
        source = Source(path, descriptor)
        for window in windows(extents):
            first, last = window[0].offset, window[-1].offset + window[-1].stored
            memory = room.take(last - first)
            source.read_into(memory, first)
            stored = [memory[one.offset - first :][: one.stored] for one in window]
            yield from zip(window, stored, _unpacked(window, stored), strict=True)


def _require_ours(found: os.stat_result, body: BodyRef) -> None:
    # What is read here is written again as ours.
    why = trust.complaint(found)
    if why is not None:
        raise IntegrityError(f"{body.name} was replaced: {why}")
    if found.st_size != body.size_bytes:
        raise IntegrityError(
            f"{body.name} is damaged: it has {found.st_size} bytes instead of {body.size_bytes}"
        )


def windows(extents: Iterable[Extent]) -> Iterator[list[Extent]]:
    """*extents* of one body by their place, in stretches that are read and unpacked at once.

    There must be one at least.
    """
    window: list[Extent] = []
    raw = 0
    for extent in sorted(extents, key=lambda one: one.offset):
        raw += extent.raw
        if window:
            gap = extent.offset - window[-1].offset - window[-1].stored
            size = extent.offset + extent.stored - window[0].offset
            if gap > _GAP_BYTES or max(size, raw) > _WINDOW_BYTES:
                yield window
                window, raw = [], extent.raw
        window.append(extent)
    yield window


def _unpacked(extents: Sequence[Extent], stored: Sequence[memoryview]) -> list[memoryview]:
    """The raw bytes of *extents*, which lie *stored* like this, verified."""
    raws = list(stored)
    packed = [row for row, extent in enumerate(extents) if extent.codec == ZSTD]
    if packed:
        unpacked = _unpack([stored[row] for row in packed], [extents[row].raw for row in packed])
        for row, raw in zip(packed, unpacked, strict=True):
            raws[row] = raw
    for extent, raw in zip(extents, raws, strict=True):
        if digest(raw) != extent.digest:
            end = extent.offset + extent.stored
            raise IntegrityError(
                f"{extent.body} is damaged: bytes {extent.offset} to {end} are not those written "
                "(xxh3)"
            )
    return raws


def _unpack(packed: Sequence[memoryview], sizes: Sequence[int]) -> list[memoryview]:
    # A damaged frame may claim any size: these are what it gets.
    given = np.array(sizes, np.uint64).tobytes()
    unpack = zstandard.ZstdDecompressor().multi_decompress_to_buffer
    frames: list[bytes | bytearray | memoryview] = [*packed]
    try:
        found = unpack(frames, decompressed_sizes=given)
    except zstandard.ZstdError as why:
        raise IntegrityError(f"compressed bytes are damaged: {why}") from why
    return [memoryview(cast("bytes", found[row])) for row in range(len(found))]
