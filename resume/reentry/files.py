"""Open files of a program: found by name, opened again, and brought to where they stood.

Goal: the program reads and writes on as if nothing had happened. What was written behind the save
is cut off when the state comes back, so the rest is written once; what was changed in place is put
back, or told (`witnesses`).

What does not work: `tell()` of a text file that somebody steps with `next()` (csv.reader does): the
interpreter refuses. Its place is found then by looking what is left of the piece that was decoded.

What can still go wrong: a file that was removed meanwhile; text in an encoding
with a memory of its own (utf-16 without a mark, utf-7) that somebody steps; pipes and sockets,
which no one can open again.
"""

from __future__ import annotations

import codecs
import contextlib
import functools
import gc
import io
import os
import stat
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from resume.pickling.builders import bound, builder
from resume.pickling.session import Rebuild, Session, Unsavable
from resume.reentry import witnesses

SLOT = "program"
"""Under which `decode(own=...)` is given what notes the files to be cut back."""

TYPES: frozenset[type] = frozenset(
    {io.TextIOWrapper, io.BufferedReader, io.BufferedWriter, io.BufferedRandom, io.FileIO}
)
_STANDARD = ("stdin", "stdout", "stderr")
_PIECE_BYTES = 1 << 16
"""More than a text file decodes at once."""
_LONGEST_CHAR = 4
_NEWLINES = frozenset({"", "\n", "\r", "\r\n"})
_STATELESS = frozenset(
    {"utf-8", "ascii", "us-ascii", "latin-1", "iso-8859-1", "iso8859-1", "iso-8859-15", "cp1252"}
)
"""Encodings in which a place needs no more than its number of bytes."""


def reduce_file(_session: Session, file: Any) -> Any:
    """Reduce an open file to its path, mode and place.

    Raises:
        Unsavable: It cannot be opened again, or does not tell where it stands.
    """
    standard = _standard_name(file)
    if standard is not None:
        return standard_file, standard
    name = getattr(file, "name", None)
    if file.closed:
        return closed_file, (type(file).__name__,)
    if not isinstance(name, str) or not _is_regular(file):
        raise Unsavable(f"the file {name!r} belongs to this process, and cannot be opened again")
    size = seen = kept = None
    if file.writable():
        file.flush()
        size = os.fstat(file.fileno()).st_size
    raw = _raw_of(file)
    place = place_of(file)
    how = _how(file, raw)
    if file.readable() and "a" not in raw.mode:
        kept = None if size is None else witnesses.contents(raw.fileno(), size)
        if kept is None:
            seen = witnesses.witness(raw.fileno(), is_changing=size is not None)
    return opened_file, (str(Path(name).absolute()), name, how, place, size, seen, kept)


def _standard_name(file: Any) -> tuple[str, bool] | None:
    for name in _STANDARD:
        # A file that the program has put there is a file like any other.
        stream = getattr(sys, f"__{name}__")
        if file is stream:
            return name, False
        if file is getattr(stream, "buffer", stream):
            return name, True
    return None


def _is_regular(file: Any) -> bool:
    try:
        return bool(file.seekable()) and stat.S_ISREG(os.fstat(file.fileno()).st_mode)
    except (OSError, ValueError):  # no file of the system is behind it
        return False


def _raw_of(file: Any) -> io.FileIO:
    """The file of the system below *file*."""
    buffer = file.buffer if isinstance(file, io.TextIOWrapper) else file
    raw = getattr(buffer, "raw", buffer)
    if type(raw) is not io.FileIO:
        raise Unsavable(f"the file {file.name!r} is read through a {type(raw).__name__}")
    return raw


def _how(file: Any, raw: io.FileIO) -> dict[str, Any]:
    """What `open` is to be told."""
    if type(file) is not io.TextIOWrapper:
        return {"mode": raw.mode, "buffering": 0 if raw is file else -1}
    return {
        "mode": getattr(file, "mode", raw.mode).replace("b", ""),
        "buffering": 1 if file.line_buffering else -1,
        "encoding": file.encoding,
        "errors": file.errors,
        "newline": _newline_of(file),
    }


def _newline_of(file: Any) -> str | None:
    """Which `newline=` a text file was opened with. No attribute tells; it is at its place.

    It is one of the strings that the file holds: its encoding, that, what is left of the text that
    was decoded, and what to do with errors, in this order.
    """
    known = _newlines_by_looks(file)
    if len(known) > 1:  # an empty string, and a seek lets go of what was decoded
        file.seek(file.tell())
        known = _newlines_by_looks(file)
    return known[-1]


def _newlines_by_looks(file: Any) -> list[str | None]:
    """All that `newline=` may have been."""
    held = gc.get_referents(file)
    strings = [part for part in held if isinstance(part, str)][1:-1]
    if any(isinstance(part, io.IncrementalNewlineDecoder) for part in held):
        if len(strings) == 1 and not strings[0]:
            return [None, ""]
        return [""] if len(strings) > 1 else [None]
    return [strings[0]] if strings else [None]


