"""An open body that grows: extents are digested, compressed where that pays, hashed and written.

All of this runs beside the program, so it is put into few, large calls that let go of the
interpreter: each return from one may wait five milliseconds for a busy main loop
(`sys.getswitchinterval`).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import groupby
from typing import TypeAlias

import xxhash
import zstandard

from resume.store.extents import PART_BYTES, RAW, ZSTD, Extent, Known, Slice, digest
from resume.store.files import Disk
from resume.store.hashing import BodyHash, Part
from resume.store.staging import Block, Run

AUTO_LEVEL = 1
_WORTH_PUTTING_OFF = 1 << 20
_SLOW_BYTES_PER_S = 64 << 20
"""A disk that takes fewer may have no cache: what was written is not soon read back, and the sha256
takes little of the time."""
_SAMPLE_BYTES = 16 << 10
_SAMPLE_PARTS = 4
_WORTH = 0.85
"""A sample that shrinks to less than this part is worth the time: float noise gains 0 to 8 %."""

Span: TypeAlias = "tuple[int, int]"
"""First byte and the one behind the last."""


class BodyWriter:
    """Appends to a body: where it is, and what its sha256 is so far."""

    def __init__(
        self,
        disk: Disk,
        name: str,
        descriptor: int,
        level: int | None,
        *,
        is_awaited: Callable[[], bool] = lambda: False,
    ) -> None:
        """Append to the new file *descriptor*, which will be called *name*.

        While the writing *is_awaited* the program stands still, and the sha256 is put off.
        """
        self.disk = disk
        self.name = name
        self.descriptor = descriptor
        self.offset = 0
        self.hash = BodyHash()
        self._level = level
        self._is_awaited = is_awaited
        self._compressor = zstandard.ZstdCompressor(level=AUTO_LEVEL if level is None else level)

    def write(self, data: bytes | memoryview) -> None:
        """Append *data*."""
        self._append([data], lambda: [(len(data), digest(data))])

    def _append(
        self, pieces: Sequence[bytes | memoryview], parts: Callable[[], Sequence[Part]]
    ) -> None:
        """Append *pieces*; *parts* tells the digests of what they consist of."""
        size = sum(len(data) for data in pieces)
        is_put_off = size >= _WORTH_PUTTING_OFF and self._is_awaited()
        began = time.perf_counter()
        for data in pieces:
            self.disk.write(self.descriptor, data)
        self.offset += size
        if is_put_off and size < _SLOW_BYTES_PER_S * (time.perf_counter() - began):
            is_put_off = False
        if is_put_off or self.hash.is_behind:
            self.hash.put_off(parts())
        else:
            for data in pieces:
                self.hash.update(data)

    def take(self, block: Block, known: Known) -> None:
        """Write what *block* holds, but for what is *known* to lie in a body already."""
        for _, runs in groupby(block.runs, key=lambda run: run.owner):
            self._take_runs(block.memory, list(runs), known)

    def _take_runs(self, memory: memoryview, runs: Sequence[Run], known: Known) -> None:
        fresh: dict[tuple[bytes, int], Run] = {}
        repeated = []
        digest_runs(runs)
        for run in runs:
            key = run.digest, len(run.data)
            found = known.find(*key)
            if found is not None:
                run.slices = found
            elif key in fresh:
                repeated.append((run, fresh[key]))
            else:
                fresh[key] = run
        spans = [(run.place, run.place + len(run.data)) for run in fresh.values()]
        extents = self.add(memory, spans, [mark for mark, _ in fresh])
        for run, extent in zip(fresh.values(), extents, strict=True):
            run.slices = (Slice(extent, 0, extent.raw),)
            known.add(run.digest, run.slices)
        for run, original in repeated:
            run.slices = original.slices

    def add(
        self, memory: memoryview, spans: Sequence[Span], marks: Sequence[bytes]
    ) -> list[Extent]:
        """Write each of *spans* of *memory* as an extent; *marks* are their digests."""
        if not self._compresses(memory, spans):
            return self._add_raw(memory, spans, marks)
        extents = []
        packed = self._compress([memory[start:end] for start, end in spans])
        written: list[bytes | memoryview] = []
        offset = self.offset
        for (start, end), data, mark in zip(spans, packed, marks, strict=True):
            is_less = len(data) < end - start
            written.append(data if is_less else memory[start:end])
            size = len(written[-1])
            codec = ZSTD if is_less else RAW
            extents.append(Extent(self.name, offset, size, end - start, codec, mark))
            offset += size
        self.write(written[0] if len(written) == 1 else b"".join(written))
        return extents

    def _add_raw(
        self, memory: memoryview, spans: Sequence[Span], marks: Sequence[bytes]
    ) -> list[Extent]:
        extents = []
        offset = self.offset
        for (start, end), mark in zip(spans, marks, strict=True):
            extents.append(Extent(self.name, offset, end - start, end - start, RAW, mark))
            offset += end - start
        self._append(
            [memory[start:end] for start, end in stretches(spans)],
            lambda: [(one.stored, one.digest) for one in extents],
        )
        return extents

    def _compress(self, raws: Sequence[memoryview]) -> list[bytes]:
        if len(raws) == 1:
            return [self._compressor.compress(raws[0])]
        packed = self._compressor.multi_compress_to_buffer(list(raws))
        return [packed[row].tobytes() for row in range(len(packed))]

    def _compresses(self, memory: memoryview, spans: Sequence[Span]) -> bool:
        if not spans or self._level == 0:
            return False
        return self._level is not None or is_worth_it(memory, spans, self._compressor)


def digest_runs(runs: Iterable[Run]) -> None:
    """Take the digests of *runs*, of those where that is not done yet."""
    for run in runs:
        if not run.digest:
            run.parts, run.digest = _digests(run.data)


def _digests(data: memoryview) -> tuple[bytes, bytes]:
    """The xxh3-128 of each 64 KiB of *data*, joined, and that of the whole."""
    # Both while the bytes are near: one after the other took half as long again.
    take, whole = xxhash.xxh3_128_digest, xxhash.xxh3_128()
    marks = []
    for start in range(0, len(data), PART_BYTES):
        part = data[start : start + PART_BYTES]
        whole.update(part)
        marks.append(take(part))
    return b"".join(marks), whole.digest()


def is_worth_it(
    memory: memoryview, spans: Sequence[Span], compressor: zstandard.ZstdCompressor
) -> bool:
    """Whether a sample of *spans* of *memory* shrinks enough."""
    # Four places, not one: an array that starts with zeros says nothing about the rest.
    part = _SAMPLE_BYTES // _SAMPLE_PARTS
    total = sum(end - start for start, end in spans)
    step = max(total // _SAMPLE_PARTS, part)
    sample = b"".join(_picked(memory, spans, step, part))
    return len(compressor.compress(sample)) < _WORTH * len(sample)


def _picked(
    memory: memoryview, spans: Iterable[Span], step: int, part: int
) -> Iterator[memoryview]:
    """*part* bytes at every *step* of all spans, as if they lay one behind the other."""
    wanted = place = 0
    for start, end in spans:
        while wanted < place + end - start:
            first = start + wanted - place
            yield memory[first : min(first + part, end)]
            wanted += step
        place += end - start


def stretches(spans: Iterable[Span]) -> Iterator[Span]:
    """*spans* with those that touch made one."""
    last: Span | None = None
    for start, end in spans:
        if last is not None and last[1] == start:
            last = last[0], end
            continue
        if last is not None:
            yield last
        last = start, end
    if last is not None:
        yield last
