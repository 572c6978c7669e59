r"""The log of a sweep, version 1. This text is the specification.

A log is ASCII: JSON objects, one a line, only ever appended to. Each line ends in its digest::

    {"sweep":1,"name":"grid","line":"5d..","items":500,"created_at":..,"digest":"<16 hex>"}\n
    {"key":"lr=0.1","result":0.93,"at":1732300000.1,"seconds":1.5,"digest":"<16 hex>"}\n

`digest` is the xxh3-64 of the bytes that begin with the hex digits of the digest before (for the
first line: with the line) and end where its own begin. So it covers the line and the one before: a
line that was changed, taken out or moved is found, and each can be checked by itself.

The first line is the head. All others begin with `{"key":"`, the item's key, and one of

==========  ====================================================================================
result      the result, where JSON can say it; behind it `types`, if that changed something:
            `[[path, type], ...]`, type being `tuple`, `float` (nan, inf) or one of numpy's
pickle      a small result that is none: base64 of a packed pickle (`payload.py`)
stored      a large one of either kind: `[offset, bytes, xxh3-128]` in the file `<log>.results`;
            `form` says `json` (`types` as above) or `pickle`
error       the item failed: `{"type":.., "text":.., "traceback":..}`
killed      the item killed the process that worked on it, for the so-many-th time
retry       what was said of the item before does not count any more
==========  ====================================================================================

and then `at` (seconds since the epoch) and `seconds` (that it took; null: unknown). Of several
lines with one key the last counts. What follows the last newline is a line that a crash has torn:
the next writer cuts it off. Readers of version 1 know a log of a later version by `sweep` in its
head.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from json.decoder import scanstring  # type: ignore[attr-defined]
from typing import Any

from xxhash import xxh3_64_hexdigest

from resume.types import JSON

VERSION = 1
HEX = 16
"""Digits of a digest."""
TAIL = HEX + 3
"""A line ends in its digest and `"}` and a newline."""
_END = b'"}\n'
_DIGEST = ',"digest":"'


@dataclass(frozen=True, slots=True)
class Head:
    """What the first line says."""

    name: str
    line: str
    """Random id of this log."""
    items: int
    """Items of the sweep that began it."""
    created_at: float


@dataclass(slots=True)
class Lines:
    """What a stretch of whole lines says: one entry for each line in each list."""

    keys: list[str] = field(default_factory=list)
    kinds: list[str] = field(default_factory=list)
    """First letter of what is said of the key: r, p, s, e, k; `t` for retry."""
    starts: list[int] = field(default_factory=list)
    """Where the line begins in the log."""


class DamagedLineError(ValueError):
    """A line is not what was written; args are (its place among the lines given, from 0)."""


def encode_line(fields: dict[str, JSON], before: str) -> bytes:
    """The line that says *fields*, behind one whose digest is *before* (empty: the first)."""
    text = json.dumps(fields, separators=(",", ":"))[:-1] + _DIGEST
    return sealed(text.encode("ascii"), before)


def sealed(text: bytes, before: str) -> bytes:
    """The whole line of *text*, which ends where the digest begins."""
    covered = b'%s"}\n%s' % (before.encode(), text) if before else text
    return b'%s%s"}\n' % (text, xxh3_64_hexdigest(covered).encode())


def open_end(text: str) -> bytes:
    """A JSON object's *text* as `sealed` takes it."""
    return (text[:-1] + _DIGEST).encode("ascii")


def digest_of(line: bytes) -> str:
    """The digest that a whole line carries."""
    return line[-TAIL : HEX - TAIL].decode("ascii")


def read_lines(data: bytes, offset: int) -> Lines:
    """What the lines in *data* say, each of them checked.

    Args:
        data: The last `TAIL` bytes of the line before, then whole lines.
        offset: Where *data* begins in the log.

    Raises:
        DamagedLineError: A line is not what was written.
    """
    found = Lines()
    keys, kinds, starts = found.keys.append, found.kinds.append, found.starts.append
    text = data.decode("ascii", "replace")  # of what is no ASCII the digest is wrong
    view, find, digest = memoryview(data), text.find, xxh3_64_hexdigest
    covered, begin, size = 0, TAIL, len(text)
    while begin < size:
        own = find("\n", begin) - (TAIL - 1)
        if digest(view[covered:own]) != text[own : own + HEX]:
            raise DamagedLineError(len(found.keys))
        end = find('"', begin + 8)
        key = text[begin + 8 : end]
        if "\\" in key:
            key, end = scanstring(text, begin + 8)
            end -= 1
        keys(key)
        kinds(text[end + 3] if text[end + 5] != "t" else "t")
        starts(offset + begin)
        covered, begin = own, own + TAIL
    if not data.endswith(_END):  # the next line covers what stands behind the digest of one
        raise DamagedLineError(max(0, len(found.keys) - 1))
    return found


def decode_line(line: bytes, before: bytes) -> dict[str, Any]:
    """What one line says; *before* are the last `TAIL` bytes of the one before.

    Raises:
        DamagedLineError: It is not what was written.
    """
    if xxh3_64_hexdigest(before + line[:-TAIL]) != line[-TAIL : HEX - TAIL].decode("ascii", "?"):
        raise DamagedLineError(0)
    found: dict[str, Any] = json.loads(line)
    return found


def encode_head(head: Head) -> bytes:
    """The first line of a log."""
    fields: dict[str, JSON] = {
        "sweep": VERSION,
        "name": head.name,
        "line": head.line,
        "items": head.items,
        "created_at": head.created_at,
    }
    return encode_line(fields, "")


def decode_head(line: bytes) -> tuple[int, Head | None]:
    """The version of the log that *line* begins, and its head where this release reads that.

    Raises:
        DamagedLineError: It is no whole head.
    """
    if xxh3_64_hexdigest(line[:-TAIL]).encode() != line[-TAIL : HEX - TAIL]:
        raise DamagedLineError(0)
    found = json.loads(line)
    version = found.get("sweep") if isinstance(found, dict) else None
    if not isinstance(version, int):
        raise DamagedLineError(0)
    if version != VERSION:
        return version, None
    return version, Head(found["name"], found["line"], found["items"], found["created_at"])
