"""The binary tables of a generation, the last section of its body; layout.py specifies them."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
import zstandard

from resume.store.extents import PIECE_BYTES, Extent, Piece, Slice, Stored, extents_of

_Table: TypeAlias = "np.ndarray[Any, np.dtype[Any]]"

_MAGIC, _VERSION = b"RSTB", 1
_SECTION = struct.Struct("<16sQ")
_HEAD = struct.Struct("<4sII")
_MOST_SECTIONS = 64
_LEVEL = 1
_DIGEST_BYTES = 16

_NUMBERS = {
    "extent_body": "<u4",
    "extent_offset": "<u8",
    "extent_stored": "<u4",
    "extent_raw": "<u4",
    "extent_codec": "u1",
    "slice_extent": "<u4",
    "slice_start": "<u4",
    "slice_length": "<u4",
    "buffer_bytes": "<u8",
    "buffer_slices": "<u4",
}
_DIGESTS = ("extent_digest", "piece_digest")


def encode_tables(buffers: Sequence[Stored], bodies: Sequence[str]) -> bytes:
    """The tables of a generation whose manifest lists *bodies* in this order."""
    extents = list(dict.fromkeys(extents_of(buffers)))
    index_of_body = {name: index for index, name in enumerate(bodies)}
    index_of_extent = {extent: index for index, extent in enumerate(extents)}
    pieces = [piece for buffer in buffers for piece in buffer.pieces]
    slices = [part for piece in pieces for part in piece.slices]
    columns: dict[str, list[int]] = {
        "extent_body": [index_of_body[one.body] for one in extents],
        "extent_offset": [one.offset for one in extents],
        "extent_stored": [one.stored for one in extents],
        "extent_raw": [one.raw for one in extents],
        "extent_codec": [one.codec for one in extents],
        "slice_extent": [index_of_extent[one.extent] for one in slices],
        "slice_start": [one.start for one in slices],
        "slice_length": [one.length for one in slices],
        "buffer_bytes": [one.size_bytes for one in buffers],
        "buffer_slices": [sum(len(piece.slices) for piece in one.pieces) for one in buffers],
    }
    sections = {name: np.array(columns[name], kind).tobytes() for name, kind in _NUMBERS.items()}
    sections["extent_digest"] = b"".join(one.digest for one in extents)
    sections["piece_digest"] = b"".join(one.digest for one in pieces)
    sections["names"] = json.dumps([[one.path, one.kind] for one in buffers]).encode("ascii")
    return zstandard.ZstdCompressor(level=_LEVEL).compress(_join(sections))


def _join(sections: Mapping[str, bytes]) -> bytes:
    head = _HEAD.pack(_MAGIC, _VERSION, len(sections))
    index = b"".join(_SECTION.pack(name.encode(), len(data)) for name, data in sections.items())
    return head + index + b"".join(sections.values())


def decode_tables(data: bytes, bodies: Sequence[str]) -> list[Stored]:
    """The buffers that *data* describes.

    Raises:
        ValueError: *data* is no such table, or contradicts itself.
    """
    try:
        sections = _split(zstandard.ZstdDecompressor().decompress(data))
        numbers = {name: np.frombuffer(sections[name], kind) for name, kind in _NUMBERS.items()}
        names = json.loads(sections["names"])
        return _rebuild(numbers, {one: sections[one] for one in _DIGESTS}, names, bodies)
    except (zstandard.ZstdError, struct.error, KeyError, IndexError, TypeError) as why:
        raise ValueError(f"no tables ({why!r})") from why


def _split(data: bytes) -> dict[str, bytes]:
    magic, version, count = _HEAD.unpack_from(data)
    if magic != _MAGIC or version != _VERSION or count > _MOST_SECTIONS:
        raise ValueError("no tables (unknown head)")
    start = _HEAD.size + count * _SECTION.size
    sections = {}
    for row in range(count):
        name, size = _SECTION.unpack_from(data, _HEAD.size + row * _SECTION.size)
        sections[name.rstrip(b"\0").decode("ascii")] = data[start : start + size]
        start += size
    if start != len(data):
        raise ValueError("no tables (cut short)")
    return sections


def _rebuild(
    numbers: Mapping[str, _Table],
    digests: Mapping[str, bytes],
    names: list[list[str]],
    bodies: Sequence[str],
) -> list[Stored]:
    extents = _extents(numbers, digests["extent_digest"], bodies)
    columns = (numbers[f"slice_{one}"].tolist() for one in ("extent", "start", "length"))
    slices = [
        Slice(extents[row], start, length) for row, start, length in zip(*columns, strict=True)
    ]
    if any(one.start + one.length > one.extent.raw or not one.length for one in slices):
        raise ValueError("no tables (a slice leaves its extent)")
    take_slices, take_digest = _taker(slices), _digests(digests["piece_digest"])
    buffers = []
    rows = zip(names, numbers["buffer_bytes"], numbers["buffer_slices"], strict=True)
    for (path, kind), size, count in rows:
        parts = take_slices(int(count))
        pieces = [Piece(take_digest(), one) for one in _by_piece(parts, int(size))]
        buffers.append(Stored(path, kind, int(size), tuple(pieces)))
    return buffers


def _extents(numbers: Mapping[str, _Table], digests: bytes, bodies: Sequence[str]) -> list[Extent]:
    take = _digests(digests)
    columns = (
        numbers[f"extent_{one}"].tolist() for one in ("body", "offset", "stored", "raw", "codec")
    )
    return [
        Extent(bodies[body], offset, stored, raw, codec, take())
        for body, offset, stored, raw, codec in zip(*columns, strict=True)
    ]


def _taker(items: Sequence[Slice]) -> Callable[[int], Sequence[Slice]]:
    place = 0

    def take(count: int) -> Sequence[Slice]:
        nonlocal place
        place += count
        if place > len(items):
            raise ValueError("no tables (slices are missing)")
        return items[place - count : place]

    return take


def _digests(data: bytes) -> Callable[[], bytes]:
    place = 0

    def take() -> bytes:
        nonlocal place
        place += _DIGEST_BYTES
        if place > len(data):
            raise ValueError("no tables (digests are missing)")
        return data[place - _DIGEST_BYTES : place]

    return take


def _by_piece(parts: Sequence[Slice], size: int) -> list[tuple[Slice, ...]]:
    pieces: list[tuple[Slice, ...]] = []
    row = 0
    for start in range(0, size, PIECE_BYTES):
        missing = min(PIECE_BYTES, size - start)
        first = row
        while missing > 0 and row < len(parts):
            missing -= parts[row].length
            row += 1
        if missing:
            raise ValueError("no tables (slices do not fill a piece)")
        pieces.append(tuple(parts[first:row]))
    if row != len(parts):
        raise ValueError("no tables (slices are left over)")
    return pieces
