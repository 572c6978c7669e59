"""Buffers as pieces of 4 MiB, and what of them lies in earlier bodies already.

A piece is found again by its digest and length alone, wherever it was: under the same path, under
another (a renamed variable), at another place. With pieces of 4 MiB the table of all digests of
100 GiB has 25,600 rows, so asking it once costs no more than pairing buffers by path would.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import xxhash

PIECE_BYTES = 4 << 20
PART_BYTES = 64 << 10
"""What changed is found, and copied, in parts of this size."""
DIGEST_BYTES = 16
UNKNOWN = bytes(DIGEST_BYTES)
"""Digest of a piece that was never in one place as a whole: parts of it came from earlier saves."""
RAW, ZSTD = 0, 1
"""How an extent lies in its body."""


@dataclass(frozen=True, slots=True)
class Extent:
    """Consecutive raw bytes as they lie in a body."""

    body: str
    """File name of the body."""
    offset: int
    stored: int
    """Bytes in the body."""
    raw: int
    """Bytes when decompressed."""
    codec: int
    """`RAW` or `ZSTD`."""
    digest: bytes
    """xxh3-128 of the raw bytes."""


@dataclass(frozen=True, slots=True)
class Slice:
    """Part of an extent's raw bytes."""

    extent: Extent
    start: int
    length: int


@dataclass(frozen=True, slots=True)
class Piece:
    """Up to 4 MiB of a buffer, at a multiple of 4 MiB."""

    digest: bytes
    """xxh3-128 of the raw bytes, or `UNKNOWN`."""
    slices: tuple[Slice, ...]
    parts: bytes = field(default=b"", compare=False, repr=False)
    """The xxh3-128 of each 64 KiB of it, joined, where this process has seen the bytes."""


@dataclass(frozen=True, slots=True)
class Chunks:
    """How a stream was cut, and the digest of each chunk: all that the next save needs of it."""

    ends: Sequence[int]
    """The place behind the last byte of each."""
    digests: Sequence[bytes]


@dataclass(frozen=True, slots=True)
class Stored:
    """A buffer as a generation holds it."""

    path: str
    kind: str
    size_bytes: int
    pieces: tuple[Piece, ...]
    chunks: Chunks | None = field(default=None, compare=False, repr=False)
    """Of a pickle stream that this process has written."""


def digest(data: bytes | bytearray | memoryview) -> bytes:
    """The xxh3-128 of *data*: finds damage and change, not forgery."""
    return xxhash.xxh3_128_digest(data)


def cut(view: memoryview) -> Iterator[memoryview]:
    """The pieces of a buffer, in order."""
    for start in range(0, len(view), PIECE_BYTES):
        yield view[start : start + PIECE_BYTES]


def extents_of(buffers: Iterable[Stored]) -> Iterator[Extent]:
    """Every extent that *buffers* name, each as often as it is named."""
    for buffer in buffers:
        for piece in buffer.pieces:
            for part in piece.slices:
                yield part.extent


class Known:
    """Bytes that need not be written again: those of the previous generation and of this save."""

    def __init__(self, previous: Iterable[Stored], bodies: Collection[str]) -> None:
        """Know the pieces of *previous* that lie in *bodies* entirely."""
        self._slices: dict[tuple[bytes, int], tuple[Slice, ...]] = {}
        for buffer in previous:
            for piece in buffer.pieces:
                lies_here = all(part.extent.body in bodies for part in piece.slices)
                if lies_here and piece.digest != UNKNOWN:
                    self.add(piece.digest, piece.slices)

    def add(self, digest: bytes, slices: tuple[Slice, ...]) -> None:
        """Know from now on where the bytes of *slices* lie."""
        self._slices[digest, sum(part.length for part in slices)] = slices

    def find(self, digest: bytes, length: int) -> tuple[Slice, ...] | None:
        """Where the bytes with this digest lie, or None."""
        return self._slices.get((digest, length))
