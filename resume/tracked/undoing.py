"""Putting back what was kept of files: each step can be cut short, and all be done again."""

from __future__ import annotations

import filecmp
import os
import shutil
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from resume.tracked.kept import Kept, KeptLog
from resume.tracked.tails import digest_before
from resume.units import show_bytes

ASIDE = "aside"
"""Below the folder of the log: what killed runs have left."""


@dataclass(slots=True)
class Undone:
    """What was done to files, by their paths."""

    put_back: list[str] = field(default_factory=list)
    cut: list[str] = field(default_factory=list)
    set_aside: list[str] = field(default_factory=list)
    """There was no such file."""
    lost: list[str] = field(default_factory=list)
    """Sentences that say which file could not be put back, and why."""

    def __bool__(self) -> bool:
        return bool(self.put_back or self.cut or self.set_aside)

    def __str__(self) -> str:
        counts = {
            "put back": self.put_back,
            "cut back": self.cut,
            "made since and set aside": self.set_aside,
        }
        return ", ".join(f"{len(paths)} {what}" for what, paths in counts.items() if paths)


def put_back(log: KeptLog, epoch: int) -> Undone:
    """Make all files what they were at the beginning of *epoch*, and forget what was kept since.

    Raises:
        OSError: The disk refused; what was kept is kept.
    """
    undone = Undone()
    for kept in _plan(log, epoch):
        _undo(log, kept, undone)
    log.forget(lambda kept: kept.epoch >= epoch)
    return undone


def _plan(log: KeptLog, epoch: int) -> list[Kept]:
    """What is to be done, in this order: what was first kept of a path counts, and so acts last."""
    paths: dict[str, list[Kept]] = {}
    for kept in log:
        if kept.epoch >= epoch:
            known = paths.setdefault(kept.path, [])
            if not known or known[-1].kind == "size":  # what else became of it, came later
                known.append(kept)
    steps = [kept for known in paths.values() for kept in reversed(known)]
    steps.sort(key=lambda kept: kept.path)  # stable: a folder comes before what is in it
    return [
        *(kept for kept in steps if kept.kind != "no folder"),
        *(kept for kept in reversed(steps) if kept.kind == "no folder"),
    ]


def _undo(log: KeptLog, kept: Kept, undone: Undone) -> None:
    path = Path(kept.path)
    match kept.kind:
        case "absent" if _is_there(path):
            _set_aside(log, path)
            undone.set_aside.append(kept.path)
        case "folder":
            path.mkdir(parents=True, exist_ok=True)
        case "no folder":
            with suppress(OSError):  # something else is in it
                path.rmdir()
        case "link" if not path.is_symlink() or str(path.readlink()) != kept.mark:
            _put_link(log, kept, path)
            undone.put_back.append(kept.path)
        case "size":
            _cut(kept, path, undone)
        case "copy" | "large":
            _put_or_tell(log, kept, path, undone)


def _put_link(log: KeptLog, kept: Kept, path: Path) -> None:
    if _is_there(path):
        _set_aside(log, path)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.symlink_to(kept.mark)


def _put_or_tell(log: KeptLog, kept: Kept, path: Path, undone: Undone) -> None:
    copy = log.copy(kept.file)
    if kept.kind == "copy" and (not kept.mark or _is_untouched(kept, copy)):
        if _put(log, copy, path):
            undone.put_back.append(kept.path)
    elif not _is_untouched(kept, path):
        undone.lost.append(
            f"{kept.path} was written over behind the save, and its {show_bytes(kept.size)} were "
            "too many to be kept: who reads it finds what is there now"
        )


def _cut(kept: Kept, path: Path, undone: Undone) -> None:
    size = path.stat().st_size if path.is_file() else -1
    if size < kept.size or digest_before(path, kept.size) != kept.mark:
        undone.lost.append(
            f"{kept.path} was added to behind the save, and is another file by now: it stays as "
            "it is"
        )
    elif size > kept.size:
        os.truncate(path, kept.size)
        undone.cut.append(kept.path)


def _put(log: KeptLog, copy: Path, path: Path) -> bool:
    """Put a copy in its place; False: it is what is there."""
    if path.is_symlink():
        _set_aside(log, path)
    elif path.is_file():
        if path.samefile(copy) or filecmp.cmp(copy, path, shallow=False):
            return False
        _set_aside(log, path)
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(f".{path.name}.resume-undo")
    new.unlink(missing_ok=True)  # of one that was killed here
    try:
        _link_or_copy(copy, new)
        new.replace(path)
    finally:
        new.unlink(missing_ok=True)
    return True


def _link_or_copy(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except OSError:  # another file system, or one that has no links
        shutil.copy2(source, target)


def _is_there(path: Path) -> bool:
    """Whether a file or a link is there."""
    return path.is_symlink() or path.is_file()


def _set_aside(log: KeptLog, path: Path) -> None:
    aside = log.folder / ASIDE
    aside.mkdir(mode=0o700, exist_ok=True)
    number = sum(1 for _ in aside.iterdir())
    shutil.move(path, aside / f"{number}-{path.name}")


def _is_untouched(kept: Kept, path: Path) -> bool:
    try:
        found = path.stat()
    except FileNotFoundError:
        return False
    return (found.st_size, str(found.st_mtime_ns)) == (kept.size, kept.mark)
