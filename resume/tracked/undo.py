"""What files held at a save: kept when the program first changes them behind it, and put back.

Goal: a rerun finds each file as it was when the state was saved. Who adds a line to a table in each
round finds it without the lines that are added again; who writes a file over and reads it back
reads what was there.

What does not work: to look only at files that are open at the save. Most are opened, written and
closed between two saves.

What is done: before a file is first changed behind a save, what it holds is kept, and a line of a
log says so. A file that is only added to needs its size alone; one that is removed or replaced is
kept by a second link; others are copied. An epoch is the time from one capture to the next; each
generation knows the epoch that begins with it. What is put back is what was first kept of a path
since then. What killed runs have left is set aside until one ends well.

What can still go wrong: a file of more than 64 MiB that is written over in place (said at the
restore); the second name of a file that has two; what `resume/file_hooks.py` does not see; a power
cut, for nothing here waits for the medium.
"""

from __future__ import annotations

import os
import shutil
import stat
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

from resume.tracked.kept import Kept, KeptLog
from resume.tracked.tails import digest_before
from resume.tracked.undoing import Undone, put_back

MOST_COPIED = 64 << 20
"""Bytes of one file."""
MOST_KEPT = 256 << 20
"""Bytes of all copies of one epoch."""

_Way: TypeAlias = Callable[[str, os.stat_result], "Kept | None"]


