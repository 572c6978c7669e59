"""The sha256 of a body: taken as it is written, or made up by reading it back.

sha256 is the slowest of all that a writer does: three times as slow as writing into the system's
cache. Where the program stands still for the writer it is put off, until all is written; then the
body is read back, out of that cache, beside the fsync that waits for the disk.

What can go wrong: a byte that changes between the two would be recorded as right. So what is read
is held against the digests of what was written.
"""

from __future__ import annotations

import errno
import hashlib
import threading
from collections.abc import Callable, Iterable
from io import FileIO
from pathlib import Path
from typing import TypeAlias

import xxhash

from resume.store.threads import started

Part: TypeAlias = "tuple[int, bytes]"
"""Bytes that follow each other in a body: how many, and their xxh3-128."""

_BATCH_BYTES = 16 << 20
"""Few, large calls: each return from one may wait for a busy main loop."""
_STEP_BYTES = 64 << 10
"""The digest of so few is taken without letting go of the interpreter."""


class BodyHash:
    """The sha256 of all that was given to `update` and `put_off`, in that order."""

    def __init__(self) -> None:
        self._sha256 = hashlib.sha256()
        self._begin = 0
        """Of what is to be read back."""
        self._parts: list[Part] = []
        """What is to be read back."""
        self._is_given_up = False
        self._error: BaseException | None = None

    @property
    def is_behind(self) -> bool:
        """Whether something was put off; then all that follows must be, too."""
        return bool(self._parts)

    def update(self, data: bytes | memoryview) -> None:
        """Hash *data* now; nothing may be put off."""
        self._sha256.update(data)
        self._begin += len(data)

    def put_off(self, parts: Iterable[Part]) -> None:
        """Hash *parts*, which are written, in `finish`."""
        self._parts += parts

    def finish(self, path: Path, beside: Callable[[], None]) -> str:
        """Do *beside*, and hash at the same time what was put off: it lies in the file *path*.

        Returns:
            The sha256 of the whole, in hex.

        Raises:
            OSError: What was put off cannot be read, or is not as it was written.
            BaseException: What *beside* raises.
        """
        if not self._parts:
            beside()
            return self._sha256.hexdigest()
        thread = threading.Thread(target=self._try, args=(path,), name="resume-hash")
        if not started(thread):
            self._try(path)
            beside()
        else:
            try:
                beside()
            except BaseException:
                self._is_given_up = True
                raise
            finally:
                thread.join()
        error, self._error = self._error, None
        try:
            if error is not None:
                raise error
        finally:
            del error  # it holds this frame: a cycle would keep the caller's alive
        return self._sha256.hexdigest()

    def _try(self, path: Path) -> None:
        try:
            self._make_up(path)
        except BaseException as why:  # noqa: BLE001 - handed over to who waits
            self._error = why

    def _make_up(self, path: Path) -> None:
        batch: list[Part] = []
        size = 0
        with path.open("rb", buffering=0) as source:
            source.seek(self._begin)
            memory = memoryview(bytearray(max(_BATCH_BYTES, max(self._parts)[0])))
            for part in self._parts:
                if size + part[0] > len(memory):
                    self._read(source, memory[:size], batch)
                    batch, size = [], 0
                batch.append(part)
                size += part[0]
            self._read(source, memory[:size], batch)

    def _read(self, source: FileIO, memory: memoryview, parts: Iterable[Part]) -> None:
        if self._is_given_up:
            return
        done = 0
        while done < len(memory):
            count = source.readinto(memory[done:])
            if not count:
                raise _changed()
            done += count
        place = 0
        for size, mark in parts:
            if digest_in_steps(memory[place : place + size]) != mark:
                raise _changed()
            place += size
        self._sha256.update(memory)


def digest_in_steps(data: memoryview) -> bytes:
    """The xxh3-128 of *data*, taken without letting go of the interpreter for long work."""
    whole = xxhash.xxh3_128()
    for start in range(0, len(data), _STEP_BYTES):
        whole.update(data[start : start + _STEP_BYTES])
    return whole.digest()


def _changed() -> OSError:
    return OSError(
        errno.EIO,
        "what was written reads back differently: the disk or the memory of this machine is "
        "failing, or another program wrote to the file",
    )
