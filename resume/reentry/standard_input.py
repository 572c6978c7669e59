"""How far a program has read its standard input, and there again.

Goal: the rerun of a command is given the same input again, and reads on where the program was.

What does not work for a pipe: nobody tells how much was taken out of it, and what was taken cannot
be put back. To lay the input into a file first would show, and would wait for a writer that waits
for us.

What we do: the file below `sys.stdin.buffer` counts what it gives, and remembers the end of it, so
that a place can be asked for, and taken, where the reader above had read ahead. `sys.stdin` and its
buffer stay the objects that they were. On the way back so many bytes are read and dropped. The
first and the last bytes of what was read tell another input.

What can still go wrong: what a child or `os.read(0)` has taken out of a pipe is not counted. Who
reads text first, and then the bytes below it, does not find missing what the text had read ahead.
"""

from __future__ import annotations

import contextlib
import io
import os
import stat
import sys
from binascii import crc32
from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias

from resume.errors import RestoreError, UnpicklableError

_PART_BYTES = 1 << 12
"""Of the first and of the last bytes read, so many tell whether an input is the same."""
_WINDOW_BYTES = 1 << 16
"""More than readers read ahead."""
_NEWLINE = None if sys.platform == "win32" else "\n"
"""What the interpreter makes `sys.stdin` with."""
_POSITION_BITS = 64
"""Of what `tell` of a text file gives, the lower ones are the place of a byte."""


class _File:
    """A regular file: it tells where it stands, and goes anywhere."""

    def __init__(self) -> None:
        self.begin = os.lseek(0, 0, os.SEEK_CUR)

    def place(self, stdin: Any) -> int:
        from resume.reentry.files import place_of  # noqa: PLC0415 - heavy, and for saves alone

        return place_of(stdin)

    def head_and_tail(self, count: int) -> tuple[bytes, bytes]:
        size = min(count, _PART_BYTES)
        return os.pread(0, size, self.begin), os.pread(0, size, self.begin + count - size)

    def has_ended(self, count: int) -> bool:
        return self.begin + count >= os.fstat(0).st_size

    def skip(self, _count: int) -> None:
        """Nothing is between it and its place."""

    def take(self, stdin: Any, place: int, *, ended: bool) -> None:  # noqa: ARG002
        stdin.seek(place)


class _Pipe(io.FileIO):
    """What can be read only once: counts, and knows the end of what it gave."""

    begin = 0

    def __init__(self) -> None:
        super().__init__(0, "rb", closefd=False)
        self._count = self._again = 0
        self._head, self._window = bytearray(), bytearray()
        self._is_told = self._is_dry = self._is_over = False

    # -- what its reader calls

    def readinto(self, into: Any) -> int | None:
        if self._again:
            size = min(self._again, len(into))
            start = len(self._window) - self._again
            into[:size] = self._window[start : start + size]
            self._again -= size
            return size
        if self._is_dry:
            return 0
        given = super().readinto(into)
        if given is not None and len(into):
            self._keep(into[:given])
        return given

    def read(self, size: int | None = -1) -> bytes | None:  # type: ignore[override]
        if size is None or size < 0:
            return self.readall()
        into = bytearray(size)
        given = self.readinto(into)
        return None if given is None else bytes(into[:given])

    def readall(self) -> bytes | None:  # type: ignore[override]
        again = bytes(self._window[len(self._window) - self._again :])
        self._again = 0
        data: bytes | None = super().readall()
        if data is None:  # it would block
            return again or None
        self._keep(data)
        self._is_over = True
        return again + data

    def __repr__(self) -> str:
        return "<_io.FileIO " + super().__repr__().partition(" ")[2]

    def seekable(self) -> bool:
        return self._is_told or super().seekable()

    def tell(self) -> int:
        if not self._is_told:
            raise io.UnsupportedOperation("underlying stream is not seekable")
        return self._count - self._again

    def seek(self, place: int, whence: int = 0) -> int:
        if not self._is_told or whence != 0:
            return super().seek(place, whence)
        if not 0 <= self._count - place <= len(self._window):
            raise OSError(f"{place} lies too far back in a pipe")
        self._again = self._count - place
        return place

    def _keep(self, data: Any) -> None:
        self._is_over = not data
        self._count += len(data)
        self._head += data[: max(0, _PART_BYTES - len(self._head))]
        self._window += data[-_WINDOW_BYTES:]
        if len(self._window) > 2 * _WINDOW_BYTES:
            del self._window[:-_WINDOW_BYTES]

    # -- what a save and a restore call

    @contextlib.contextmanager
    def _told(self, *, dry: bool) -> Iterator[None]:
        """Meanwhile it tells its place; *dry*: and gives nothing that it has not given before."""
        self._is_told, self._is_dry = True, dry
        try:
            yield
        finally:
            self._is_told = self._is_dry = False

    def place(self, stdin: Any) -> int:
        from resume.reentry.files import stepped_place  # noqa: PLC0415 - heavy, for saves alone

        with self._told(dry=True):
            try:
                return int(stdin.tell())
            except OSError:  # somebody steps it by `next`
                return stepped_place(stdin, lambda: bytes(self._window))

    def head_and_tail(self, count: int) -> tuple[bytes, bytes]:
        size = min(count, _PART_BYTES)
        end = len(self._window) - (self._count - count)
        return bytes(self._head[:size]), bytes(self._window[max(0, end - size) : end])

    def has_ended(self, count: int) -> bool:
        return self._is_over and count == self._count

    def skip(self, count: int) -> None:
        into = memoryview(bytearray(_WINDOW_BYTES))
        while self._count < count and self.readinto(into[: count - self._count]):
            pass

    def take(self, stdin: Any, place: int, *, ended: bool) -> None:
        self._is_over = ended
        with self._told(dry=False):
            stdin.seek(place)


