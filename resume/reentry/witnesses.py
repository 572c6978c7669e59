"""What an open file held when it was saved: told from what it holds now, or put back.

Goal: a program reads on what it would have read, or is refused. What a run did between its last
save and its end may have changed a file that it had open then: a later step wrote it anew, or the
same one changed it in place.

What is done: of a file that is open for reading, the state holds its size, its time and a digest of
its bytes; it may have grown since. One that is open for changes goes into the state itself, where
it is small, and is put back.

What can still go wrong: a file of more than 64 MiB that is only read is looked at in its first and
its last mebibyte; a file that was closed at the save is not looked at here (`tracked/undo.py`).
"""

from __future__ import annotations

import os
import time
from typing import TypeAlias

import xxhash

Witness: TypeAlias = "tuple[int, int, str]"
"""Size, time of the last change in ns, which no program can set (0: too fresh to tell another one
by), digest."""

KEPT_BYTES = 1 << 20
"""A file that is open for changes goes into the state up to this size."""
WHOLE_BYTES = 64 << 20
_PIECE_BYTES = 1 << 20
_TICK_NS = 50_000_000
"""Two changes within it may bear one time: file systems take that of the kernel's last tick."""
_MOST_KNOWN = 256
_known: dict[tuple[int, int], Witness] = {}
"""By device and inode: a file that stays as it is need not be read at each save."""


def witness(descriptor: int, *, is_changing: bool) -> Witness:
    """What tells whether the file is the same later on.

    Args:
        descriptor: The file, open for reading; its place stays.
        is_changing: The program may change it in place: all of it is looked at.
    """
    now = os.fstat(descriptor)
    is_old = time.time_ns() - now.st_ctime_ns > _TICK_NS
    known = _known.get((now.st_dev, now.st_ino))
    if is_old and known is not None and known[:2] == (now.st_size, now.st_ctime_ns):
        return known
    found = (
        now.st_size,
        now.st_ctime_ns if is_old else 0,
        _digest(descriptor, now.st_size, is_whole=is_changing or now.st_size <= WHOLE_BYTES),
    )
    if is_old and (is_changing or now.st_size <= WHOLE_BYTES):
        if len(_known) >= _MOST_KNOWN:
            _known.clear()
        _known[now.st_dev, now.st_ino] = found
    return found


def is_same(descriptor: int, then: Witness, *, is_changing: bool) -> bool:
    """Whether the file begins with all that it held then."""
    size, changed_at, digest = then
    now = os.fstat(descriptor)
    if (now.st_size, now.st_ctime_ns) == (size, changed_at):
        return True
    if now.st_size < size:
        return False
    return _digest(descriptor, size, is_whole=is_changing or size <= WHOLE_BYTES) == digest


def contents(descriptor: int, size: int) -> bytes | None:
    """All *size* bytes of the file, where they are few enough to go into the state."""
    return os.pread(descriptor, size, 0) if size <= KEPT_BYTES else None


def put_back(descriptor: int, kept: bytes) -> None:
    """Write the contents into the file again; its place stays."""
    rest, place = memoryview(kept), 0
    while rest:
        written = os.pwrite(descriptor, rest, place)
        rest, place = rest[written:], place + written


def _digest(descriptor: int, size: int, *, is_whole: bool) -> str:
    state = xxhash.xxh3_128()
    starts = range(0, size, _PIECE_BYTES) if is_whole else (0, size - _PIECE_BYTES)
    for start in starts:
        state.update(os.pread(descriptor, min(_PIECE_BYTES, size - start), start))
    return state.hexdigest()
