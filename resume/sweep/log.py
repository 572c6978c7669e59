"""One append-only log that several processes may write to, one line at a time.

Goal: a line that `append` returned for is there whatever dies; no two processes write at once; who
opens a log of a million lines waits seconds and holds no result in memory.

How: whoever appends holds the log's lock (`locking.py`), first reads what others have
appended since, cuts off a line that a crash has torn, and writes one line with one call. A torn
line can only be the last, for nobody writes behind it: what does not fit in the middle is damage.

What does not work, and what is done:
- To look without the lock: a line may just be growing. A look leaves alone what has no newline,
  and where a line does not fit it looks once more with the lock before it speaks of damage.
- fork: a child has the same open file, and with it the parent's lock. A worker that outlives its
  killed parent would keep everybody out. So the child closes it at once, and opens one if asked.
- To add many lines so that a kill leaves none or all: no write does that. So a longer log takes the
  place of this one (`taking.py`, under the lock). Who has this one open goes on in that one, which
  begins with all that was read here: the digest of the last line says so.
"""

from __future__ import annotations

import errno
import os
import secrets
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import Any, TypeAlias

from resume import notices
from resume.errors import IntegrityError, ResumeError, SchemaVersionError, StoreError
from resume.store import files, trust
from resume.store.files import Disk
from resume.sweep import lines, locking
from resume.sweep.lines import TAIL, DamagedLineError, Head, Lines

Take: TypeAlias = "Callable[[Lines], None]"

LOG_NAME = "sweep.jsonl"
"""What it is called in a folder of its own."""
BATCH_S = 1.0
"""Between two waits for the disk of a log that is written in batches."""
_PIECE = 1 << 22
"""Bytes that are read at once; lines are much shorter."""
_NEAR = 1 << 12
_CLOSED = -1
_SAFE = "What was recorded before is safe."

_open: weakref.WeakSet[Log] = weakref.WeakSet()


