"""A disk that waits to be let go on, and what tests with it need."""

from __future__ import annotations

import errno
import os
import threading
import time
from contextlib import contextmanager

from resume.results import NOT_DUE
from resume.store.files import Disk

PATIENCE_S = 60.0
LARGE = 1 << 20


class Held(Disk):
    """Stops at the next fsync (or large write) while it is held; fails there with `error`."""

    def __init__(self, at: str = "fsync") -> None:
        self.at = at
        self.error: int | type[Exception] = 0
        """Number or class of the error with which the next such operation fails, once."""
        self.reached = threading.Event()
        """Somebody waits."""
        self._open = threading.Event()
        self._open.set()

    def hold(self) -> None:
        self.reached.clear()
        self._open.clear()

    def let_go(self) -> None:
        self._open.set()

    def _pass(self, operation: str) -> None:
        if operation != self.at:
            return
        self.reached.set()
        assert self._open.wait(PATIENCE_S)
        error, self.error = self.error, 0
        if isinstance(error, type):
            raise error
        if error:
            raise OSError(error, os.strerror(error))

    def write(self, descriptor, data):
        if len(data) >= LARGE:
            self._pass("write")
        super().write(descriptor, data)

    def fsync(self, descriptor):
        self._pass("fsync")

    def sync_folder(self, path):
        pass


_timers: list[threading.Timer] = []


def later(act, seconds=0.2):
    """Call *act* in another thread so many seconds from now."""
    _timers.append(threading.Timer(seconds, act))
    _timers[-1].daemon = True
    _timers[-1].start()


def all_called():
    """Wait until nothing of `later` is to come, and its threads have ended."""
    while _timers:
        _timers.pop().join()


@contextmanager
def held(disk, let_go_after=None):
    """Hold *disk* inside; with *let_go_after* it is let go of so many seconds from now."""
    disk.hold()
    if let_go_after is not None:
        later(disk.let_go, let_go_after)
    try:
        yield
    finally:
        disk.let_go()


def due_sync(chp):
    """The answer of a `sync()` that is due."""
    while (answer := chp.sync()) is NOT_DUE:
        time.sleep(0.001)
    return answer


def written(chp):
    """Wait until the writer has ended, without a safe point."""
    deadline = time.monotonic() + PATIENCE_S
    while chp._run.engine.is_writing:
        assert time.monotonic() < deadline
        time.sleep(0.001)


FULL = errno.ENOSPC
