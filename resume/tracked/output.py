"""Standard output and error, where they lead to files: what came after the save is cut off.

Goal: `python train.py >> log`, killed and run again, leaves the log of one undisturbed run.

What does not work: cutting whatever standard output leads to now. Another log may be longer than
the saved place, and is not ours to cut; `> log` was emptied by the shell before the program began.

What we do: a mark keeps the file's identity, its size, and a digest of the bytes before the end.
Only the same file with the same bytes there is cut. Pipes and terminals have no mark.

What can still go wrong: who else writes to the file between the save and the kill loses what was
written after the save. A file that may not be read is told by its identity and size alone.
"""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import Any

from resume.tracked.tails import digest_before

STREAMS = (1, 2)
"""Descriptors of standard output and standard error."""


@dataclass(frozen=True, slots=True)
class OutputMark:
    """How far a file was that a standard stream led to."""

    descriptor: int
    device: int
    inode: int
    size_bytes: int
    tail: str
    """sha256 of the last bytes before the end; empty where they could not be read."""

    def to_json(self) -> dict[str, Any]:
        """The form that the manifest keeps."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> OutputMark:
        """What `to_json` gave."""
        return cls(**data)


def marks_of_output(descriptors: Iterable[int] = STREAMS) -> tuple[OutputMark, ...]:
    """Flush the standard streams, and mark the ends of the files that they lead to.

    Two streams that lead to one file have one mark.
    """
    for stream in (sys.stdout, sys.stderr):
        with suppress(AttributeError, OSError, ValueError):  # none, closed, or its reader is gone
            stream.flush()
    marks: dict[tuple[int, int], OutputMark] = {}
    for descriptor in descriptors:
        mark = _mark(descriptor)
        if mark is not None:
            marks.setdefault((mark.device, mark.inode), mark)
    return tuple(marks.values())


def _mark(descriptor: int) -> OutputMark | None:
    try:
        found = os.fstat(descriptor)
    except OSError:
        return None
    if not stat.S_ISREG(found.st_mode):
        return None
    size = found.st_size
    return OutputMark(descriptor, found.st_dev, found.st_ino, size, _tail(descriptor, size))


def cut_back(marks: Sequence[OutputMark]) -> list[str]:
    """Cut each marked file back to its mark; what is another file by now stays as it is.

    Returns:
        For each file that was not cut: a sentence that says which and why.

    Raises:
        OSError: The disk refused.
    """
    return [why for why in map(_cut, marks) if why]


def _cut(mark: OutputMark) -> str:
    name = {1: "standard output", 2: "standard error"}.get(mark.descriptor, "a file")
    try:
        found = os.fstat(mark.descriptor)
    except OSError:
        return f"{name} led to a file at the save, and is closed now"
    if (found.st_dev, found.st_ino) != (mark.device, mark.inode):
        return f"{name} led to another file at the save: what was written there stays"
    if found.st_size < mark.size_bytes:
        return f"{name} leads to a file that was emptied since the save (use >> to append to it)"
    if mark.tail and _tail(mark.descriptor, mark.size_bytes) not in {"", mark.tail}:
        return f"{name} leads to a file that was written anew since the save: it stays as it is"
    os.ftruncate(mark.descriptor, mark.size_bytes)
    os.lseek(mark.descriptor, 0, os.SEEK_END)
    return ""


def _tail(descriptor: int, size: int) -> str:
    # A shell opens what `>>` names for writing only; where the system shows open files as paths,
    # it can be opened once more.
    for path in (f"/proc/self/fd/{descriptor}", f"/dev/fd/{descriptor}"):
        with suppress(OSError):
            return digest_before(path, size)
    return ""
