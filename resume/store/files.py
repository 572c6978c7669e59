"""Every disk operation of the store that writes, through one narrow class.

Goal: a reader sees the old bytes or the new, never a mix, whatever dies meanwhile.

What does not work, and what is done:
- Writing to the final name: a reader meets half a file. So everything goes to a scratch name first.
- Renaming alone: after a power cut the name may be there and the bytes not. So fsync comes first,
  and then fsync of the folder, because the new name lives in the folder.
- fsync on macOS: it hands the bytes to the drive and lets the drive wait. F_FULLFSYNC does not.
- Renaming onto a manifest's name: it replaces what another writer put there. So a manifest is
  published with link(), which fails when the name is taken. Where links are missing, a claim made
  with O_EXCL guards the rename.

What can still go wrong: a drive that lies about its cache. The digests find that at the restore.
"""

from __future__ import annotations

import errno
import hashlib
import os
import re
import secrets
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from resume.errors import ResumeError, StoreError

FOLDER_MODE = 0o700
FILE_MODE = 0o600
STALE_S = 86400.0
"""A scratch file of another machine is taken for dead when nobody wrote to it for a day."""

_SCRATCH = re.compile(r"\..+\.(\d+)-([0-9a-f]{8})-[0-9a-f]{6}\.tmp")
_NO_LINKS = frozenset(
    {errno.EPERM, errno.EACCES, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EXDEV}
    | {errno.EMLINK, errno.EINVAL}
)
_SAFE = "The previous generation is untouched."
_NO_FOLDER_SYNC = frozenset({errno.EINVAL, errno.ENOTSUP, errno.EBADF, errno.ENOSYS})


class Disk:
    """The operations that change a disk, one method each; whatever writes here goes through it."""

    def create(self, path: Path) -> int:
        """Open a new file for writing, readable by its owner alone; fails where *path* exists."""
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_CLOEXEC", 0)
        return os.open(path, flags | getattr(os, "O_BINARY", 0), FILE_MODE)

    def write(self, descriptor: int, data: bytes | memoryview) -> None:
        """Write all of *data*."""
        rest = memoryview(data)
        while rest:
            rest = rest[os.write(descriptor, rest) :]

    def fsync(self, descriptor: int) -> None:
        """Wait until the file's bytes are on the medium."""
        if sys.platform == "darwin":  # pragma: no cover - there, fsync leaves them in the drive
            import fcntl  # noqa: PLC0415 - not on Windows

            with suppress(OSError):  # not every file system has it; fsync is the next best
                fcntl.fcntl(descriptor, fcntl.F_FULLFSYNC)
                return
        os.fsync(descriptor)

    def link(self, source: Path, target: Path) -> None:
        """Give *source* a second name; fails where *target* exists."""
        os.link(source, target)

    def rename(self, source: Path, target: Path) -> None:
        """Move *source* over *target* in one step."""
        source.replace(target)

    def unlink(self, path: Path) -> None:
        """Remove one name."""
        path.unlink()

    def mkdir(self, path: Path) -> None:
        """Create one folder, open to its owner alone whatever the umask."""
        path.mkdir(FOLDER_MODE)
        path.chmod(FOLDER_MODE)  # a umask of 0o277 would have left 0o500

    def open_lock(self, path: Path) -> int:
        """Open the lock file, made where it is missing; never truncated: it names the holder."""
        flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0)
        return os.open(path, flags | getattr(os, "O_NOFOLLOW", 0), FILE_MODE)

    def lock(self, descriptor: int) -> None:
        """Lock an open file, at once or not at all (BlockingIOError).

        Raises:
            OSError: With ENOSYS on systems that have no flock (Windows).
        """
        try:
            import fcntl  # noqa: PLC0415 - not on Windows
        except ImportError as why:  # pragma: no cover - Windows
            raise OSError(errno.ENOSYS, "this system has no flock") from why

        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def wait_for_lock(self, descriptor: int) -> None:
        """Lock an open file as soon as nobody else has it.

        Raises:
            OSError: With ENOSYS on systems that have no flock (Windows).
        """
        try:
            import fcntl  # noqa: PLC0415 - not on Windows
        except ImportError as why:  # pragma: no cover - Windows
            raise OSError(errno.ENOSYS, "this system has no flock") from why

        fcntl.flock(descriptor, fcntl.LOCK_EX)

    def unlock(self, descriptor: int) -> None:
        """Unlock an open file."""
        import fcntl  # noqa: PLC0415 - not on Windows

        fcntl.flock(descriptor, fcntl.LOCK_UN)

    def sync_folder(self, path: Path) -> None:
        """Wait until the names in *path* are on the medium."""
        if sys.platform == "win32":  # pragma: no cover - Windows opens no folders
            return
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        except OSError as why:  # some network file systems order names themselves and refuse
            if why.errno not in _NO_FOLDER_SYNC:
                raise
        finally:
            os.close(descriptor)


@contextmanager
def telling(what: str) -> Iterator[None]:
    """Turn an OSError inside into a StoreError that says *what* failed and what is still safe.

    So, too, where memory runs out: the program that is saved may have enough for itself.
    Our own errors pass: CheckpointBusyError is a TimeoutError, and so an OSError too.
    """
    try:
        yield
    except ResumeError:
        raise
    except OSError as why:
        raise StoreError(f"cannot {what}: {reason(why)}. {_remedy(why)}") from why
    except MemoryError as why:
        raise StoreError(f"cannot {what}: there is not enough memory. {_SAFE}") from why


