"""Who may append to a log now: the lock on its file, or a claim where there are no such locks.

flock() waits in the system, and goes with its process. Some shared file systems refuse it (Lustre
without its option, some FUSE mounts): there a file stands for the lock, which only one can make. It
is held for a line's time, so nobody touches it: one that is older than a minute, or whose maker is
a dead process of this machine, is taken over.
"""

from __future__ import annotations

import json
import os
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from resume.store import files, lock
from resume.store.files import Disk

_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_CLOEXEC", 0)
_PATIENCE_S = 0.005
"""Between two looks at a claim that somebody holds."""


@contextmanager
def locked(descriptor: int, path: Path, disk: Disk) -> Iterator[None]:
    """Hold the lock of the open file at *path*; waits for whoever has it.

    Raises:
        OSError: The disk refused.
    """
    try:
        disk.wait_for_lock(descriptor)
    except OSError as why:
        if why.errno not in lock.REFUSED:
            raise
        with _claimed(path.with_name(f"{path.name}.lock"), disk):
            yield
        return
    pid = os.getpid()
    try:
        yield
    finally:
        if os.getpid() == pid:  # in a forked child, it is the parent's
            with suppress(OSError):  # closing unlocks, too
                disk.unlock(descriptor)


@contextmanager
def _claimed(path: Path, disk: Disk) -> Iterator[None]:
    token = secrets.token_hex(8)
    record = json.dumps({**lock.own_record(), "token": token}).encode()
    while not make_claim(path, record, disk):
        clear_claim(path, disk)
        time.sleep(_PATIENCE_S)
    try:
        yield
    finally:
        if is_claim_of(path, token):
            with suppress(OSError):
                path.unlink()


def make_claim(path: Path, record: bytes, disk: Disk) -> bool:
    """Make the file that claims something; False where it is there already.

    Raises:
        OSError: The disk refused; FileNotFoundError where there is no such folder.
    """
    try:
        descriptor = os.open(path, _FLAGS, files.FILE_MODE)
    except FileExistsError:
        return False
    try:
        disk.write(descriptor, record)
    finally:
        os.close(descriptor)
    return True


def clear_claim(path: Path, disk: Disk) -> None:
    """Move a claim away if its maker is dead or silent.

    Raises:
        OSError: The disk refused.
    """
    with suppress(FileNotFoundError):  # it was given back meanwhile
        fresh = files.write_scratch(disk, path, b"", fsync=False)
        try:
            lock.clear_stale(path, fresh, disk)
        finally:
            files.discard(disk, fresh)


def is_claim_of(path: Path, token: str) -> bool:
    """Whether the claim is still the one that carries *token*."""
    return (lock.read_record(path) or {}).get("token") == token