_Pipe.__name__ = _Pipe.__qualname__ = "FileIO"
_Pipe.__module__ = "_io"

_Source: TypeAlias = "_File | _Pipe"
_sources: list[_Source] = []
"""What standard input is, where that can be told: one, or none."""


def begin() -> None:
    """Take note of what standard input is, before anything was read of it."""
    _sources.clear()
    stdin: Any = sys.__stdin__
    try:
        kind = os.fstat(0).st_mode
        is_usual = stdin.fileno() == 0 and type(stdin.buffer.raw) is io.FileIO
    except (AttributeError, OSError, ValueError):  # it is closed, or there is none
        return
    if stat.S_ISREG(kind):
        _sources.append(_File())
    elif is_usual and (stat.S_ISFIFO(kind) or stat.S_ISSOCK(kind)):
        _sources.append(_put_below(stdin))


def end() -> None:
    """Tell of it no more."""
    _sources.clear()


def _put_below(stdin: Any) -> _Pipe:
    pipe = _Pipe()
    pipe.name = stdin.buffer.raw.name
    how = {"encoding": stdin.encoding, "errors": stdin.errors, "newline": _NEWLINE}
    stdin.buffer.__init__(pipe, pipe._blksize)  # type: ignore[attr-defined]  # noqa: SLF001 - as `open` does
    with pipe._told(dry=True):  # noqa: SLF001 - a text file asks once whether it may tell
        stdin.__init__(stdin.buffer, **how, line_buffering=stdin.line_buffering)
    return pipe


def mark() -> dict[str, Any] | None:
    """How far it was read, as plain data; None: nothing was read, or it is a terminal.

    Raises:
        UnpicklableError: That cannot be told.
    """
    if not _sources:
        return None
    (source,) = _sources
    stdin = sys.__stdin__
    try:
        if stdin is None or stdin.closed:
            return {"closed": True}
        place = source.place(stdin)
    except Exception as why:
        raise UnpicklableError(
            f"cannot save how far standard input was read: {why}. Nothing was written, and the "
            "program runs on"
        ) from why
    flags, at = divmod(place, 1 << _POSITION_BITS)
    count = at - source.begin
    if not count and not flags:
        return None
    head, tail = source.head_and_tail(count)
    return {
        "count": count,
        "flags": flags,
        "sums": [crc32(head), crc32(tail)],
        "ended": source.has_ended(count),
    }


def go_on(known: Mapping[str, Any] | None) -> None:
    """Bring standard input to where `mark` found it.

    Raises:
        RestoreError: It is another, and was not read to its end.
    """
    if known is None:
        return
    stdin: Any = sys.__stdin__
    if "closed" in known:
        if stdin is not None:
            stdin.close()
        return
    other = _other(known)
    if not other:
        (source,) = _sources
        place = source.begin + known["count"] + (known["flags"] << _POSITION_BITS)
        source.take(stdin, place, ended=known["ended"])
        return
    if not known["ended"]:
        raise RestoreError(
            f"the program had read {known['count']} bytes of its standard input, which {other}. "
            "The saved state is whole and stays. Give it the same input again, or start anew"
        )
    _warn(
        f"⚠ standard input, which the program had read to its end, {other}: it finds there what "
        "is there now"
    )


def _warn(text: str) -> None:
    from logging import WARNING  # noqa: PLC0415 - a program that saves nothing needs none

    from resume.notices import say  # noqa: PLC0415

    say(text, level=WARNING)


def _other(known: Mapping[str, Any]) -> str:
    """How standard input differs from that of the save; empty where it does not."""
    if not _sources:
        return "is no file and no pipe now"
    (source,) = _sources
    source.skip(known["count"])
    head, tail = source.head_and_tail(known["count"])
    if len(head) < min(known["count"], _PART_BYTES) or len(tail) < len(head):
        return "is shorter now"
    if [crc32(head), crc32(tail)] != known["sums"]:
        return "is another now"
    return ""
