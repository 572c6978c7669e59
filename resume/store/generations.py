"""What lies in a checkpoint's place: its generations, and which of them are of use.

The newest generation decides: its chain (itself and its ancestors) is live, all else is set aside.
Numbers order generations, never times. A manifest that cannot be read says nothing of its chain;
the first line of its body does, and where that is gone as well the next lower generation is taken
for its parent, unless what is known contradicts.
"""

from __future__ import annotations

import errno
import os
import stat
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from resume.errors import IntegrityError, ResumeError, SchemaVersionError, StoreError
from resume.store import files, layout, trust
from resume.types import Manifest

_OPEN = os.O_RDONLY | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
_OPEN |= getattr(os, "O_NONBLOCK", 0)  # a FIFO under a manifest's name must not make us wait

_DAMAGE = frozenset({errno.ENOENT, errno.EIO, errno.ENOTDIR, errno.EISDIR, errno.ENXIO})


class StrangerError(IntegrityError):
    """A whole manifest of another checkpoint lies under our manifest's name."""

    def __init__(self, text: str, line: str) -> None:
        super().__init__(text, line)
        self.line = line

    def __str__(self) -> str:
        return str(self.args[0])


@dataclass(frozen=True, slots=True)
class Entry:
    """One manifest file of a place, readable or not."""

    number: int
    path: Path
    manifest: Manifest | None
    """What it says; also where it is not trusted, for people to see."""
    problem: str | None
    """Why it cannot be restored from, as far as the manifest alone tells."""
    live: bool
    """Whether it is on the newest line and has not expired."""
    size_bytes: int
    """Bytes that this generation added to the disk."""
    error: ResumeError | None = None
    """The problem, as it is raised."""


@dataclass(frozen=True, slots=True)
class Listing:
    """All of a place at one moment, newest first."""

    entries: tuple[Entry, ...]
    chain: tuple[int, ...]
    """Numbers to restore from, the best first; those above the newest readable one included."""
    highest: int
    """The highest number that any file here bears."""


def scan(place: Path, name: str, *, vouched: bool, expire_s: float | None) -> Listing:
    """Look at every manifest of *place*.

    Raises:
        StoreError: The place cannot be read.
    """
    found = file_names(place)
    numbers = sorted(int(m[1]) for one in found if (m := layout.MANIFEST_NAME.fullmatch(one)))
    entries = [examine(place, number, name, vouched=vouched) for number in reversed(numbers)]
    chain = tuple(_chain(place, entries, found))
    newest = next((one.manifest for one in entries if one.number in chain[:1]), None)
    expired = is_expired(newest, expire_s)
    marked = [replace(one, live=one.number in chain and not expired) for one in entries]
    return Listing(tuple(marked), () if expired else chain, highest_number(found))


def file_names(place: Path) -> list[str]:
    """The names in *place*; none where it is not there."""
    try:
        return os.listdir(place)  # noqa: PTH208 - names are all that is asked
    except FileNotFoundError:
        return []
    except OSError as why:
        raise StoreError(f"cannot look into {place}: {files.reason(why)}") from why


def highest_number(found: Sequence[str]) -> int:
    """The highest number that one of the files bears, or 0."""
    hits = (layout.MANIFEST_NAME.fullmatch(one) or layout.BODY_NAME.fullmatch(one) for one in found)
    return max((int(hit[1]) for hit in hits if hit), default=0)


def examine(place: Path, number: int, name: str, *, vouched: bool) -> Entry:
    """Read the manifest of generation *number*, and say what is wrong with it."""
    path = place / layout.manifest_name(number)
    manifest, size, error = None, 0, None
    try:
        data, found = read_regular(path)
        size = len(data)
        manifest = layout.decode_manifest(data)
        size += manifest.body.size_bytes
        error = _objection(path, number, name, manifest, found, vouched=vouched)
    except layout.FutureManifestError as why:
        error = _from_the_future(path, why.version)
    except layout.UnreadableManifestError as why:
        error = IntegrityError(f"{path.name} is damaged: {why}")
    except ResumeError as why:
        error = why
    if isinstance(error, IntegrityError):
        manifest = None
    return Entry(number, path, manifest, _first_line(error), False, size, error)


def _objection(
    path: Path, number: int, name: str, manifest: Manifest, found: os.stat_result, *, vouched: bool
) -> ResumeError | None:
    if manifest.number != number:
        return IntegrityError(f"{path.name} is damaged: it holds generation {manifest.number}")
    if manifest.name != name:
        text = f"{path.name} belongs to the checkpoint {manifest.name!r}"
        return StrangerError(text, manifest.line)
    why = None if vouched else trust.complaint(found)
    return trust.refusal(path, why) if why and not trust.is_signed(manifest) else None


