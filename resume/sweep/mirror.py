"""The copy of a sweep in another folder, which survives the machine: the same bytes, a step behind.

Goal: after each line that is recorded the copy is the beginning of the log, whatever dies; a step
costs what was added; and no trouble with the copy touches the log.

How: whoever brings it forward holds the lock of the copy's own file, so any number of launches may.
The copy is compared with the log from where this process left it: nothing but what others have
added since, and the last digest, which stands for all lines before it. Then come the large results
that new lines name, at the same place as beside the log, and then the lines. A kill in between
leaves results that nobody names, or a torn last line; the next step writes over both.

Where the copy is no beginning of the log (another log has taken in what it held, or it is damaged)
a new one is made beside it and takes its place; a damaged one is set aside. What holds results that
the log lacks is never replaced: that is the copy of somebody else.

What can still go wrong: a kill between the two renames of a new copy, where both copies have large
results. Then the large ones of the old copy cannot be read until the next step; they are all here.
"""

from __future__ import annotations

import json
import os
import threading
import time
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from resume import notices
from resume.errors import IntegrityError, SchemaVersionError, StoreError, SweepError
from resume.store import files
from resume.store.files import Disk
from resume.sweep import lines, locking, record, taking
from resume.sweep.lines import TAIL, DamagedLineError
from resume.sweep.log import Log, beside, is_in_place, telling

PAUSE_S = 30.0
"""Between two tries where the copy cannot be written."""
_PIECE = 1 << 22
_FLAGS = os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0)

_open: weakref.WeakSet[Mirror] = weakref.WeakSet()


