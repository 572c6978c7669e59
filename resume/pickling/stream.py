"""The head of a stream and the splice table: how large bytes stay outside without a copy.

The C pickler passes `bytes` and `bytearray` of 64 KiB and more to `write()` as themselves, between
two writes of its own. `Writer` keeps them as buffers and notes where they belong; `Reader` puts
them back, so that the unpickler sees one stream.

    magic, length of the head (8 bytes), head (a pickle of plain data only), sections
"""

from __future__ import annotations

import pickle
import struct
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from resume.types import Buffer, Buffers

MAGIC = b"resume-graph-1\n\0"
LARGE = 64 * 1024
"""From this size on a buffer leaves the stream; also the size at which the C pickler bypasses."""


_ENOUGH = 64
_NONE = memoryview(b"")


class Writer:
    """Collects what the pickler writes: parts in the stream, large bytes beside it."""

    def __init__(self) -> None:
        self.parts: list[bytes] = []
        self.size = 0
        """Bytes in the stream so far."""
        self.outside = 0
        """Bytes in buffers so far."""
        self.buffers: list[Buffer] = []
        self.splices: list[tuple[int, int]] = []
        """(place in the stream, index of the buffer that belongs there)."""
        self.name = ""
        """The root that is being written."""
        self.answer: bytes | None = None
        """While the pickler is only asked about its memo: what it says."""

    def write(self, data: Any) -> int:
        """Take *data* as the next bytes of the stream."""
        if self.answer is not None:
            self.answer += bytes(data[:_ENOUGH])
            return len(data)
        if type(data) is bytes and len(data) < LARGE:
            self.parts.append(data)
            self.size += len(data)
            return len(data)
        size = data.nbytes if isinstance(data, memoryview) else len(memoryview(data))
        if size >= LARGE and self._is_payload(data, size):
            self.splices.append((self.size, len(self.buffers)))
            self.add(memoryview(data).cast("B"), type(data).__name__)
            return size
        piece = data if type(data) is bytes else bytes(data)
        self.parts.append(piece)
        self.size += size
        return size

    def add(self, view: memoryview, kind: str) -> None:
        """Keep *view* as a buffer of its own."""
        self.buffers.append(Buffer(path=self.name, view=view, kind=kind))
        self.outside += view.nbytes

    def _is_payload(self, data: Any, size: int) -> bool:
        # A full frame is written as bytes too, and may be as large: it is told by its first byte.
        # A payload that starts like a frame stays in the stream, copied, which is right as well.
        return type(data) is not bytes or not (
            data.startswith((b"\x95", b"\x80\x05\x95")) and size < 2 * LARGE
        )


class Given:
    """Buffers that are all in memory, as `resume.types.Buffers`."""

    def __init__(self, buffers: Sequence[memoryview]) -> None:
        self._buffers = buffers

    def __len__(self) -> int:
        return len(self._buffers)

    def __iter__(self) -> Iterator[memoryview]:
        return iter(self._buffers)

    def __getitem__(self, index: int) -> memoryview:
        return self._buffers[index]

    def size_of(self, index: int) -> int:
        """See `Buffers.size_of`."""
        return self._buffers[index].nbytes

    def is_held(self, index: int) -> bool:
        """See `Buffers.is_held`."""
        return index < len(self)

    def read_into(self, index: int, target: memoryview) -> None:
        """See `Buffers.read_into`."""
        target[:] = self._buffers[index]

    def set_apart(self, indexes: Collection[int]) -> None:
        """See `Buffers.set_apart`: all are there anyway."""

    def fill(self, places: Mapping[int, memoryview]) -> None:
        """See `Buffers.fill`."""
        for index, place in places.items():
            self.read_into(index, place)


@dataclass(frozen=True, slots=True)
class _Splice:
    """A buffer at its place in the stream, not read yet."""

    buffers: Buffers
    index: int

    @property
    def nbytes(self) -> int:
        return self.buffers.size_of(self.index)


class Reader:
    """A file of bytes in which buffers lie at their places again."""

    def __init__(
        self, body: memoryview, splices: Sequence[tuple[int, int]], buffers: Buffers
    ) -> None:
        """Read *body*, with one of *buffers* at each of *splices*: (place, index)."""
        self._pieces: list[memoryview | _Splice] = []
        start = 0
        for place, index in splices:
            self._pieces += [body[start:place], _Splice(buffers, index)]
            start = place
        self._pieces = [p for p in [*self._pieces, body[start:]] if p.nbytes][::-1]

    def put_before(self, piece: bytes) -> None:
        """Let *piece* be read before everything else."""
        self._pieces.append(memoryview(piece))

    def read(self, size: int = -1) -> bytes:
        """The next *size* bytes; fewer at the end."""
        if self._pieces and 0 <= size <= self._pieces[-1].nbytes:
            return bytes(self._take(size))
        parts = []
        while self._pieces and size != 0:
            part = self._take(size if size >= 0 else self._pieces[-1].nbytes)
            parts.append(bytes(part))
            size -= part.nbytes if size >= 0 else 0
        return b"".join(parts)

    def readinto(self, target: Any) -> int:
        """Fill *target* with the next bytes, without a copy in between."""
        view = memoryview(target).cast("B")
        done = 0
        while self._pieces and done < view.nbytes:
            first = self._pieces[-1]
            if isinstance(first, _Splice) and first.nbytes <= view.nbytes - done:
                self._pieces.pop()
                first.buffers.read_into(first.index, view[done : done + first.nbytes])
                done += first.nbytes
                continue
            part = self._take(view.nbytes - done)
            view[done : done + part.nbytes] = part
            done += part.nbytes
        return done

    def peek(self, size: int) -> memoryview:
        """Up to *size* bytes, which are read again; none where a buffer comes next.

        The C unpickler looks 128 KiB ahead with it, instead of three reads for each frame.
        """
        piece = self._pieces[-1] if self._pieces else None
        return piece[:size] if isinstance(piece, memoryview) else _NONE

    def readline(self) -> bytes:
        """The next bytes up to a line feed: text opcodes only, none of which we write."""
        line = bytearray()
        while byte := self.read(1):
            line += byte
            if byte == b"\n":
                break
        return bytes(line)

    def _take(self, size: int) -> memoryview:
        piece = self._pieces.pop()
        if isinstance(piece, _Splice):
            piece = piece.buffers[piece.index]
        if size < piece.nbytes:
            self._pieces.append(piece[size:])
            piece = piece[:size]
        return piece


def pack(head: dict[str, Any]) -> bytes:
    """What comes before the sections: *head*, plain data."""
    packed = pickle.dumps(head, 5)
    return b"".join((MAGIC, struct.pack("<Q", len(packed)), packed))


def unpack(stream: bytes | memoryview) -> tuple[dict[str, Any], memoryview]:
    """Head and body of *stream*.

    Raises:
        ValueError: These are not the bytes of such a stream.
    """
    view = memoryview(stream).cast("B")
    start = len(MAGIC) + 8
    if bytes(view[: len(MAGIC)]) != MAGIC:
        raise ValueError("the saved state does not start as one of this format does")
    (length,) = struct.unpack("<Q", view[len(MAGIC) : start])
    head: dict[str, Any] = pickle.loads(view[start : start + length])
    return head, view[start + length :]
