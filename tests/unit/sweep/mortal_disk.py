"""A disk whose process dies before one of its operations."""

from __future__ import annotations

from resume.store.files import Disk


class Died(BaseException):
    """The process is gone; what comes after in its code never ran."""


class MortalDisk(Disk):
    """Dies before an operation that changes something, and lets nothing be changed after."""

    def __init__(self, steps):
        self.steps = steps

    def _step(self):
        self.steps -= 1
        if self.steps < 0:
            raise Died

    def create(self, path):
        self._step()
        return super().create(path)

    def write(self, descriptor, data):
        if self.steps == 0:
            super().write(descriptor, bytes(data[: len(data) // 2]))
        self._step()
        super().write(descriptor, data)

    def fsync(self, descriptor):
        self._step()
        super().fsync(descriptor)

    def rename(self, source, target):
        self._step()
        super().rename(source, target)

    def unlink(self, path):
        self._step()
        super().unlink(path)

    def sync_folder(self, path):
        self._step()
        super().sync_folder(path)
