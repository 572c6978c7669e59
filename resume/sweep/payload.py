"""Results to text and bytes, and back: JSON where that is exact, else a pickle.

JSON knows no tuple, no nan, no number of numpy. What it would change is told beside it, by its path
in the result; so most results can be read by people, and by programs that unpickle nothing.

A packed pickle is `RSWP`, u32 count of buffers, u64 size of the stream, u64 size of each buffer,
all little-endian; then the stream and the buffers.
"""

from __future__ import annotations

import json
import struct
from binascii import a2b_base64, b2a_base64
from collections.abc import Sequence
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
_NUMBERS = frozenset(
    {"bool", "float16", "float32", "float64"}
    | {f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)}
)
"""Of numpy: those that a number in JSON is exact for."""


@dataclass(frozen=True, slots=True)
class Packed:
    """A result as bytes, ready for the log: it crosses processes as it is."""

    form: Form
    data: bytes
    types: str = ""
    """For JSON: what it would have changed, as `[[path, type], ...]` in JSON; empty: nothing."""

    @property
    def is_small(self) -> bool:
        """Whether it stands in its line."""
        return len(self.data) <= INLINE


def pack(result: Any) -> Packed:
    """The bytes of *result*, of which `unpack` makes an equal one of the same types.

    Raises:
        UnpicklableError: It holds what no copy can stand for.
    """
    types: list[tuple[list[Any], str]] = []
    try:
        plain = _plain(result, [], types, set())
    except _NotPlainError:
        return Packed("pickle", _pickled(result))
    text = json.dumps(plain, separators=(",", ":"))
    told = json.dumps(types, separators=(",", ":")) if types else ""
    return Packed("json", text.encode("ascii"), told)


def unpack(packed: Packed) -> Any:
    """The result in *packed*, whose bytes were checked, and trusted where they are a pickle.

    Raises:
        DecodeProblem: A class or its state is not what it was.
    """
    if packed.form == "pickle":
        return _unpickled(packed.data)
    return typed(json.loads(packed.data), json.loads(packed.types) if packed.types else ())


def typed(plain: Any, types: Sequence[Any]) -> Any:
    """What JSON gave, with the *types* that it had."""
    whole = [plain]
    for path, name in types:  # what is inside comes before what it is in
        steps = [0, *path]
        holder: Any = whole
        for step in steps[:-1]:
            holder = holder[step]
        holder[steps[-1]] = _made(name, holder[steps[-1]])
    return whole[0]


def _made(name: str, value: Any) -> Any:
    if name == "tuple":
        return tuple(value)
    if name == "float":
        return float(value)
    if name not in _NUMBERS:
        raise ValueError(f"no type {name!r} in this format")
    import numpy as np  # noqa: PLC0415 - only for numbers that are its own

    return getattr(np, "bool_" if name == "bool" else name)(value)


class _NotPlainError(Exception):
    """JSON cannot say it, with what is told of its types."""


def _plain(value: Any, path: list[Any], types: list[tuple[list[Any], str]], seen: set[int]) -> Any:
    """What JSON can say of *value*; what it would change goes into *types*."""
    kind = type(value)
    if kind in _ATOMS:
        return value
    if kind is float:
        if isfinite(value):
            return value
        types.append((path, "float"))
        return repr(value)
    if kind.__module__ == "numpy" and (name := kind.__name__.rstrip("_")) in _NUMBERS:
        number = _plain(value.item(), path, types, seen)
        types.append((path, name))
        return number
    # one list in two places is to be one list again, which only a pickle knows
    if kind not in (list, dict, tuple) or len(path) > _DEEPEST or id(value) in seen:
        raise _NotPlainError
    seen.add(id(value))
    if kind is dict:
        if not all(type(key) is str for key in value):
            raise _NotPlainError
        return {key: _plain(each, [*path, key], types, seen) for key, each in value.items()}
    parts = [_plain(each, [*path, at], types, seen) for at, each in enumerate(value)]
    if kind is tuple:
        types.append((path, "tuple"))
    return parts


def to_text(data: bytes) -> str:
    """Base64 of *data*."""
    return b2a_base64(data, newline=False).decode("ascii")


def from_text(text: str) -> bytes:
    """The bytes of a base64 *text*."""
    return a2b_base64(text)


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
