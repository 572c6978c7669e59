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

from resume.store import claim_files, files, lock
from resume.store.files import Disk

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
    record = json.dumps({**claim_files.own_record(), "token": token}).encode()
    while not claim_files.make_claim(path, record, disk):
        clear_claim(path, disk)
        time.sleep(_PATIENCE_S)
    try:
        yield
    finally:
        if claim_files.is_claim_of(path, token):
            with suppress(OSError):
                path.unlink()


def clear_claim(path: Path, disk: Disk) -> None:
    """Remove a claim if its maker is dead or silent.

    Raises:
        OSError: The disk refused.
    """
    with suppress(FileNotFoundError):  # it was given back meanwhile
        fresh = files.write_scratch(disk, path, b"", fsync=False)
        try:
            claim_files.clear_stale(path, fresh, disk)
        finally:
            files.discard(disk, fresh)
