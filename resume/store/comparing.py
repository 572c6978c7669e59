"""Live pieces beside what they most likely were: which are the same, and which parts of others are.

A digest of 64 KiB keeps the interpreter, so two threads take as long for many of them as one. Hence
pieces that most likely did not change are compared as a whole, by two processors, and only those
that did are looked at by parts. The likely ones are those whose digest is known. A piece that is
made of old and new slices has none: it changed at the last save, and may have changed again. Where
nothing in it did, it is given its digest.
"""

from __future__ import annotations

import struct
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import xxhash

from resume.store.copying import WORTH_SHARING, SecondThread
from resume.store.extents import DIGEST_BYTES, PART_BYTES, UNKNOWN, Piece, digest

_SAMPLE = 4
_FEW_BYTES = 8 * PART_BYTES
"""Less than this is looked at by parts at once."""
_FEW_MISSES = 8
_STRIDE = 16


@dataclass(slots=True, eq=False)
class Look:
    """A live piece, and what it most likely was."""

    live: memoryview
    before: Piece | None
    is_same: bool = False
    """Whether the digest of the whole is what it was; off also where it was not asked for."""
    sample: Sequence[tuple[int, bytes]] = ()
    """Parts that changed, and what their digests are: row and digest."""

    @property
    def is_other(self) -> bool:
        """Whether all parts of the sample changed: then no more digests are worth their time.

        A training step changes everything; the price of guessing wrong is bytes, never a wrong
        state.
        """
        return len(self.sample) == _SAMPLE


def compare(looks: Sequence[Look], second: SecondThread) -> None:
    """Find of each of *looks* whether it is the same, or another one, where that costs little."""
    comparison = _Comparison(looks)
    try:
        if comparison.size_bytes >= WORTH_SHARING:
            second.begin(comparison.run)
        comparison.run()
        second.wait()
    finally:
        comparison.stop()


class _Comparison:
    """What is left to be compared, by all threads that `run` it."""

    def __init__(self, looks: Sequence[Look]) -> None:
        some = [look for look in looks if _is_worth_it(look)]
        self.size_bytes = sum([len(look.live) for look in some])
        # Not in their order: the first ones shall be like all.
        self._waiting = deque([one for first in range(_STRIDE) for one in some[first::_STRIDE]])
        self._found = 0
        self._missed = 0

    def run(self) -> None:
        """Compare until nothing is left."""
        while self._waiting:
            try:
                look = self._waiting.popleft()
            except IndexError:  # the other thread took the last one
                return
            assert look.before is not None
            look.sample = changed_sample(look.live, look.before.parts)
            if not look.sample and self._pays() and _may_be_same(look.live, look.before):
                look.is_same = digest(look.live) == look.before.digest
                self._found += look.is_same
                self._missed += not look.is_same

    def stop(self) -> None:
        """Leave undone what is left."""
        self._waiting.clear()

    def _pays(self) -> bool:
        # Whoever changed is looked at a second time, by parts.
        return self._missed <= max(_FEW_MISSES, self._found)


def _is_worth_it(look: Look) -> bool:
    return look.before is not None and (len(look.live) >= _FEW_BYTES or not look.before.parts)


def _may_be_same(live: memoryview, piece: Piece) -> bool:
    return piece.digest != UNKNOWN and length_of(piece) == len(live)


def changed_sample(live: memoryview, parts: bytes) -> list[tuple[int, bytes]]:
    """Up to four parts of *live* that changed: row and digest; none behind the first that did not.

    Nothing where that is no saving: of a small piece, or where its *parts* are not known.
    """
    count = min(len(live), len(parts) // DIGEST_BYTES * PART_BYTES) // PART_BYTES
    sample: list[tuple[int, bytes]] = []
    if count * PART_BYTES < _FEW_BYTES:
        return sample
    for row in (0, count // 3, 2 * count // 3, count - 1):
        mark = digest(live[row * PART_BYTES : (row + 1) * PART_BYTES])
        if mark == _mark(parts, row):
            break
        sample.append((row, mark))
    return sample


def changed_runs(
    live: memoryview, marks: Sequence[bytes], piece: Piece
) -> Iterator[tuple[int, int]]:
    """First byte and the one behind the last of what is new in *live*, neighbours joined.

    Args:
        live: The piece as it is.
        marks: The digests of its parts.
        piece: What it was.
    """
    old_length = length_of(piece)
    old = struct.unpack(f"{DIGEST_BYTES}s" * (len(piece.parts) // DIGEST_BYTES), piece.parts)
    # a part that the end cuts is no part of a longer piece
    both = len(marks) if old_length == len(live) else min(old_length, len(live)) // PART_BYTES
    rows = [
        row for row, (one, other) in enumerate(zip(marks[:both], old, strict=False)) if one != other
    ]
    for begin, end in _stretches([*rows, *range(both, len(marks))]):
        yield begin * PART_BYTES, min(end * PART_BYTES, len(live))


def _stretches(rows: Iterable[int]) -> Iterator[tuple[int, int]]:
    begin = end = -1
    for row in rows:
        if row != end:
            if begin < end:
                yield begin, end
            begin = row
        end = row + 1
    if begin < end:
        yield begin, end


def with_digest(piece: Piece, live: memoryview) -> Piece:
    """*piece* with the digest of the whole, where *live* is what it holds; else as it was.

    The digest is that of a copy each part of which is as it is on record: who writes to *live*
    meanwhile cannot put another one on record.
    """
    copy = memoryview(bytearray(PART_BYTES))
    whole = xxhash.xxh3_128()
    for row, start in enumerate(range(0, len(live), PART_BYTES)):
        part = copy[: len(live) - start]
        part[:] = live[start : start + PART_BYTES]
        if digest(part) != _mark(piece.parts, row):
            return piece
        whole.update(part)
    return replace(piece, digest=whole.digest())


def _mark(parts: bytes, row: int) -> bytes:
    return parts[row * DIGEST_BYTES : (row + 1) * DIGEST_BYTES]


def length_of(piece: Piece) -> int:
    """Bytes of *piece*."""
    return sum([part.length for part in piece.slices])
