"""What two runs of one program left, and where they first differ."""

from __future__ import annotations

import difflib
import os
from codecs import getincrementaldecoder
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from typing import BinaryIO

_BLOCK = 1 << 16
_BEFORE, _LINES, _WIDTH = 2, 6, 200
"""Of a text: lines shown above the difference, lines of each side, characters of a line."""


@dataclass(frozen=True, slots=True)
class Left:
    """What a run left behind."""

    code: int
    """Its exit status; minus the signal's number where a signal ended it."""
    stdout: Path
    folder: Path
    """What the folder that it worked in then held."""


@dataclass(frozen=True, slots=True)
class Difference:
    """What is not the same."""

    names: tuple[str, ...]
    """`exit code`, `stdout`, and relative names of files: all that differ."""
    first: str
    """The first of them, in some lines."""


def difference(one: Left, other: Left, *, titles: tuple[str, str]) -> Difference | None:
    """Tell what is not the same; None where nothing is.

    Args:
        one: What is right.
        other: What is compared with it.
        titles: What the two runs are called.
    """
    names, told = [], []
    if one.code != other.code:
        names.append("exit code")
        told.append(f"exit code: {one.code} {titles[0]}, {other.code} {titles[1]}")
    mine, its = files_in(one.folder), files_in(other.folder)
    pairs: list[tuple[str, Path | None, Path | None]] = [("stdout", one.stdout, other.stdout)]
    pairs += [(name, mine.get(name), its.get(name)) for name in sorted({*mine, *its})]
    for name, left, right in pairs:
        if found := _difference(name, left, right, titles):
            names.append(name)
            told.append(found)
    return Difference(tuple(names), told[0]) if names else None


def files_in(folder: Path) -> Mapping[str, Path]:
    """All files and links below *folder*, by relative name; no compiled modules."""
    found = {}
    for base, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if name != "__pycache__"]
        links = [name for name in folders if Path(base, name).is_symlink()]
        for name in (*files, *links):
            path = Path(base, name)
            if path.is_symlink() or path.is_file():
                found[str(path.relative_to(folder))] = path
    return found


def written_in(folder: Path, given: Path) -> list[str]:
    """Names of the files that a run has made, changed or removed, which began with *given*."""
    now, before = files_in(folder), files_in(given)
    return [
        name
        for name in sorted({*now, *before})
        if _difference(name, before.get(name), now.get(name), ("", ""))
    ]


def _difference(
    name: str, one: Path | None, other: Path | None, titles: tuple[str, str]
) -> str | None:
    if one is None or other is None:
        return f"{name} is there only {titles[0] if other is None else titles[1]}"
    if one.is_symlink() or other.is_symlink():
        leads = [str(path.readlink()) if path.is_symlink() else "no link" for path in (one, other)]
        return None if leads[0] == leads[1] else f"{name}: a link to {leads[0]}, not {leads[1]}"
    with one.open("rb") as mine, other.open("rb") as its:
        place = _first_difference(mine, its)
        if place is None:
            return None
        if _is_text(mine) and _is_text(its):
            return _of_lines(name, mine, its, place, titles)
        return _of_bytes(name, mine, its, place, titles)


def _first_difference(mine: BinaryIO, its: BinaryIO) -> int | None:
    """Return the offset of the first byte that differs, or that only one of them has."""
    at = 0
    while True:
        left, right = mine.read(_BLOCK), its.read(_BLOCK)
        if left != right:
            same = (one == other for one, other in zip(left, right, strict=False))
            return at + sum(takewhile(bool, same))
        if not left:
            return None
        at += len(left)


def _is_text(file: BinaryIO) -> bool:
    file.seek(0)
    head = file.read(_BLOCK)
    try:
        getincrementaldecoder("utf-8")().decode(head)  # which may end within a character
    except UnicodeDecodeError:
        return False
    return b"\0" not in head


def _of_bytes(name: str, mine: BinaryIO, its: BinaryIO, place: int, titles: tuple[str, str]) -> str:
    said = []
    for file, title in zip((mine, its), titles, strict=True):
        size = file.seek(0, os.SEEK_END)
        file.seek(place)
        found = file.read(8).hex(" ") or "its end"
        said.append(f"{found} {title} ({size:,} bytes)")
    return f"{name}, from byte {place:,} on: {said[0]}, {said[1]}"


def _of_lines(name: str, mine: BinaryIO, its: BinaryIO, place: int, titles: tuple[str, str]) -> str:
    """Return a short unified diff of both from some lines above the difference on."""
    mine.seek(max(0, place - _BLOCK))
    above = mine.read(min(place, _BLOCK)).split(b"\n")[-1 - _BEFORE :]
    if len(above[-1]) > _WIDTH // 2:  # in the middle of a long line
        above = [above[-1][-_WIDTH // 2 :]]
    start = place - len(b"\n".join(above))
    heads = (f"{name}, {titles[0]}, from line {_line_at(mine, start)} on", f"{name}, {titles[1]}")
    old, new = _window(mine, start), _window(its, start)
    lines = list(difflib.unified_diff(old, new, *heads, lineterm="", n=_BEFORE))
    shown = [line for line in lines if not line.startswith("@@")]
    return "\n".join(shown) or _of_bytes(name, mine, its, place, titles)


def _line_at(file: BinaryIO, place: int) -> int:
    file.seek(0)
    blocks = (file.read(min(_BLOCK, place - at)) for at in range(0, place, _BLOCK))
    return 1 + sum(block.count(b"\n") for block in blocks)


def _window(file: BinaryIO, start: int) -> list[str]:
    file.seek(start)
    lines = file.read(_BLOCK).split(b"\n")
    shown = lines[: _BEFORE + _LINES] if lines[-1] else lines[:-1][: _BEFORE + _LINES]
    return [line[:_WIDTH].decode("utf-8", "replace") for line in shown]
