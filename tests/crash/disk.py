"""Disks that die, fill up or lie, and states to save on them. Real files below all of them."""

from __future__ import annotations

import errno
import os
import signal
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from resume.store import Store
from resume.store.files import Disk
from resume.types import Buffer, Content, Draft, Manifest, Variable

PIECE = 4 << 20
PART = 64 << 10


class Watched(Disk):
    """Calls `before(step, operation, path)` ahead of every operation that changes the disk."""

    def __init__(self, before: Callable[[int, str, str], None] | None = None) -> None:
        self.steps: list[str] = []
        self._before = before

    def _step(self, operation: str, path: Any) -> None:
        self.steps.append(operation)
        if self._before is not None:
            self._before(len(self.steps), operation, str(path))

    def create(self, path: Path) -> int:
        self._step("create", path)
        return super().create(path)

    def write(self, descriptor: int, data: bytes | memoryview) -> None:
        try:
            self._step("write", descriptor)
        except OSError:
            super().write(descriptor, memoryview(data)[: len(data) // 2])
            raise
        super().write(descriptor, data)

    def fsync(self, descriptor: int) -> None:
        self._step("fsync", descriptor)
        super().fsync(descriptor)

    def link(self, source: Path, target: Path) -> None:
        self._step("link", target)
        super().link(source, target)

    def rename(self, source: Path, target: Path) -> None:
        self._step("rename", target)
        super().rename(source, target)

    def unlink(self, path: Path) -> None:
        self._step("unlink", path)
        super().unlink(path)

    def mkdir(self, path: Path) -> None:
        self._step("mkdir", path)
        super().mkdir(path)

    def open_lock(self, path: Path) -> int:
        self._step("open_lock", path)
        return super().open_lock(path)

    def lock(self, descriptor: int) -> None:
        self._step("lock", descriptor)
        super().lock(descriptor)

    def sync_folder(self, path: Path) -> None:
        self._step("sync_folder", path)
        super().sync_folder(path)


class FailsAt(Watched):
    """The n-th operation fails with *number*; with *lasting*, every later one as well."""

    def __init__(self, step: int, number: int, *, lasting: bool = False) -> None:
        super().__init__(self._fail)
        self._at, self._number, self._lasting = step, number, lasting

    def _fail(self, step: int, operation: str, path: str) -> None:
        if step == self._at or (self._lasting and step > self._at):
            raise OSError(self._number, os.strerror(self._number), path)


class KilledAt(Watched):
    """The process dies by SIGKILL ahead of the n-th operation; a write is cut in the middle."""

    def __init__(self, step: int) -> None:
        super().__init__(self._die)
        self._at = step

    def _die(self, step: int, operation: str, path: str) -> None:
        if step == self._at and operation == "write":
            raise OSError(errno.EIO, "half of it is written first")
        if step == self._at:
            os.kill(os.getpid(), signal.SIGKILL)

    def write(self, descriptor: int, data: bytes | memoryview) -> None:
        try:
            super().write(descriptor, data)
        except OSError:
            os.kill(os.getpid(), signal.SIGKILL)


class WithoutLinks(Watched):
    """A file system like exFAT."""

    def link(self, source: Path, target: Path) -> None:
        self._step("link", target)
        raise OSError(errno.EPERM, os.strerror(errno.EPERM), str(target))


class WithoutLocks(Watched):
    """A file system that refuses flock."""

    def lock(self, descriptor: int) -> None:
        self._step("lock", descriptor)
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))


class GrantsAllLocks(Watched):
    """A file system that says yes to everyone: the broken lock."""

    def lock(self, descriptor: int) -> None:
        self._step("lock", descriptor)


def draft(**changes: Any) -> Draft:
    plain: dict[str, Any] = {
        "trigger": "sync",
        "elapsed_s": 1.5,
        "complete": False,
        "base": None,
        "function": "train",
        "file": "train.py",
        "lineno": 3,
        "code": {"fingerprint": "00ff"},
        "call": {"arguments": {"n": 1}, "digest": "ab"},
        "config": {"lr": 0.1},
        "extra": None,
        "position": {},
        "variables": (Variable("w", "numpy.ndarray", 800, "[0. ...]", (100,), "<f8"),),
        "environment": {"host": "h", "pid": 1},
    }
    return Draft(**{**plain, **changes})


def buffer(array: np.ndarray[Any, Any], path: str = "w") -> Buffer:
    return Buffer(path, memoryview(array).cast("B"), array.dtype.str)


def state(k: int) -> tuple[bytes, list[Buffer]]:
    """The state of the k-th save: a stream, an array of which little changes, and a new one."""
    weights = np.arange((PIECE + 80_000) // 8, dtype="<f4").repeat(2)
    weights[-7] = k
    noise = np.random.default_rng(k).random(10_000)
    return b"stream %d" % k, [buffer(weights), buffer(noise, "noise")]


def save(store: Store, k: int, parent: Manifest | None, **changes: Any) -> Manifest:
    stream, buffers = state(k)
    return store.commit(draft(**changes), stream, buffers, parent=parent)


def is_state(k: int, content: Content) -> bool:
    stream, buffers = state(k)
    same = [one.view == got for one, got in zip(buffers, content.buffers, strict=True)]
    return bytes(content.stream) == stream and all(same)


def which_state(content: Content) -> int:
    """The k whose state *content* is, whole; fails where it is none."""
    k = int(bytes(content.stream).split()[1])
    assert is_state(k, content)
    return k


def in_child(act: Callable[[], Any]) -> int:
    """Run *act* in a forked child; its exit status, or minus the signal that ended it."""
    pid = os.fork()
    if pid == 0:
        code = 99
        try:
            act()
            code = 0
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def leftovers(place: Path) -> Sequence[str]:
    return [one for one in os.listdir(place) if one.endswith(".tmp")]