def reason(why: OSError) -> str:
    """What the system said, in lower case and without the number."""
    text = why.strerror or str(why) or type(why).__name__
    return text[:1].lower() + text[1:]


def _remedy(why: OSError) -> str:
    if why.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"{_SAFE} Free some space there, or choose another place with folder= or RESUME_DIR."
    if why.errno in (errno.EROFS, errno.EACCES, errno.EPERM):
        return f"{_SAFE} Choose a place that you may write to with folder= or RESUME_DIR."
    return _SAFE


def scratch_beside(final: Path) -> Path:
    """A name beside *final* that says which process writes it."""
    owner = f"{os.getpid()}-{host_mark()}-{secrets.token_hex(3)}"
    return final.with_name(f".{final.name}.{owner}.tmp")


def host_mark() -> str:
    """Eight hex digits that stand for this machine in scratch names."""
    return hashlib.sha256(socket.gethostname().encode()).hexdigest()[:8]


def is_scratch(name: str) -> bool:
    """Whether *name* is one that `scratch_beside` gives."""
    return _SCRATCH.fullmatch(name) is not None


def is_abandoned(path: Path) -> bool:
    """Whether the save that wrote this scratch file is dead for certain, or for all we can know."""
    match = _SCRATCH.fullmatch(path.name)
    if match is None:
        return False
    return is_dead(int(match[1]), match[2], path)


def is_dead(pid: int, host: str, path: Path) -> bool:
    """Whether the process *pid* of the machine *host* that wrote *path* is gone."""
    if pid == 0 or host != host_mark() or sys.platform == "win32":
        with suppress(OSError):
            return time.time() - path.stat().st_mtime > STALE_S
        return False
    return not process_lives(pid)


def process_lives(pid: int) -> bool:
    """Whether a process of this machine has the id *pid*. Not for Windows: signal 0 kills there."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    return True


def write_scratch(disk: Disk, final: Path, payload: bytes, *, fsync: bool) -> Path:
    """Write *payload* beside *final*, and return the scratch file's path.

    Raises:
        OSError: The disk refused; the scratch file is gone again.
    """
    scratch = scratch_beside(final)
    descriptor = disk.create(scratch)
    try:
        try:
            disk.write(descriptor, payload)
            if fsync:
                disk.fsync(descriptor)
        finally:
            os.close(descriptor)
    except BaseException:
        discard(disk, scratch)
        raise
    return scratch


def write_atomic(disk: Disk, path: Path, payload: bytes, *, fsync: bool = True) -> None:
    """Replace *path* with *payload*: a reader sees the old bytes or the new, never a mix.

    Raises:
        OSError: The disk refused; *path* is as it was.
    """
    scratch = write_scratch(disk, path, payload, fsync=fsync)
    try:
        disk.rename(scratch, path)
    except BaseException:
        discard(disk, scratch)
        raise
    if fsync:
        disk.sync_folder(path.parent)


def publish(disk: Disk, scratch: Path, final: Path) -> None:
    """Give *scratch* its final name, and only if nobody has that name. The old name may stay.

    Raises:
        FileExistsError: The name is taken; the file there is as it was.
        OSError: The disk refused; *final* is not there.
    """
    try:
        disk.link(scratch, final)
    except FileExistsError:
        # NFS: the answer to a link may be lost, and the repeated request finds its own work.
        if os.stat(scratch).st_nlink != 2:  # noqa: PTH116
            raise
    except OSError as why:
        if why.errno not in _NO_LINKS:
            raise
        _publish_without_links(disk, scratch, final)


def _publish_without_links(disk: Disk, scratch: Path, final: Path) -> None:
    # exFAT, many FUSE and SMB mounts. The claim is a lock: who made it looks and renames while no
    # other can. That of a dead save blocks one number, and goes as scratch a day later.
    claim = final.with_name(f".{final.name}.0-00000000-000000.tmp")
    os.close(disk.create(claim))
    try:
        if final.exists():
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(final))
        disk.rename(scratch, final)
    finally:
        discard(disk, claim)


def discard(disk: Disk, path: Path) -> None:
    """Remove *path* if that can be had; on the way out of a failure, which is what gets told."""
    with suppress(OSError):
        disk.unlink(path)


def ensure_folder(disk: Disk, folder: Path, *, fsync: bool = True) -> None:
    """Make the store's folder: 0700 whatever the umask, with a `.gitignore` of its own.

    A folder that was there keeps its mode, and gets no `.gitignore` unless it is a `.checkpoints`:
    it may hold the user's own files.
    """
    made = ensure_place(disk, folder, fsync=fsync)
    ignore = folder / ".gitignore"
    if (made or folder.name == ".checkpoints") and not ignore.exists():
        write_atomic(disk, ignore, b"*\n", fsync=fsync)


def ensure_place(disk: Disk, place: Path, *, fsync: bool = True) -> bool:
    """Make one folder and what is missing above it; whether it was made by this call."""
    if place.is_dir():
        return False
    if not place.parent.is_dir():
        ensure_place(disk, place.parent, fsync=fsync)
    try:
        disk.mkdir(place)
    except FileExistsError:
        if not place.is_dir():
            raise
        return False
    if fsync:
        disk.sync_folder(place.parent)
    return True
