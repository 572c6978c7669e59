"""Functions of another module, that a resumable one calls."""

from __future__ import annotations

import os
import time

from resume import resumable

PAUSE_S = float(os.environ.get("PAUSE_S", "0"))


def pause() -> None:
    """Give a save room, in a run that is to die behind one."""
    time.sleep(PAUSE_S)


@resumable
def slow(n):
    """Take a while."""
    total = 0
    for i in range(4):
        pause()
        total += i * n
    return total


class Tool:
    """Is used."""

    @resumable
    def __init__(self, size):
        self.size = 0
        while self.size < size:
            pause()
            self.size += 1

    @resumable
    def use(self, n):
        """Take a while."""
        for _ in range(3):
            pause()
        return self.size * n
