"""What of the pickle stream lies in the store already, though an insertion moved all of it.

Hardly two streams have their bytes at the same places: of the 625 numbers that are the state of
`random`, each takes three to six bytes, as it happens, and everything behind them moves. So the
stream is cut where its *content* says so: a chunk ends where eight bytes hash to a mark. An
insertion changes the chunk that it is in, and behind the next cut all chunks are old ones again.

What it cannot help: a pickle refers to objects by their count, so one more object in front changes
every later reference to a shared one; and lists come in batches of a thousand, so an item inserted
changes all batches behind it.

The work of a save is one digest for each chunk while chunks follow each other as they did before.
Marks are looked for only where one does not. That is done in few, large calls, for each return from
one may wait five milliseconds for a busy main loop (`sys.getswitchinterval`).
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate

import numpy as np
from numpy.typing import NDArray

from resume.store.extents import PIECE_BYTES, Chunks, Slice, digest

LEAST_BYTES = 4 << 10
"""A chunk has at least so many bytes, the last one excepted, and twice as many on average.

Smaller ones than those of 64 KiB that an array is compared in: a dict writes a thousand of its
items as a batch, some 25 KiB, so one item less moves a border in each of them.
"""
MOST_BYTES = 64 << 10
"""And at most so many: bytes that repeat may hold no marks at all."""
_WINDOW = 8
_FIRST_LOOK = 256 << 10
_LONGEST_LOOK = 8 << 20

# Two steps. The first is cheap and sees every window: a polynomial modulo 256, for bytes are what
# a processor adds and multiplies most of at once. The second mixes the one in 256 that is left.
# Of any byte repeated, the polynomial is a multiple of 8, which the odd value sought for is not.
_FACTORS = tuple((step, np.uint8(pow(0xB5, step, 256))) for step in (1, 2, 4))
_SOUGHT = np.uint8(0x4D)
_MIXER = np.uint64(0x9E3779B97F4A7C15)
_LOW_ENOUGH = np.uint64(2**64 // 16)
"""One in 16 of the windows left is a mark: one in 4096 of all."""


@dataclass(frozen=True, slots=True)
class Kept:
    """Bytes that were in the earlier stream; `Places` of that one tells where they lie."""

    start: int
    """First byte, in the earlier stream."""
    length: int


@dataclass(frozen=True, slots=True)
class Fresh:
    """Bytes that have to be written."""

    start: int
    """First byte, in the new stream."""
    length: int


def cut_points(data: bytes | memoryview) -> list[int]:
    """The end of each chunk of *data*; the same bytes behind a cut are always cut the same."""
    marks = _Marks(data, _LONGEST_LOOK)
    ends: list[int] = []
    end = 0
    while end < len(data):
        end = marks.end_of_chunk(end)
        ends.append(end)
    return ends


def remember(data: bytes | memoryview, ends: Sequence[int]) -> Chunks:
    """What to know of *data* when the next stream comes."""
    view = memoryview(data)
    starts = [0, *ends][:-1]
    return Chunks(ends, [digest(view[a:b]) for a, b in zip(starts, ends, strict=True)])


def plan_stream(
    data: bytes | memoryview, known: Chunks | None
) -> tuple[list[Kept | Fresh], Chunks]:
    """Tell what of *data* was in the stream of which *known* is known.

    Returns:
        Runs that give *data* one behind the other, none across a multiple of 4 MiB of it, each as
        long as can be; and what to know of *data* when the next stream comes.
    """
    spans, chunks = _match(memoryview(data), known or Chunks((), ()))
    return list(_runs(spans)), chunks


@dataclass(slots=True)
class _Span:
    """Consecutive chunks of the new stream that are all new, or were consecutive before."""

    start: int
    end: int
    before: int | None
    """Place of the first byte in the earlier stream."""


def _match(view: memoryview, known: Chunks) -> tuple[list[_Span], Chunks]:
    marks = _Marks(view, _FIRST_LOOK if known.ends else _LONGEST_LOOK)
    rows: dict[bytes, int] = {}
    spans: list[_Span] = []
    ends: list[int] = []
    digests: list[bytes] = []
    start, row = 0, 0
    while start < len(view):
        end, content = _next_as_before(view, start, known, row)
        if not end:
            rows = rows or {one: number for number, one in enumerate(known.digests)}
            end = marks.end_of_chunk(start)
            content = digest(view[start:end])
            row = rows.get(content, len(known.ends))
        before = _start_of(known, row) if row < len(known.ends) else None
        _add(spans, start, end, before)
        ends.append(end)
        digests.append(content)
        start, row = end, row + 1
    return spans, Chunks(ends, digests)


def _next_as_before(view: memoryview, start: int, known: Chunks, row: int) -> tuple[int, bytes]:
    """End and digest of the chunk at *start* where it is the one numbered *row* again; else 0.

    A cut depends on nothing but the bytes in front of it back to the cut before, so that the same
    bytes end where they did. Only the last chunk ended for another reason.
    """
    if row >= len(known.ends):
        return 0, b""
    end = start + known.ends[row] - _start_of(known, row)
    if row + 1 == len(known.ends) and end < len(view):
        return 0, b""
    content = digest(view[start:end])
    return (end, content) if content == known.digests[row] else (0, b"")


def _start_of(known: Chunks, row: int) -> int:
    return known.ends[row - 1] if row else 0


def _add(spans: list[_Span], start: int, end: int, before: int | None) -> None:
    if spans and _continues(spans[-1], before):
        spans[-1].end = end
    else:
        spans.append(_Span(start, end, before))


def _continues(span: _Span, before: int | None) -> bool:
    if span.before is None or before is None:
        return span.before is before
    return span.before + span.end - span.start == before


def _runs(spans: Sequence[_Span]) -> Iterator[Kept | Fresh]:
    for span in spans:
        start = span.start
        while start < span.end:
            end = min(span.end, start - start % PIECE_BYTES + PIECE_BYTES)
            if span.before is None:
                yield Fresh(start, end - start)
            else:
                yield Kept(span.before + start - span.start, end - start)
            start = end


class Places:
    """Where the bytes of a stream lie, for any stretch of it."""

    def __init__(self, slices: Sequence[Slice]) -> None:
        """Take the *slices* of the whole stream, one behind the other."""
        self._slices = slices
        self._ends = list(accumulate(one.length for one in slices))

    def find(self, kept: Kept) -> Iterator[Slice]:
        """The slices of *kept*."""
        start, end = kept.start, kept.start + kept.length
        row = bisect_right(self._ends, start)
        while start < end:
            one = self._slices[row]
            skipped = start - (self._ends[row] - one.length)
            length = min(end, self._ends[row]) - start
            yield Slice(one.extent, one.start + skipped, length)
            start += length
            row += 1


class _Marks:
    """The places of *data* where a chunk may end, found as far as somebody asks."""

    def __init__(self, data: bytes | memoryview, look_bytes: int) -> None:
        self._data = np.frombuffer(data, np.uint8)
        self._look_bytes = look_bytes
        self._first, self._last = 0, -1
        self._places: list[int] = []
        self._scratch: list[NDArray[np.uint8]] = []

    def end_of_chunk(self, start: int) -> int:
        """Where the chunk that begins at *start* ends."""
        first, last = start + LEAST_BYTES, min(start + MOST_BYTES, len(self._data))
        if not self._first <= first <= self._last:
            self._first, self._last, self._places = first, first - 1, []
        if self._last < last:
            self._look()
        found = bisect_left(self._places, first)
        return min(last, self._places[found]) if found < len(self._places) else last

    def _look(self) -> None:
        first = self._last + 1
        self._last = min(first + self._look_bytes, len(self._data))
        # Twice as far each time: few calls where much is new, little waste where little is.
        self._look_bytes = min(2 * self._look_bytes, _LONGEST_LOOK)
        self._places += self._marks(self._data[first - _WINDOW : self._last], first)

    def _marks(self, data: NDArray[np.uint8], first: int) -> list[int]:
        """The ends of the windows of *data* that are marks, where that of the first is *first*."""
        count = len(data) - _WINDOW + 1
        hashes, spare = data, self._room(len(data))
        for step, factor in _FACTORS:
            target = spare[0]
            np.multiply(hashes, factor, out=target)
            np.add(target[:-step], hashes[step:], out=target[:-step])
            hashes, spare = target, spare[::-1]
        is_left = np.equal(hashes[:count], _SOUGHT, out=spare[0][:count].view(np.bool_))
        left = np.flatnonzero(is_left)
        windows = np.ndarray((count,), np.uint64, data, strides=(1,))
        is_mark = windows[left] * _MIXER < _LOW_ENOUGH
        places: list[int] = (left[is_mark] + first).tolist()
        return places

    def _room(self, size: int) -> list[NDArray[np.uint8]]:
        if not self._scratch or len(self._scratch[0]) < size:
            self._scratch = [np.empty(size, np.uint8) for _ in range(2)]
        return [one[:size] for one in self._scratch]