class Log:
    """The log at *path*; made by the first `append`.

    Args:
        path: Where it lies.
        head: What its first line is to say, where this log makes it.
        take: Called with what is new, in order, whenever something was read.
        in_batches: `append` does not wait for the disk; it does so about once a second.
        only_look: Nothing is ever made or changed: it is a log of somebody else.
        shown: What people know it as, where that is not *path*.
    """

    def __init__(
        self,
        path: Path,
        head: Head,
        take: Take,
        *,
        in_batches: bool = False,
        only_look: bool = False,
        shown: str | None = None,
    ) -> None:
        self.path = path
        self.head = head
        self._take = take
        self._in_batches = in_batches
        self._only_look = only_look
        self.shown = shown or str(path)
        self._disk = Disk()
        self._descriptor = _CLOSED
        self._beside = _CLOSED
        self._read_only = False
        self._guard = threading.RLock()
        self._last = b""
        """The tail of the last line that was read."""
        self.size = 0
        """Bytes of the whole lines that were read."""
        self.count = 0
        self._synced_at = 0.0
        self._is_synced = True
        _open.add(self)

    @property
    def exists(self) -> bool:
        """Whether the log is there, made by this object or found by it."""
        return self.count > 0

    @property
    def is_read_only(self) -> bool:
        """Whether the file was found, and may not be written to."""
        return self._read_only

    @property
    def disk(self) -> Disk:
        """Through which all is written."""
        return self._disk

    @property
    def is_synced(self) -> bool:
        """Whether all that was appended is on the disk."""
        return self._is_synced

    # --- reading -------------------------------------------------------------------------------

    def refresh(self) -> None:
        """Read what has been appended since, without keeping anybody from writing.

        Raises:
            IntegrityError: A line is not what was written; the text names it.
            SchemaVersionError: The log was written by a later release.
            StoreError: The disk refused.
        """
        with self._guard, telling(f"read {self.shown}"):
            if not self._opened(make=False):
                return
            try:
                self._read_new()
            except IntegrityError:
                if self._read_only:
                    raise
                with self._locked():
                    self._read_new()

    def line_at(self, start: int) -> dict[str, Any]:
        """What the line that begins at *start* says.

        Raises:
            IntegrityError: It is not what was written.
            StoreError: The disk refused.
        """
        return self.text_at(start)[1]

    def text_at(self, start: int) -> tuple[bytes, dict[str, Any]]:
        """The line that begins at *start* up to its digest, and what it says; errors as above."""
        with self._guard, telling(f"read {self.shown}"):
            self._opened(make=False)
            size = _NEAR
            data = os.pread(self._descriptor, size, start - TAIL)
            while (end := data.find(b"\n", TAIL)) < 0 and len(data) == size:
                size *= 4
                data = os.pread(self._descriptor, size, start - TAIL)
        line = data[TAIL : end + 1]
        try:
            return line[:-TAIL], lines.decode_line(line, data[:TAIL])
        except ValueError as why:
            raise self._damaged(f"the line at byte {start}") from why

    def bytes_at(self, start: int, end: int) -> bytes:
        """The bytes from *start* to *end*; fewer where the file ends before.

        Raises:
            StoreError: The disk refused.
        """
        with self._guard, telling(f"read {self.shown}"):
            self._opened(make=False)
            return os.pread(self._descriptor, end - start, start)

    def stored(self, place: list[Any]) -> bytearray:
        """The large result that lies at *place* (offset, bytes, digest) in the file beside.

        Raises:
            IntegrityError: It is not what was written.
            StoreError: The disk refused.
        """
        offset, size, digest = place
        path = beside(self.path)
        with self._guard, telling(f"read {path}"):
            descriptor = self._results()
            data = bytearray(size)
            view, got = memoryview(data), 0
            while got < size and (more := os.preadv(descriptor, [view[got:]], offset + got)):
                got += more
        if got < size or _digest(data) != digest:
            raise self._damaged(f"the result of {size} bytes at byte {offset}", beside=True)
        return data

    def complaint(self) -> str | None:
        """Why what it holds may not be unpickled, or None where it may."""
        with self._guard, telling(f"read {self.shown}"):
            self._opened(make=False)
            found = trust.complaint(os.fstat(self._descriptor))
            if found is None and beside(self.path).exists():
                found = trust.complaint(os.fstat(self._results()))
            return found

    # --- writing -------------------------------------------------------------------------------

    def writing(self) -> AbstractContextManager[None]:
        """Hold the log: what others appended has been read, and nobody else appends meanwhile.

        Raises:
            IntegrityError, SchemaVersionError, StoreError: As for `refresh`.
        """
        return self.held(begins=True)

    @contextmanager
    def held(self, *, begins: bool = False) -> Iterator[None]:
        """As `writing`, but no log is begun where there is none: its file is empty.

        Raises:
            IntegrityError, SchemaVersionError, StoreError: As for `refresh`.
        """
        with self._guard, telling(f"write {self.path}"):
            self._opened(make=True)
            while True:
                with self._locked():
                    if is_in_place(self._descriptor, self.path):
                        self._read_new(mend=True)
                        if begins and not self.exists:
                            self._begin()
                        yield
                        return
                    self._follow()

    def append(self, text: bytes) -> int:
        """Add one line, inside `writing`, and wait for the disk; returns where it begins.

        Args:
            text: The line up to where its digest begins, as `lines.open_end` gives it.

        Raises:
            StoreError: The disk refused. Where it refused only to wait, the line is there.
        """
        line = lines.sealed(text, lines.digest_of(self._last))
        with telling(f"write {self.path}"):
            self._write(self._descriptor, self.size, line)
            self._is_synced = False
            if not self._in_batches or time.monotonic() - self._synced_at > BATCH_S:
                self._sync()
        # Only now: what an error or a Ctrl-C left whole in the file is read as somebody else's.
        self._advance(line)
        return self.size - len(line)

    def store(self, data: bytes) -> list[Any]:
        """Put a large result into the file beside, inside `writing`; its place, for the line.

        Raises:
            StoreError: The disk refused.
        """
        with telling(f"write {beside(self.path)}"):
            descriptor = self._results()
            offset = os.fstat(descriptor).st_size  # what a crash has left there nobody names
            self._write(descriptor, offset, data)
            self._disk.fsync(descriptor)
        return [offset, len(data), _digest(data)]

    def flush(self) -> None:
        """Wait until all that was appended is on the disk.

        Raises:
            StoreError: The disk refused.
        """
        with self._guard, telling(f"write {self.path}"):
            if not self._is_synced and self._descriptor != _CLOSED:
                self._sync()

    def close(self) -> None:
        """Let go of the file; it opens again when it is asked for."""
        with self._guard:
            try:
                self.flush()
            finally:
                self.forget()

    def forget(self) -> None:
        """Close the descriptors and no more."""
        for name in ("_descriptor", "_beside"):
            descriptor = getattr(self, name)
            setattr(self, name, _CLOSED)
            if descriptor != _CLOSED:
                with suppress(OSError):
                    os.close(descriptor)

    def in_child(self) -> None:
        """This is a forked child: the lock and its descriptor are the parent's."""
        self._guard = threading.RLock()
        self.forget()

    def __del__(self) -> None:
        self.forget()

    # --- inside --------------------------------------------------------------------------------

    def _opened(self, *, make: bool) -> bool:
        """Open the file, if it is there or to be made; whether it is open now."""
        if self._descriptor != _CLOSED and not (make and self._read_only):
            return True
        self.forget()
        self._read_only = self._only_look
        flags = self._flags()
        if make:
            files.ensure_place(self._disk, self.path.parent)
            flags |= os.O_CREAT
        try:
            self._descriptor = os.open(self.path, flags, files.FILE_MODE)
        except FileNotFoundError:
            if self.exists:
                raise
            return False
        except OSError as why:
            if make or why.errno not in (errno.EACCES, errno.EPERM, errno.EROFS):
                raise
            self._read_only = True
            self._descriptor = os.open(self.path, self._flags())
        return True

    def _flags(self) -> int:
        access = os.O_RDONLY if self._read_only else os.O_RDWR | os.O_APPEND
        return access | getattr(os, "O_CLOEXEC", 0)

    def _results(self) -> int:
        if self._beside == _CLOSED:
            flags = self._flags() | (0 if self._read_only else os.O_CREAT)
            self._beside = os.open(beside(self.path), flags, files.FILE_MODE)
        return self._beside

    def _locked(self) -> AbstractContextManager[None]:
        return locking.locked(self._descriptor, self.path, self._disk)

    def _follow(self) -> None:
        """Go on in the file that took the place of the open one, if it begins with all of that.

        Raises:
            StoreError: It does not, or there is none.
        """
        last = self._last
        try:
            fresh = os.open(self.path, self._flags())
        except FileNotFoundError as why:
            raise self._taken_away() from why
        try:
            if os.pread(fresh, len(last), self.size - len(last)) != last:
                raise self._taken_away()
            # the number stays: the lock of the old file is given back by it
            os.dup2(fresh, self._descriptor, inheritable=False)
        finally:
            os.close(fresh)

    def _taken_away(self) -> StoreError:
        return StoreError(
            f"{self.path} was removed or set aside while this program was using it. Nothing more "
            "is recorded. Start the program again: it goes on with what is there then."
        )

    def _read_new(self, *, mend: bool = False) -> None:
        if not mend and not is_in_place(self._descriptor, self.path):  # else it was looked at
            self._follow()
        size = self._size_now()
        if size == self.size:
            return
        while self.size < size:
            data = os.pread(self._descriptor, min(_PIECE, size - self.size), self.size)
            end = data.rfind(b"\n") + 1
            if not end:
                if len(data) == _PIECE:
                    raise self._damaged(f"line {self.count + 1}")
                break
            self._read(data[:end])
        if mend and self.size < self._size_now():
            self._cut_off()

    def _size_now(self) -> int:
        size = os.fstat(self._descriptor).st_size
        if size < self.size:
            raise IntegrityError(
                f"{self.shown} has lost its end: {size} bytes are left of {self.size} that were "
                "read before. Nothing was changed. Put the file back from a copy, or start anew "
                "with ResumableSweep(..., clean=True)."
            )
        return size

    def _read(self, data: bytes) -> None:
        if not self.exists:
            end = data.index(b"\n") + 1
            self._read_head(data[:end])
            data = data[end:]
        try:
            found = lines.read_lines(self._last + data, self.size - TAIL)
        except DamagedLineError as why:
            raise self._damaged(f"line {self.count + why.args[0] + 1}") from why
        self.count += len(found.keys)
        self.size += len(data)
        self._last = (self._last + data)[-TAIL:]
        self._take(found)

    def _read_head(self, line: bytes) -> None:
        try:
            version, head = lines.decode_head(line)
        except (ValueError, KeyError) as why:
            raise self._damaged("line 1, its head,") from why
        if head is None:
            anew = "leave it out" if self._only_look else "start anew with clean=True"
            raise SchemaVersionError(
                f"{self.shown} is the log of a sweep in format {version}; this version of resume "
                f"reads format {lines.VERSION}. Nothing was changed. Use the release that wrote "
                f"it, or {anew}."
            )
        self.head = head
        self._advance(line)

    def _advance(self, line: bytes) -> None:
        self._last = line[-TAIL:]
        self.size += len(line)
        self.count += 1

    def _begin(self) -> None:
        line = lines.encode_head(self.head)
        self._write(self._descriptor, 0, line)
        self._advance(line)
        self._sync()
        self._disk.sync_folder(self.path.parent)

    def _cut_off(self) -> None:
        torn = self._size_now() - self.size
        os.ftruncate(self._descriptor, self.size)
        notices.warn(
            f"{self.path}: the last line ({torn} bytes) was torn by a crash, and is cut off; its "
            f"item runs again. The {max(0, self.count - 1)} lines before it are whole."
        )

    def _write(self, descriptor: int, end: int, data: bytes) -> None:
        try:
            self._disk.write(descriptor, data)
        except BaseException:
            with suppress(OSError):  # what stays of it is torn: the next writer cuts it off
                if os.fstat(descriptor).st_size != end + len(data):
                    os.ftruncate(descriptor, end)
            raise

    def _damaged(self, what: str, *, beside: bool = False) -> IntegrityError:
        where = f"{self.shown}.results" if beside else self.shown
        if self._only_look:
            return IntegrityError(
                f"{where}: {what} is not what was written. Nothing was changed, and nothing of it "
                "was taken in. Give another copy of it, or leave it out."
            )
        return IntegrityError(
            f"{where}: {what} is not what was written. Nothing was changed, and the lines before "
            "it are whole. Put the file back from a copy; or cut it off there (those items run "
            "again); or start anew with ResumableSweep(..., clean=True), which sets it aside."
        )

    def _sync(self) -> None:
        self._disk.fsync(self._descriptor)
        self._is_synced = True
        self._synced_at = time.monotonic()


def new_head(name: str, items: int) -> Head:
    """The head of a log that begins now."""
    return Head(name, secrets.token_hex(8), items, time.time())


def beside(path: Path) -> Path:
    """The file of the large results of the log at *path*."""
    return path.with_name(f"{path.name}.results")


@contextmanager
def telling(what: str) -> Iterator[None]:
    """Turn an OSError inside into a StoreError that says *what* failed."""
    try:
        yield
    except ResumeError:
        raise
    except OSError as why:
        raise StoreError(f"cannot {what}: {files.reason(why)}. {_SAFE}") from why


def _digest(data: bytes | bytearray) -> str:
    from xxhash import xxh3_128_hexdigest  # noqa: PLC0415 - only for large results

    return xxh3_128_hexdigest(data)


def is_in_place(descriptor: int, path: Path) -> bool:
    """Whether the open file is the one that is at *path* now."""
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False


def _forget_all() -> None:
    for log in list(_open):
        log.in_child()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_all)