def place_of(file: Any) -> int:
    """Where an open file stands, for its `seek`.

    Raises:
        Unsavable: It does not tell, and it cannot be found out.
    """
    try:
        return int(file.tell())
    except OSError as why:
        if type(file) is not io.TextIOWrapper:
            raise Unsavable(f"the file {file.name!r} does not tell where it is: {why}") from why
    return stepped_place(file)


def stepped_place(file: Any, dry_end: Callable[[], bytes] | None = None) -> int:
    """Where a text file stands that somebody steps by `next`; it is there again behind this.

    What is left of the piece that was decoded is read, and looked for at the end of that piece.

    Args:
        file: It.
        dry_end: Where it is a pipe that gives nothing just now: the last bytes that it gave.

    Raises:
        Unsavable: It cannot be found out; where its encoding is why, nothing was read.
    """
    if file.encoding.lower().replace("_", "-") in _STATELESS:
        left, end = _left_of(file) if dry_end is None else _left_of_pipe(file)
        if dry_end is None:
            before = os.pread(file.fileno(), min(end, _PIECE_BYTES), max(0, end - _PIECE_BYTES))
        else:
            before = dry_end()
        place = _place_before(file, before, left)
        if place is not None:
            file.seek(end - len(before) + place)
            return end - len(before) + place
    raise Unsavable(
        f"the text file {file.name!r} is stepped by next(), and does not tell where it is"
    )


def _left_of(file: Any) -> tuple[str, int]:
    """What is left of the decoded text, and where its bytes end."""
    end = file.buffer.tell()
    left = ""
    while (char := file.read(1)) and file.buffer.tell() == end:
        left += char
    return left, end


def _left_of_pipe(file: Any) -> tuple[str, int]:
    left = ""
    with contextlib.suppress(UnicodeDecodeError):  # it had given half of a character
        while char := file.read(1):
            left += char
    return left, file.buffer.tell()


def _place_before(file: Any, piece: bytes, left: str) -> int | None:
    """Where in *piece* that begins which decodes to *left*; None where it is nowhere."""
    shortest = len(left.encode(file.encoding, file.errors))
    most = shortest + left.count("\n") + _LONGEST_CHAR
    for newline in _newlines_by_looks(file):
        for size in range(shortest, min(most, len(piece)) + 1):
            if _decodes_to(left, piece[len(piece) - size :], file, newline):
                return len(piece) - size
    return None


def _decodes_to(text: str, piece: bytes, file: Any, newline: str | None) -> bool:
    decoder: Any = codecs.getincrementaldecoder(file.encoding)(file.errors)
    if newline in (None, ""):
        decoder = io.IncrementalNewlineDecoder(decoder, translate=newline is None)
    try:
        return bool(decoder.decode(piece) == text)
    except UnicodeDecodeError:  # it begins within a character
        return False


@builder
def standard_file(name: str, is_below: bool) -> Any:  # noqa: FBT001
    """The process's own stdin, stdout or stderr, or what lies below it."""
    found = getattr(sys, f"__{name}__")
    return found.buffer if is_below else found


@builder
def closed_file(kind: str) -> Any:
    """A file that is closed."""
    text = kind == "TextIOWrapper"
    made = io.FileIO(os.devnull)
    found: Any = io.TextIOWrapper(io.BufferedReader(made), "utf-8") if text else made
    found.close()
    return found


@bound
def opened_file(
    rebuild: Rebuild,
    path: str,
    name: str,
    how: Mapping[str, Any],
    place: int,
    size: int | None,
    seen: witnesses.Witness | None = None,
    kept: bytes | None = None,
) -> Any:
    """A file opened again, at its place; what was written behind the save is cut off at the end.

    Raises:
        OSError: It is not there any more, or does not hold what it held.
    """
    made: Any = open(path, opener=_keeping, **how)  # noqa: SIM115 - the program closes it
    raw = getattr(made, "buffer", made)
    getattr(raw, "raw", raw).name = name
    if kept is None:
        there = os.fstat(made.fileno()).st_size
        if size is not None and there < size:
            made.close()
            raise OSError(f"{path} has {there} bytes, and had {size} when it was saved")
        made.seek(place)
    making = rebuild.own.get(SLOT)
    if making is not None:
        making.opened.append(made)
        is_same = seen is None or witnesses.is_same(
            made.fileno(), seen, is_changing=size is not None
        )
        making.others.update([] if is_same else [path])
        making.kept.update([] if kept is None else [path])
    if making is not None and size is not None:
        making.cuts.append(functools.partial(cut_back, made, size, kept, place))
    return made


def cut_back(file: Any, size: int, kept: bytes | None, place: int) -> None:
    """Undo what was done to *file* behind the save; it stands where it stood then."""
    if kept is not None:
        witnesses.put_back(file.fileno(), kept)
        file.seek(place)
    os.ftruncate(file.fileno(), size)


def _keeping(path: str, flags: int) -> int:
    """Open as `open` would, but keep what is in the file."""
    return os.open(path, flags & ~(os.O_TRUNC | os.O_EXCL | os.O_CREAT))