def _from_the_future(path: Path, version: int) -> SchemaVersionError:
    return SchemaVersionError(
        f"{path} has format version {version}, and this release of resume reads up to version "
        f"{layout.SCHEMA_VERSION}. Nothing was set aside or written over.\n"
        "Install the release that wrote it (or a later one), or start anew with clean=True, "
        "which keeps this one aside, or give another name=."
    )


def _first_line(error: ResumeError | None) -> str | None:
    return None if error is None else str(error).partition("\n")[0]


def read_regular(path: Path) -> tuple[bytes, os.stat_result]:
    """All bytes of *path* and the fstat of the descriptor that they came from.

    Raises:
        IntegrityError: It is gone, not a regular file, or the medium cannot read it.
        StoreError: It may not be read.
    """
    with opened(path) as descriptor:
        found = os.fstat(descriptor)
        with open(descriptor, "rb", closefd=False) as source:
            return source.read(), found


@contextmanager
def opened(path: Path) -> Iterator[int]:
    """A descriptor of the regular file *path*; what fails to be read inside is told as ours.

    Raises:
        IntegrityError: It is gone, not a regular file, or the medium cannot read it.
        StoreError: It may not be read.
    """
    try:
        descriptor = os.open(path, _OPEN)
        try:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise IntegrityError(f"{path.name} is damaged: it is no regular file")
            yield descriptor
        finally:
            os.close(descriptor)
    except ResumeError:
        raise
    except OSError as why:
        raise unreadable(path, why) from why


def unreadable(path: Path, why: OSError) -> StoreError:
    """What the disk said of *path*, as an error of ours."""
    if why.errno in _DAMAGE:
        return IntegrityError(f"{path.name} is damaged: {files.reason(why)}")
    return StoreError(f"cannot read {path}: {files.reason(why)}. It is as it was.")


def is_expired(manifest: Manifest | None, expire_s: float | None) -> bool:
    """Whether a rerun starts anew although *manifest* is there: complete, and too long ago.

    One from the future is not: a clock was wrong somewhere, and that must lose nothing.
    """
    if manifest is None or expire_s is None or not manifest.draft.complete:
        return False
    return time.time() - manifest.created_at > expire_s


def _chain(place: Path, entries: list[Entry], found: list[str]) -> Iterator[int]:
    """Numbers to restore from, the best first: the newest one, and what it stands on."""
    by_number = {one.number: one for one in entries}
    number: int | None = max(by_number, default=None)
    line: str | None = None
    while number is not None:
        entry = by_number.get(number)
        if entry is not None and entry.manifest is not None:
            if line in (None, entry.manifest.line):
                yield number
                yield from (one for one in entry.manifest.ancestors if one in by_number)
                return
            number = _next_lower(number, by_number)
            continue
        stranger = entry.error.line if entry and isinstance(entry.error, StrangerError) else None
        head = _head(place, number, found, stranger)
        if head is None or line in (None, head.line):
            if entry is not None:
                yield number
            if isinstance(entry and entry.error, SchemaVersionError):
                return
        if head is not None and line in (None, head.line):
            line, number = head.line, head.parent
        else:
            number = _next_lower(number, by_number)


def _next_lower(number: int, known: Iterable[int]) -> int | None:
    return max((one for one in known if one < number), default=None)


def _head(place: Path, number: int, found: list[str], stranger: str | None) -> layout.Head | None:
    """What the body of generation *number* says of itself, where all of its bodies agree.

    Bodies of the line *stranger* came here with another checkpoint's manifest: they do not count.
    """
    told = [read_head(place / one) for one in found if _number_of_body(one) == number]
    heads = {head for head in told if head is not None and head.line != stranger}
    return heads.pop() if len(heads) == 1 else None


def _number_of_body(file_name: str) -> int | None:
    match = layout.BODY_NAME.fullmatch(file_name)
    return int(match[1]) if match else None


def read_head(path: Path) -> layout.Head | None:
    """The first line of the body *path*, or None where it cannot be read or was damaged."""
    try:
        with opened(path) as descriptor:
            return layout.decode_head(os.read(descriptor, layout.HEAD_BYTES))
    except StoreError:
        return None


def is_orphan(path: Path) -> bool:
    """Whether the save that wrote the unnamed body *path* is dead, by its first line."""
    head = read_head(path)
    if head is None:
        return files.is_dead(0, "", path)
    return files.is_dead(head.pid, head.host, path)
