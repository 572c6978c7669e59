"""Functions of another module, that a resumable one calls."""

from __future__ import annotations

import time

from resume import resumable


@resumable
def slow(n):
    """Take a while."""
    total = 0
    for i in range(4):
        time.sleep(0.0005)
        total += i * n
    return total


class Tool:
    """Is used."""

    @resumable
    def __init__(self, size):
        self.size = 0
        while self.size < size:
            time.sleep(0.0005)
            self.size += 1

    @resumable
    def use(self, n):
        """Take a while."""
        for _ in range(3):
            time.sleep(0.0005)
        return self.size * n
