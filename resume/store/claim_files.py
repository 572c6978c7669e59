"""A file that stands for a right that only one process has: its maker, and whether that one lives.

Goal: of all that ask, one gets it; that of a dead process is taken over, by one.

What does not work, and what is done:
- Several that find one dead claim at once, each to move it away: the last of them moves away what
  the first has put in its place. To put that back comes too late where a third has made a claim
  meanwhile. So a dead claim is removed only by who has its guard, a claim like it, and who looks
  again then. The guard of one that died in between is itself a dead claim, and has its guard.
- NFS: a file is made once there as well (O_EXCL, from version 3). What it tells of a name may be
  seconds old, but to open a file asks the server. So a claim is looked at through one open file:
  its record and its age are of one and the same claim.

What can still go wrong: a maker that sleeps longer than a minute, between two touches or while it
removes a dead claim, is taken for dead, and wakes up. What a claim guards has to bear that.
unit/sweep/test_sweep_claim_races.py tries every moment at which others may come in between.
"""

from __future__ import annotations

import errno
import json
import os
import secrets
import socket
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from resume.store import files
from resume.store.files import Disk

STALE_S = 60.0
"""A claim that nobody has touched for longer is taken for that of a dead process."""
UNSIGNED_S = 10.0
"""One that is empty for longer, too: its maker was killed between making and signing it."""
_GUARD = ".over"
"""Behind a claim's name: the claim of who removes it."""
_VANISHED = frozenset({errno.ENOENT, errno.ESTALE})
"""ESTALE: on NFS, another machine removed the file that is open here."""


def read_record(path: Path) -> dict[str, Any] | None:
    """What the lock or claim at *path* says of its holder; None where it says nothing whole."""
    try:
        return _told(path.read_bytes())
    except OSError:
        return None


def _told(record: bytes) -> dict[str, Any] | None:
    try:
        found = json.loads(record)
        told = {"pid": int(found["pid"]), "since": float(found["since"])}
        return {**found, **told, "host": str(found["host"])}
    except (ValueError, KeyError, TypeError):
        return None  # empty: free; half written: its holder is not there yet


def lives(record: dict[str, Any]) -> bool:
    """Whether the process that a record tells of lives, for all that this machine knows."""
    if record["host"] != socket.gethostname() or os.name != "posix":
        return True
    return files.process_lives(record["pid"])


def own_record() -> dict[str, Any]:
    """What this process says of itself in a lock or claim that it takes."""
    return {"host": socket.gethostname(), "pid": os.getpid(), "since": time.time()}


def make_claim(path: Path, record: bytes, disk: Disk) -> bool:
    """Make the file that claims something; False where it is there already.

    Raises:
        OSError: The disk refused; FileNotFoundError where there is no such folder.
    """
    try:
        descriptor = disk.create(path)
    except FileExistsError:
        return False
    try:
        disk.write(descriptor, record)
    finally:
        os.close(descriptor)
    return True


def is_claim_of(path: Path, token: str) -> bool:
    """Whether the claim is still the one that carries *token*."""
    return (read_record(path) or {}).get("token") == token


def clear_stale(path: Path, fresh: Path, disk: Disk) -> None:
    """Remove a claim whose maker is dead or silent, unless somebody else is just doing so.

    Args:
        path: The claim; it need not be there.
        fresh: A file that was written just now: the file system's own clock counts.
        disk: Through it all is written.

    Raises:
        OSError: The disk refused.
    """
    if not _is_stale(path, fresh):
        return
    guard = path.with_name(f"{path.name}{_GUARD}")
    token = secrets.token_hex(8)
    record = json.dumps({**own_record(), "token": token}).encode()
    clear_stale(guard, fresh, disk)
    if not make_claim(guard, record, disk):
        return
    try:
        if _is_stale(path, fresh):  # who had the guard before may have cleared it: it is another
            with suppress(FileNotFoundError):
                disk.unlink(path)
    finally:
        if is_claim_of(guard, token):
            files.discard(disk, guard)


def _is_stale(path: Path, fresh: Path) -> bool:
    try:
        found, record = _look(path)
    except OSError as why:
        if why.errno in _VANISHED:
            return False
        raise
    silent_s = fresh.stat().st_mtime - found.st_mtime
    if silent_s > (STALE_S if found.st_size else UNSIGNED_S):
        return True
    return record is not None and not lives(record)


def _look(path: Path) -> tuple[os.stat_result, dict[str, Any] | None]:
    try:
        with path.open("rb") as claim:
            return os.fstat(claim.fileno()), _told(claim.read())
    except PermissionError:  # another user's: for how long it is silent can be seen
        return path.stat(), None
