"""What this process holds and writes, as Linux tells it; None where the system does not say."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

_SELF = Path("/proc/self")
_PAGE = 4096


def touch_free_memory(size_bytes: int) -> None:
    """Use so much memory and give it back, so that the next to need memory gets pages in use.

    A virtual machine hands free memory back to its host after seconds, and takes a page back ten
    times slower than it copies into one: measured, 128 MiB to a new file take 0.035 s or 0.38 s.
    An array this large comes in huge pages, so nothing between them is left out; small pages
    (MAP_POPULATE) were tried, and leave every third save slow.
    """
    free = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    array = np.empty(min(size_bytes, free * 3 // 4) or 1, dtype=np.uint8)
    array[::_PAGE] = 1


def _kib(file: str, field: str) -> int | None:
    try:
        for line in (_SELF / file).read_text().splitlines():
            if line.startswith(f"{field}:"):
                return int(line.split()[1])
    except OSError:
        pass
    return None


def _in_bytes(kib: int | None) -> int | None:
    return None if kib is None else kib * 1024


def resident_bytes() -> int | None:
    """Memory that the process has now."""
    return _in_bytes(_kib("status", "VmRSS"))


def peak_bytes() -> int | None:
    """The most memory that the process has had since `forget_peak`."""
    return _in_bytes(_kib("status", "VmHWM"))


def forget_peak() -> None:
    """Let `peak_bytes` start anew from what the process has now."""
    try:
        (_SELF / "clear_refs").write_text("5")
    except OSError:
        pass  # the peak is then told as unknown: see peers_trial.py


def can_forget_peak() -> bool:
    """Whether `forget_peak` has an effect here."""
    try:
        (_SELF / "clear_refs").write_text("5")
    except OSError:
        return False
    return peak_bytes() is not None


def private_bytes() -> int:
    """Memory that no other process shares: after a fork, what the fork has cost so far."""
    parts = (_kib("smaps_rollup", "Private_Clean"), _kib("smaps_rollup", "Private_Dirty"))
    return sum(part * 1024 for part in parts if part is not None)


def written_bytes() -> int | None:
    """What the process, its threads and the children that it waited for have written so far."""
    return _kib("io", "wchar")