class Mirror:
    """The copy of *log* at *path*; made by the first `follow`."""

    def __init__(self, log: Log, path: Path) -> None:
        self.path = path
        self._log = log
        self._disk = Disk()
        self._guard = threading.Lock()
        self._known = 0
        """So many bytes of the copy were compared with the log, or written by this object."""
        self._file = (0, 0)
        """Which file that was."""
        self._has_manifest = False
        self._is_behind = False
        """The last try has failed."""
        self._is_given_up = False
        self._again_at = 0.0
        _open.add(self)

    def check(self, *, sets_aside: bool) -> None:
        """Look at what is there, before anything is recorded.

        Args:
            sets_aside: Rename it, where it is not the copy of this log.

        Raises:
            SweepError: It holds results that the log lacks; it is as it was.
            SchemaVersionError: A later release wrote it.
        """
        try:
            with telling(f"read {self.path}"):
                if not os.path.lexists(self.path):
                    return
                news, _ = taking.news_in(self.path, self._log.path)
                if news.rows and sets_aside:
                    moved = record.set_aside(self.path, _mark())
                    notices.say("the copy of the sweep begins anew: set aside as %s", moved[-1])
                elif news.rows:
                    raise self._of_others(news)
        except SchemaVersionError:
            raise
        except IntegrityError:
            return  # the first step sets it aside
        except StoreError as why:
            self._fail(why)

    def follow(self, *, to_the_end: bool = False) -> None:
        """Bring the copy up to the log; what keeps it from that is told once, and raises nothing.

        Args:
            to_the_end: Bring the manifest, too, and try even if that has failed a moment ago.
        """
        size = self._log.size
        if self._is_given_up or not size:
            return
        if self._is_behind and not to_the_end and time.monotonic() < self._again_at:
            return
        with self._guard:
            try:
                with telling(f"write {self.path}"):
                    self._bring(size, with_manifest=to_the_end or not self._has_manifest)
                self._has_manifest = True
            except (StoreError, SweepError) as why:
                self._fail(why)
                return
            if self._is_behind:
                self._is_behind = False
                notices.say("the copy of the sweep in %s has caught up", self.path.parent)

    def end(self) -> None:
        """Say so where the copy lacks something at the end."""
        if self._is_behind:
            notices.say(
                "⚠ the copy of the sweep in %s lacks what was recorded last; %s has everything",
                self.path.parent, self._log.path, level=notices.WARNING,
            )  # fmt: skip

    def in_child(self) -> None:
        """This is a forked child: another thread of the parent may have held the guard."""
        self._guard = threading.Lock()

    def _fail(self, why: Exception) -> None:
        self._is_given_up = isinstance(why, SweepError | SchemaVersionError)
        self._again_at = time.monotonic() + PAUSE_S
        if not self._is_behind:
            self._is_behind = True
            after = "Nothing more is copied" if self._is_given_up else "It is tried again"
            notices.warn(
                f"the copy of the sweep in {self.path.parent} stays behind: {why} {after}; the "
                f"work goes on, and {self._log.path} has everything."
            )

    def _of_others(self, news: taking.News) -> SweepError:
        return SweepError(
            f"{self.path} tells of {len({key for key, _, _ in news.rows})} items what "
            f"{self._log.path} does not know, the first is {news.rows[0][0]!r}: another program or "
            "machine has recorded that. Nothing of it was changed. Take it in with resume_from= "
            "the same folder; or give this sweep a snapshot_dir= or name= of its own; or set both "
            "aside with clean=True."
        )

    # --- one step ------------------------------------------------------------------------------

    def _bring(self, size: int, *, with_manifest: bool) -> None:
        files.ensure_place(self._disk, self.path.parent)
        while True:
            descriptor = os.open(self.path, _FLAGS, files.FILE_MODE)
            try:
                with locking.locked(descriptor, self.path, self._disk):
                    if not is_in_place(descriptor, self.path):
                        continue  # another launch has replaced it
                    self._bring_held(descriptor, size)
                    if with_manifest:
                        record.copy(self._log.path, self.path, size)
                    return
            finally:
                os.close(descriptor)

    def _bring_held(self, descriptor: int, size: int) -> None:
        end = _whole_lines(descriptor)
        if not self._agrees(descriptor, min(end, size)):
            self._replace(size)
            self._known = 0
            return
        if end < size:
            os.ftruncate(descriptor, end)  # a line that a kill has torn
            os.lseek(descriptor, end, os.SEEK_SET)
            self._write(descriptor, end, size, beside(self.path))
            if not end:
                self._disk.sync_folder(self.path.parent)
        self._known = size

    def _agrees(self, descriptor: int, end: int) -> bool:
        """Whether the copy is the beginning of the log, up to *end*."""
        found = os.fstat(descriptor)
        file = (found.st_dev, found.st_ino)
        if file != self._file or end < self._known:
            self._file, self._known = file, 0
        # the last digest again: it stands for all lines before it
        start = max(0, self._known - TAIL)
        while start < end:
            data = self._log.bytes_at(start, min(start + _PIECE, end))
            if not data or data != os.pread(descriptor, len(data), start):
                return False
            start += len(data)
        return self._has_results(self._known, end)

    def _has_results(self, start: int, end: int) -> bool:
        """Whether the copy has all bytes of the large results that these lines name."""
        needed = 0
        for at, data in self._lines(start, end):
            for offset, size, _ in self._places(at, data):
                needed = max(needed, offset + size)
        try:
            return not needed or beside(self.path).stat().st_size >= needed
        except FileNotFoundError:
            return False

    def _replace(self, size: int) -> None:
        """Make a new copy, and put it where the old one was."""
        try:
            news, _ = taking.news_in(self.path, self._log.path)
        except SchemaVersionError:
            raise
        except IntegrityError as why:
            moved = record.set_aside(self.path, _mark())
            notices.warn(f"{why} A new copy is made; the old one is set aside as {moved[-1]}.")
        else:
            if news.rows:
                raise self._of_others(news)
        log, results = (files.scratch_beside(path) for path in (self.path, beside(self.path)))
        descriptor = self._disk.create(log)
        try:
            try:
                self._write(descriptor, 0, size, results)
            finally:
                os.close(descriptor)
            # first what tells how long the old copy is: it holds for that alone
            record.path_of(self.path).unlink(missing_ok=True)
            if results.exists():
                self._disk.rename(results, beside(self.path))
            self._disk.rename(log, self.path)
        except BaseException:
            for path in (log, results):
                files.discard(self._disk, path)
            raise
        self._disk.sync_folder(self.path.parent)

    def _write(self, descriptor: int, start: int, end: int, results: Path) -> None:
        """Add what the log says from *start* to *end*, the large results first."""
        for at, data in self._lines(start, end):
            self._write_results(results, self._places(at, data))
            self._disk.write(descriptor, data)
        self._disk.fsync(descriptor)

    def _write_results(self, path: Path, places: list[list[Any]]) -> None:
        if not places:
            return
        descriptor = os.open(path, _FLAGS, files.FILE_MODE)
        try:
            for place in places:
                os.lseek(descriptor, place[0], os.SEEK_SET)
                self._disk.write(descriptor, memoryview(self._log.stored(place)))
            self._disk.fsync(descriptor)
        finally:
            os.close(descriptor)

    def _lines(self, start: int, end: int) -> Iterator[tuple[int, bytes]]:
        """The log from *start* to *end* in stretches of whole lines, each with its place."""
        while start < end:
            data = self._log.bytes_at(start, min(start + _PIECE, end))
            data = data[: data.rfind(b"\n") + 1]
            if not data:
                raise IntegrityError(f"{self._log.path} is not what it was at byte {start}.")
            yield start, data
            start += len(data)

    def _places(self, start: int, data: bytes) -> list[list[Any]]:
        """Where the large results lie that the lines in *data* name; all lines are checked."""
        head = 0 if start else data.index(b"\n") + 1
        before = self._log.bytes_at(start - TAIL, start) if start else data[head - TAIL : head]
        try:
            found = lines.read_lines(before + data[head:], start + head - TAIL)
        except DamagedLineError as why:
            raise IntegrityError(
                f"{self._log.path}: a line behind byte {start} is not what was written."
            ) from why
        places = [
            at - start for at, kind in zip(found.starts, found.kinds, strict=True) if kind == "s"
        ]
        return [json.loads(data[at : data.index(b"\n", at)])["stored"] for at in places]


def _whole_lines(descriptor: int) -> int:
    """Bytes of the whole lines of an open file."""
    end = os.fstat(descriptor).st_size
    size = 1  # nearly always it ends with a line
    while end:
        start = max(0, end - size)
        found = os.pread(descriptor, end - start, start).rfind(b"\n")
        if found >= 0:
            return start + found + 1
        end, size = start, _PIECE
    return 0


def _mark() -> str:
    return time.strftime("%Y%m%d-%H%M%S")


def _renew_all() -> None:
    for mirror in list(_open):
        mirror.in_child()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_all)
