"""Clocks that a deadline is read on, and when the process began.

A scheduler's time of day is read on the wall clock, as the scheduler reads it: where that is set,
the deadline moves with it. A duration is read on a clock that nobody sets, and that goes on while
the machine sleeps, for whoever has granted the time counts it on.
"""

from __future__ import annotations

import functools
import os
import time

# Linux: CLOCK_MONOTONIC stands still while the machine sleeps. macOS: it does not, and what
# `time.monotonic` reads does.
_SINCE_BOOT = getattr(time, "CLOCK_BOOTTIME", getattr(time, "CLOCK_MONOTONIC", None))

wall_clock = time.time


def since_boot() -> float:
    """Seconds on a clock that nobody sets, and that goes on while the machine sleeps."""
    return time.monotonic() if _SINCE_BOOT is None else time.clock_gettime(_SINCE_BOOT)


@functools.lru_cache(maxsize=1)
def process_began() -> float:
    """When this process began, on the clock of `since_boot`.

    Where the system does not tell, it is the first time that this was asked for.
    """
    began = began_of("self")
    return since_boot() if began is None else began


def began_of(process: str) -> float | None:
    """When a process of this machine began, as Linux tells; None: it does not."""
    try:
        # the start is the 22nd field, and the third the first behind the name
        began = int(_stat(process)[19]) / os.sysconf("SC_CLK_TCK")
    except (OSError, ValueError, IndexError):
        return None
    return began if 0 < began <= since_boot() else None


def outermost_with(mark: str) -> float:
    """When the outermost process above this one began that bears *mark* in its environment.

    Where none does, or the system does not tell, this one.
    """
    began, process = process_began(), os.getppid()
    while process > 1 and _bears(process, mark.encode()):
        began = began_of(str(process)) or began
        process = _parent_of(process)
    return began


def _stat(process: str) -> list[str]:
    with open(f"/proc/{process}/stat", encoding="utf-8", errors="replace") as file:  # noqa: PTH123
        # the name of the program may hold spaces and brackets
        return file.read().rpartition(")")[2].split()


def _parent_of(process: int) -> int:
    try:
        return int(_stat(str(process))[1])
    except (OSError, ValueError, IndexError):
        return 0


def _bears(process: int, mark: bytes) -> bool:
    try:
        with open(f"/proc/{process}/environ", "rb") as file:  # noqa: PTH123
            return mark in file.read().split(b"\0")
    except OSError:
        return False