class UndoLog:
    """Keeps what files held; see `Listener` for who tells it of them.

    Args:
        folder: Its own; made when something is to be kept.
        without: A folder in which nothing is kept.
    """

    def __init__(self, folder: Path, *, without: Path) -> None:
        self._log = KeptLog(folder)
        self._without = os.path.join(os.path.realpath(without), "")  # noqa: PTH118
        # a signal's handler may open a file at any time
        self._lock = threading.RLock()
        self._epoch = -1
        self._first = 0
        self._seen: dict[str, str] = {}
        self._linked: dict[str, Path] = {}
        """Kept by a second link, as it was to be removed."""
        self._copied_bytes = self._copies = 0
        self.failure: str | None = None
        """Why something could not be kept."""

    def begin_epoch(self) -> int:
        """Return the number of the time that begins now, with a capture of the program."""
        with self._lock:
            if self._epoch < 0:
                self._epoch = max((one.epoch for one in self._log), default=0)
            self._begin(self._epoch + 1)
            return self._epoch

    def forget_before(self, epoch: int) -> None:
        """Nobody will put back to an epoch before that one.

        Raises:
            OSError: The disk refused.
        """
        if epoch > self._first:
            self._log.forget(lambda kept: kept.epoch < epoch)
            self._first = epoch

    def put_back(self, epoch: int) -> Undone:
        """Make all files what they were at the beginning of *epoch*, which goes on then.

        Raises:
            OSError: The disk refused; what was kept is kept, and this can be called again.
        """
        undone = put_back(self._log, epoch)
        self._linked = {kept.path: self._log.copy(kept.file) for kept in self._log if kept.file}
        self._begin(epoch)
        return undone

    def _begin(self, epoch: int) -> None:
        self._epoch = epoch
        self._seen.clear()
        self._linked = {real: copy for real, copy in self._linked.items() if _are_one(real, copy)}
        self._copied_bytes = 0

    # -- what is told, before it is done

    def before_append(self, path: str) -> None:
        """See `Listener`."""
        self._keep(path, self._size)

    def before_change(self, path: str) -> None:
        """See `Listener`."""
        self._keep(path, self._copy)

    def before_removal(self, path: str) -> None:
        """See `Listener`."""
        self._keep(path, self._removed)

    def before_move(self, path: str) -> None:
        """See `Listener`."""
        self._keep(path, self._moved)

    def before_folder(self, path: str) -> None:
        """See `Listener`."""
        self._keep(path, self._folder)

    def _keep(self, path: str, way: _Way) -> None:
        try:
            with self._lock:
                real = self._real_path(path, way)
                self._part(real, way)
                seen = self._seen.get(real)
                if seen is None or (seen == "size" and way != self._size):
                    kept = self._what_is_there(real, way)
                    if kept is not None:
                        self._log.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
                        self._log.add(kept)
                    self._seen[real] = "" if kept is None else kept.kind
        except ValueError:  # no path: the function itself is to say so
            return
        except OSError as why:
            self.failure = f"{why.filename or path}: {why.strerror or why}"

    def _real_path(self, path: str, way: _Way) -> str:
        if way not in {self._removed, self._moved}:
            return os.path.realpath(path)
        # what is removed or moved is a link itself, not what it leads to
        folder, name = os.path.split(os.path.abspath(path))  # noqa: PTH100
        return os.path.join(os.path.realpath(folder), name)  # noqa: PTH118

    def _what_is_there(self, real: str, way: _Way) -> Kept | None:
        """None: nothing that would have to be put back."""
        if os.path.join(real, "").startswith(self._without):  # noqa: PTH118
            return None
        try:
            found = os.lstat(real)
        except (FileNotFoundError, NotADirectoryError):
            return Kept(self._epoch, real, "no folder" if way == self._folder else "absent")
        if stat.S_ISLNK(found.st_mode):
            return Kept(self._epoch, real, "link", mark=os.readlink(real))  # noqa: PTH115
        is_meant = stat.S_ISDIR if way == self._folder else stat.S_ISREG
        return way(real, found) if is_meant(found.st_mode) else None

    def _folder(self, real: str, _found: os.stat_result) -> Kept:
        return Kept(self._epoch, real, "folder")

    def _size(self, real: str, found: os.stat_result) -> Kept:
        mark = digest_before(real, found.st_size)
        return Kept(self._epoch, real, "size", found.st_size, mark)

    def _removed(self, real: str, found: os.stat_result) -> Kept:
        is_only = found.st_nlink == 1 and self._seen.get(real) is None
        kept = self._second_link(real, found) if is_only else None
        if kept is not None:
            self._linked[real] = self._log.copy(kept.file)
        return kept or self._copy(real, found)

    def _second_link(self, real: str, found: os.stat_result) -> Kept | None:
        copy = self._new_copy()
        try:
            os.link(real, copy)
        except OSError:  # another file system, or one that has no links
            return None
        time = str(found.st_mtime_ns)
        return Kept(self._epoch, real, "copy", found.st_size, time, copy.name)

    def _part(self, real: str, way: _Way) -> None:
        """Let a file that was not removed after all have a copy of its own before it changes."""
        copy = self._linked.get(real) if way != self._removed else None
        if copy is None:
            return
        del self._linked[real]
        size = copy.stat().st_size if _are_one(real, copy) else None
        if size is not None and not self._is_large(size):
            self._copied_bytes += size
            new = copy.with_suffix(".new")
            shutil.copy2(real, new)
            new.replace(copy)

    def _moved(self, real: str, found: os.stat_result) -> Kept:
        # under its other name it may change: a large one seldom does, and that would be told
        kept = self._second_link(real, found) if self._is_large(found.st_size) else None
        return kept or self._copy(real, found)

    def _is_large(self, size: int) -> bool:
        return size > min(MOST_COPIED, MOST_KEPT - self._copied_bytes)

    def _copy(self, real: str, found: os.stat_result) -> Kept:
        if self._is_large(found.st_size):
            return Kept(self._epoch, real, "large", found.st_size, str(found.st_mtime_ns))
        self._copied_bytes += found.st_size
        copy = self._new_copy()
        shutil.copy2(real, copy)
        return Kept(self._epoch, real, "copy", found.st_size, file=copy.name)

    def _new_copy(self) -> Path:
        self._log.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        while True:  # an earlier run may have been in the same epoch
            self._copies += 1
            copy = self._log.copy(f"{self._epoch}-{self._copies}")
            if not copy.exists():
                return copy


def _are_one(path: str, other: Path) -> bool:
    try:
        return os.path.samestat(os.lstat(path), os.lstat(other))
    except (FileNotFoundError, NotADirectoryError):
        return False
