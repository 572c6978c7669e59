"""One writer for a checkpoint at a time, and a name for who that is.

Goal: two runs of the same program never write to one place; the second says who holds it.

What does not work, and what is done:
- filelock on POSIX: up to 3.29 every attempt truncates the lock file, which holds the holder's
  record (filelock issue 591), and there is no way to close its descriptor in a forked child without
  releasing. So flock() itself, ten lines; where there is none (Windows), the claim file below.
- fcntl locks (POSIX record locks): any close of the file in the process drops them.
- flock in one process: a second descriptor is refused like another process. A table of what this
  process holds says so in words.
- fork: the child has the same open file, and unlocking there unlocks the parent. It only closes.
- a guard around taking and giving back in this process: the collector drops a forgotten store in
  any thread, at any line, and who holds the guard may wait for that very thread. The file's own
  lock tells two threads apart as well; what they share is one list, changed by single steps.
- File systems without locks: a claim file made with O_EXCL, touched every ten seconds; one that
  nobody touched for a minute is taken over (claim_files.py).

What can still go wrong: a file system that grants everyone the lock, or a claim's holder that slept
longer than a minute. The commit finds both: numbers are published once, and see commit.py.
unit/store/test_store_lock.py and crash/test_store_processes.py prove what stands here.
"""

from __future__ import annotations

import errno
import json
import os
import secrets
import socket
import threading
import time
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any, Protocol

from resume.errors import CheckpointBusyError
from resume.store import claim_files, files
from resume.store.files import Disk
from resume.store.threads import started
from resume.units import show_seconds

LOCK_NAME = "lock"
CLAIM_NAME = "lock.claim"
HEARTBEAT_S = 10.0

_BUSY = frozenset({errno.EAGAIN, errno.EWOULDBLOCK, errno.EACCES})
REFUSED = frozenset({errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOLCK, errno.EINVAL})
_CLOSED = -1

_held: list[PlaceLock] = []
_PATIENCE_S = 1.0
"""For a lock that another thread of this process is just giving back."""


class _Hold(Protocol):
    """A lock that was got, by one mechanism or the other."""

    def is_whole(self) -> bool:
        """Whether it still guards the place."""

    def release(self) -> None:
        """Give it back."""

    def forget(self) -> None:
        """In a forked child: let go of it without giving it back."""


class PlaceLock:
    """The lock of one place; held by one `PlaceLock` of one process at a time."""

    def __init__(self, place: Path, name: str, disk: Disk) -> None:
        self._place = place
        self._name = name
        self._disk = disk
        self._hold: _Hold | None = None
        self.key = ""
        """The place itself, whatever path led there; empty before it was asked for."""

    @property
    def is_held(self) -> bool:
        """Whether this very object holds the lock, and the lock still guards the place."""
        hold = self._hold
        return hold is not None and hold.is_whole()

    def acquire(self) -> None:
        """Take the lock, at once or not at all.

        Raises:
            CheckpointBusyError: Somebody holds it; the text names host, process and since when.
            OSError: The disk refused.
        """
        key = os.path.realpath(self._place)
        for other in _held.copy():
            if other is not self and other.key == key and other.is_held:
                who = "another checkpoint of this program"
                raise busy(self._name, read_holder(self._place), who)
        self._drop()
        self.key = key
        self._hold = _take_soon(self._place, self._name, self._disk)
        _held.append(self)

    def release(self) -> None:
        """Give the lock back; nothing happens where it is not held.

        Waits for no lock, so finalizers may call it.
        """
        try:
            self._drop()
        finally:
            self._drop()  # a Ctrl-C came amid the first

    def _drop(self) -> None:
        hold = self._hold
        if hold is not None:
            hold.release()
            self._hold = None
        with suppress(ValueError):  # not there yet, or not any more
            _held.remove(self)

    def forget(self) -> None:
        """In a forked child: the lock is the parent's."""
        hold, self._hold = self._hold, None
        if hold is not None:
            hold.forget()


def _forget_all() -> None:
    for one in _held:
        one.forget()
    _held.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_all)


def busy(name: str, holder: dict[str, Any] | None, who: str | None = None) -> CheckpointBusyError:
    """The error that names who holds the checkpoint *name*."""
    text = who or "another program"
    if holder:
        age = show_seconds(max(0.0, time.time() - holder["since"]))
        text += f" (process {holder['pid']} on {holder['host']}, since {age} ago)"
    return CheckpointBusyError(
        f"the checkpoint {name!r} is in use by {text}. Nothing was written.\n"
        "Wait for it or stop it, or give this run another name=."
    )


def read_holder(place: Path) -> dict[str, Any] | None:
    """Who holds the lock of *place* (`host`, `pid`, `since`), as its files tell; None: free."""
    for path in (place / CLAIM_NAME, place / LOCK_NAME):
        record = claim_files.read_record(path)
        if record is not None and claim_files.lives(record):
            return {key: record[key] for key in ("host", "pid", "since")}
    return None


