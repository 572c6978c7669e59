"""Results to text and bytes, and back: JSON where that is exact, else a pickle.

A packed pickle is `RSWP`, u32 count of buffers, u64 size of the stream, u64 size of each buffer,
all little-endian; then the stream and the buffers.
"""

from __future__ import annotations

import json
import struct
from binascii import a2b_base64, b2a_base64
from dataclasses import dataclass
from math import isfinite
from typing import Any, Literal

from resume.custom import current_reducers, current_renames
from resume.errors import UnpicklableError

Form = Literal["json", "pickle"]

INLINE = 1 << 14
"""Bytes of a result that stands in its line; larger ones lie in the file beside."""
_MARK = b"RSWP"
_DEEPEST = 50
_ATOMS = frozenset({type(None), bool, int, str})


@dataclass(frozen=True, slots=True)
class Packed:
    """A result as bytes, ready for the log: it crosses processes as it is."""

    form: Form
    data: bytes

    @property
    def is_small(self) -> bool:
        """Whether it stands in its line."""
        return len(self.data) <= INLINE


def pack(result: Any) -> Packed:
    """The bytes of *result*, of which `unpack` makes an equal one of the same types.

    Raises:
        UnpicklableError: It holds what no copy can stand for.
    """
    if is_plain(result):
        return Packed("json", json.dumps(result, separators=(",", ":")).encode("ascii"))
    return Packed("pickle", _pickled(result))


def unpack(packed: Packed) -> Any:
    """The result in *packed*, whose bytes were checked, and trusted where they are a pickle.

    Raises:
        DecodeProblem: A class or its state is not what it was.
    """
    return json.loads(packed.data) if packed.form == "json" else _unpickled(packed.data)


def to_text(data: bytes) -> str:
    """Base64 of *data*."""
    return b2a_base64(data, newline=False).decode("ascii")


def from_text(text: str) -> bytes:
    """The bytes of a base64 *text*."""
    return a2b_base64(text)


def is_plain(value: Any) -> bool:
    """Whether JSON gives back exactly *value*: same types, no list that stands in two places."""
    kind = type(value)
    if kind in _ATOMS:
        return True
    if kind is float:
        return isfinite(value)
    return _is_plain(value, 0, set())


def _is_plain(value: Any, depth: int, seen: set[int]) -> bool:
    kind = type(value)
    if kind in _ATOMS:
        return True
    if kind is float:
        return isfinite(value)
    if kind not in (list, dict) or depth > _DEEPEST or id(value) in seen:
        return False
    seen.add(id(value))
    if kind is dict and not all(type(key) is str for key in value):
        return False
    parts = value.values() if kind is dict else value
    return all(_is_plain(part, depth + 1, seen) for part in parts)


def _pickled(result: Any) -> bytes:
    from resume.pickling import encode  # noqa: PLC0415 - a sweep of plain numbers needs none of it

    encoded = encode({"result": result}, reducers=current_reducers())
    try:
        for skip in encoded.skipped:
            raise UnpicklableError(
                f"cannot record the result: {skip.path} (a {skip.type}): {skip.why}.\nReturn what "
                "can be copied (numbers, arrays, text, plain objects), or give the class a "
                "__getstate__."
            )
        buffers = [buffer.view for buffer in encoded.buffers]
        sizes = [view.nbytes for view in buffers]
        stream = encoded.stream
        head = struct.pack(f"<4sIQ{len(sizes)}Q", _MARK, len(sizes), len(stream), *sizes)
        return b"".join([head, stream, *buffers])
    finally:
        encoded.forget()


def _unpickled(data: bytes) -> Any:
    from resume.pickling import decode  # noqa: PLC0415 - as above

    view = memoryview(data)
    mark, count, size = struct.unpack_from("<4sIQ", view)
    if mark != _MARK:
        raise ValueError("no packed pickle")
    sizes = struct.unpack_from(f"<{count}Q", view, 16)
    at = 16 + 8 * count
    stream = view[at : at + size]
    at += size
    buffers = []
    for length in sizes:
        buffers.append(memoryview(bytearray(view[at : at + length])))
        at += length
    return decode(bytes(stream), buffers, rename=current_renames()).values["result"]
