"""What `resume doctor` looks at; each look is a function that returns findings.

The disk is tried, not guessed from its name: a scratch folder is made beside the checkpoints, used
in the ways that a save needs, and removed.
"""

from __future__ import annotations

import difflib
import os
import platform
import shutil
import stat
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from filelock import FileLock, Timeout

from resume import __version__
from resume.store import trust

SUPPORTED = ((3, 11), (3, 13))
LIBRARIES = ("numpy", "dill", "zstandard", "xxhash", "filelock", "platformdirs", "click", "rich")
OPTIONAL = ("torch", "pandas", "fsspec", "h5py")
VARIABLES = {
    "RESUME_DIR": "folder of checkpoints",
    "RESUME_TRUST": "read files of other owners",
    "RESUME_DISABLE": "no checkpoint saves or restores",
    "RESUME_QUIET": "no lines on stderr",
    "RESUME_KEY": "signs what is saved",
    "RESUME_RATE": "seconds between saves",
    "RESUME_DEADLINE": "when the program has to be gone",
    "RESUME_BEFORE_END": "how long ahead of that it leaves",
    "RESUME_REQUEUE": "who is asked to start it again",
    "RESUME_SIGNALS": "signals at which a program saves and leaves",
    "RESUME_EXIT_CODE": "status of a program that was left so",
    "RESUME_WATCH": "cloud that may take the machine away",
    "RESUME_METADATA": "address of the cloud's metadata service",
    "RESUME_PROOF": "`resume prove` sets it",
}
LOW_SPACE = 1 << 30
SLOW_SYNC_S = 0.25


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the doctor's report."""

    name: str
    value: str
    problem: str | None = None
    """What is wrong, or None where nothing is."""
    remedy: str | None = None


def look_at_python() -> Iterator[Finding]:
    """The interpreter, and the versions of what the library stands on."""
    version = sys.version_info[:2]
    supported = SUPPORTED[0] <= version <= SUPPORTED[1]
    yield Finding(
        "python",
        f"{platform.python_version()} ({platform.python_implementation()}) at {sys.executable}",
        None if supported else "not one of the versions that resume is tested with",
        None if supported else "use CPython 3.11, 3.12 or 3.13",
    )
    yield Finding("system", platform.platform())
    yield Finding("resume", __version__)
    for name in LIBRARIES:
        version_of = _version(name)
        missing = f"{name} is not installed" if version_of is None else None
        yield Finding(name, version_of or "missing", missing, missing and f"pip install {name}")
    there = [f"{name} {_version(name)}" for name in OPTIONAL if _version(name)]
    yield Finding("optional", ", ".join(there) or "none")


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def look_at_variables() -> Iterator[Finding]:
    """The `RESUME_*` variables that are set, and those that nothing reads."""
    for name in sorted(key for key in os.environ if key.startswith("RESUME_")):
        value = "***" if "KEY" in name else os.environ[name]
        if name in VARIABLES:
            yield Finding(name, f"{value} ({VARIABLES[name]})")
            continue
        near = difflib.get_close_matches(name, VARIABLES, n=1)
        yield Finding(
            name,
            value,
            "no such variable: nothing reads it",
            f"did you mean {near[0]}?" if near else f"known: {', '.join(VARIABLES)}",
        )


def look_at_folder(folder: Path, how: str) -> Iterator[Finding]:
    """Where checkpoints go, who owns that, and whether its files would be trusted."""
    yield Finding("folder", f"{folder} ({how})")
    if not folder.exists():
        yield Finding("exists", "no: the first save makes it")
        return
    status = folder.stat()
    why = trust.complaint(status)
    yield Finding(
        "owner",
        f"user {status.st_uid}, mode {stat.S_IMODE(status.st_mode):04o}",
        why and f"files in it may not be trusted: {why}",
        why and "use a folder of your own (--folder, RESUME_DIR), or chown and chmod o-w this one",
    )


def look_at_key() -> Iterator[Finding]:
    """Whether saves are signed."""
    path = trust.key_path()
    if os.environ.get("RESUME_KEY"):
        yield Finding("key", "from RESUME_KEY: saves are signed")
    elif trust.find_key():
        yield Finding("key", f"{path}: saves are signed")
    elif path.exists():
        yield Finding("key", str(path), "others may read it: it is not used", f"chmod 600 {path}")
    else:
        yield Finding("key", "none: saves are not signed, files of your own are trusted")


def look_at_disk(folder: Path) -> Iterator[Finding]:
    """Try on the real disk what a save needs: write, rename, link, lock, wait for the disk."""
    base = next(parent for parent in (folder, *folder.parents) if parent.is_dir())
    yield _space(base)
    try:
        scratch = Path(tempfile.mkdtemp(prefix=".resume-doctor-", dir=base))
    except OSError as why:
        text = f"cannot write to {base}: {why.strerror}"
        yield Finding("writable", "no", text, "use another folder: --folder or RESUME_DIR")
        return
    try:
        yield Finding("writable", "yes")
        yield from (_tried(name, trial, scratch) for name, trial in _TRIALS.items())
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _space(base: Path) -> Finding:
    usage = shutil.disk_usage(base)
    value = f"{usage.free / 2**30:.1f} GiB of {usage.total / 2**30:.1f} GiB"
    if usage.free >= LOW_SPACE:
        return Finding("free space", value)
    return Finding(
        "free space", value, "less than 1 GiB is free", "make room: `resume gc`, `resume rm NAME`"
    )


def _tried(name: str, trial: Callable[[Path], str], scratch: Path) -> Finding:
    try:
        return Finding(name, trial(scratch))
    except OSError as why:
        return Finding(name, "no", f"{name} fails here: {why.strerror or why}", _REMEDIES[name])


def _rename(scratch: Path) -> str:
    (scratch / "old").write_bytes(b"old")
    (scratch / "new").write_bytes(b"new")
    (scratch / "new").replace(scratch / "old")
    return "atomic" if (scratch / "old").read_bytes() == b"new" else "not atomic"


def _link(scratch: Path) -> str:
    (scratch / "body").write_bytes(b"x")
    os.link(scratch / "body", scratch / "name")
    try:
        os.link(scratch / "body", scratch / "name")
    except FileExistsError:
        return "yes, and refuses a taken name"
    raise OSError("a link replaced a taken name")


def _lock(scratch: Path) -> str:
    first, second = FileLock(scratch / "lock"), FileLock(scratch / "lock")
    with first:
        try:
            second.acquire(timeout=0)
        except Timeout:
            return "yes, and keeps a second one out"
        second.release()
    raise OSError("two locks on one file at a time")


def _sync(scratch: Path) -> str:
    start = time.perf_counter()
    with (scratch / "synced").open("wb") as out:
        out.write(bytes(4096))
        out.flush()
        os.fsync(out.fileno())
    took = time.perf_counter() - start
    slow = ": slow, each save waits for it (fsync=False survives a kill, not a power cut)"
    return f"{took * 1000:.1f} ms{slow if took > SLOW_SYNC_S else ''}"


_TRIALS: dict[str, Callable[[Path], str]] = {
    "rename": _rename,
    "hard links": _link,
    "locks": _lock,
    "fsync": _sync,
}
_REMEDIES = {
    "rename": "use a folder on a local disk: --folder or RESUME_DIR",
    "hard links": "it works all the same (O_EXCL instead); a local disk is better",
    "locks": "it works all the same (a claim file instead); never run two programs on one name",
    "fsync": "use a folder on a local disk: --folder or RESUME_DIR",
}