def _take_soon(place: Path, name: str, disk: Disk) -> _Hold:
    until = time.monotonic() + _PATIENCE_S
    while True:
        try:
            return _take(place, name, disk)
        except CheckpointBusyError:
            key = os.path.realpath(place)
            is_held_here = any(one.key == key and one.is_held for one in _held.copy())
            ours = (socket.gethostname(), os.getpid())
            holder = read_holder(place) or {}
            if is_held_here or (holder.get("host"), holder.get("pid")) != ours:
                raise
            if time.monotonic() > until:
                raise
            time.sleep(0.002)


def _take(place: Path, name: str, disk: Disk) -> _Hold:
    try:
        return _FileHold.take(place, name, disk)
    except OSError as why:
        if isinstance(why, CheckpointBusyError) or why.errno not in REFUSED:
            raise
        return _ClaimHold.take(place, name, disk)


class _FileHold:
    """flock on the lock file, which also says who holds it."""

    _descriptor = _CLOSED

    def __init__(self, path: Path, descriptor: int, disk: Disk) -> None:
        self._path = path
        self._disk = disk
        self._pid = os.getpid()
        self._descriptor = descriptor

    @classmethod
    def take(cls, place: Path, name: str, disk: Disk) -> _FileHold:
        """Lock the file, and write our record into it.

        Raises:
            CheckpointBusyError: Another process has it.
            OSError: The file system has no locks, or refused.
        """
        while True:
            hold = cls(place / LOCK_NAME, disk.open_lock(place / LOCK_NAME), disk)
            try:
                hold._lock(name)
                if hold.is_whole():
                    hold._sign()
                    return hold
            except BaseException:
                hold.forget()
                raise
            hold.forget()  # the file was removed between open and lock: what is locked has no name

    def _lock(self, name: str) -> None:
        try:
            self._disk.lock(self._descriptor)
        except OSError as why:
            if why.errno in _BUSY:
                raise busy(name, read_holder(self._path.parent)) from why
            raise

    def _sign(self) -> None:
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, json.dumps(claim_files.own_record()).encode(), 0)

    def is_whole(self) -> bool:
        """Whether the locked file is still the one that others would lock."""
        try:
            return os.path.samestat(os.fstat(self._descriptor), self._path.stat())
        except OSError:
            return False

    def release(self) -> None:
        """Clear the record, unlock and close; again is nothing.

        A Ctrl-C may come wherever Python code is called, so here is none but the disk's.
        """
        descriptor, self._descriptor = self._descriptor, _CLOSED
        if descriptor == _CLOSED:
            return
        try:
            os.ftruncate(descriptor, 0)
        except OSError:  # the record says a process that does not hold it: nobody is kept out
            pass
        finally:
            try:
                self._disk.unlock(descriptor)
            except OSError:  # closing unlocks, too
                pass
            finally:
                os.close(descriptor)

    def forget(self) -> None:
        """Close and no more: unlocking here would unlock the parent."""
        descriptor, self._descriptor = self._descriptor, _CLOSED
        if descriptor != _CLOSED:
            os.close(descriptor)

    def __del__(self) -> None:
        # A Ctrl-C may come between the lock and who was to hold it.
        if os.getpid() == self._pid:
            self.release()
        else:
            self.forget()


class _ClaimHold:
    """A file that only one can create, touched while its maker lives."""

    def __init__(self, path: Path, token: str) -> None:
        self._path = path
        self._token = token
        self._pid = os.getpid()
        self._life = threading.Lock()
        """Free once it has ended. No event: the collector may end it amid the thread's own wait,
        and those of `threading` are written in Python."""
        self._life.acquire()
        self._thread = threading.Thread(target=self._beat, name="resume-claim", daemon=True)

    @classmethod
    def take(cls, place: Path, name: str, disk: Disk) -> _ClaimHold:
        path = place / CLAIM_NAME
        hold = cls(path, secrets.token_hex(8))
        payload = json.dumps({**claim_files.own_record(), "token": hold._token}).encode()
        scratch = files.write_scratch(disk, path, payload, fsync=False)
        try:
            claim_files.clear_stale(path, scratch, disk)
            files.publish(disk, scratch, path)
        except FileExistsError as why:
            raise busy(name, read_holder(place)) from why
        finally:
            files.discard(disk, scratch)
        with ExitStack() as undo:
            undo.callback(hold.release)
            if not started(hold._thread):
                raise OSError(errno.EAGAIN, "no thread can be started that keeps the lock alive")
            undo.pop_all()
        return hold

    def is_whole(self) -> bool:
        return claim_files.is_claim_of(self._path, self._token)

    def _beat(self) -> None:
        while not self._life.acquire(timeout=HEARTBEAT_S):
            with suppress(OSError):  # one missed beat is no loss; a lost claim is found by is_whole
                if self.is_whole():
                    os.utime(self._path)

    def release(self) -> None:
        if self._life.locked():
            self._life.release()
        if self._thread.is_alive() and self._thread is not threading.current_thread():
            self._thread.join()
        if self.is_whole():
            with suppress(OSError):
                self._path.unlink()

    def forget(self) -> None:
        """In a forked child there is no thread to end, and the file is the parent's."""
