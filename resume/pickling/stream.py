"""The head of a stream and the splice table: how large bytes stay outside without a copy.

The C pickler passes `bytes` and `bytearray` of 64 KiB and more to `write()` as themselves, between
two writes of its own. `Writer` keeps them as buffers and notes where they belong; `Reader` puts
them back, so that the unpickler sees one stream.

    magic, length of the head (8 bytes), head (a pickle of plain data only), sections
"""

from __future__ import annotations

import pickle
import struct
from collections.abc import Sequence
from typing import Any

from resume.types import Buffer

MAGIC = b"resume-graph-1\n\0"
LARGE = 64 * 1024
"""From this size on a buffer leaves the stream; also the size at which the C pickler bypasses."""


_ENOUGH = 64


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


class Reader:
    """A file of bytes in which buffers lie at their places again."""

    def __init__(self, body: memoryview, splices: Sequence[tuple[int, memoryview]]) -> None:
        self._pieces: list[memoryview] = []
        start = 0
        for place, buffer in splices:
            self._pieces += [body[start:place], buffer]
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
            part = self._take(view.nbytes - done)
            view[done : done + part.nbytes] = part
            done += part.nbytes
        return done

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
