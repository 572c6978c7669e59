"""Ten thousand generations of a small state: `python tests/bench/many.py`. Nothing may grow.

Told at the start, after a tenth and at the end: memory, open files, threads, files and bytes on the
disk; and the time of a save in the first and in the last tenth. The first tenth is where caches of
Python and of the allocator fill up, so growth is what comes after it. Ends with status 1 where
something grew.

No fsync unless asked for: what grows does so with it or without it, and it is the disk that would
be measured.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import sys
import tempfile
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

HERE = Path(__file__).resolve().parent
for _place in (str(HERE), str(HERE.parents[1])):
    if _place not in sys.path:
        sys.path.insert(0, _place)

from peers_memory import resident_bytes  # noqa: E402 - run as a script from anywhere
from peers_states import Small  # noqa: E402
from peers_table import show_bytes, show_seconds  # noqa: E402

from resume import Checkpoint  # noqa: E402

MEMORY_SLACK = 2 << 20
"""What the allocator may keep or give back between two looks."""
TIME_SLACK = 1.5
DISK_SLACK = 1.5
"""The newest generations differ in size by what a compaction has just removed."""


@dataclass
class Look:
    """What the process and its folder hold at one moment."""

    generations: int
    resident: int
    open_files: int
    threads: int
    files: int
    disk: int


def look(generations: int, folder: Path) -> Look:
    """Look at this process and at *folder*."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    return Look(
        generations,
        resident_bytes() or 0,
        len(os.listdir("/proc/self/fd")) if Path("/proc/self/fd").exists() else 0,
        threading.active_count(),
        len(files),
        sum(path.stat().st_size for path in files),
    )


class _Now:
    """What `program` is run for; its own variables are the state."""

    options: dict[str, Any]
    state: Small
    generations: int
    marks: Sequence[int]
    look: Callable[[int, Path], Look]
    folder: Path
    times: list[float]
    looks: list[Look]


def program() -> None:
    """What a user writes."""
    chp = Checkpoint("many", rate=0, keep=3, on_save_error="raise", **_Now.options)
    state = _Now.state.value
    chp.restore()
    drive(chp)
    del state


def drive(chp: Checkpoint) -> None:
    """Change and save, and look from time to time."""
    for number in range(1, _Now.generations + 1):
        _Now.state.change()
        began = perf_counter()
        if not chp.save():
            raise RuntimeError("a save saved nothing")
        _Now.times.append(perf_counter() - began)
        if number in _Now.marks:
            _Now.looks.append(_Now.look(number, _Now.folder))


def growth(looks: Sequence[Look], early_s: float, late_s: float) -> list[str]:
    """What grew after the first tenth, in words."""
    _, tenth, end = looks
    grown = []
    if end.resident > tenth.resident + MEMORY_SLACK:
        grown.append(f"memory by {show_bytes(end.resident - tenth.resident)}")
    for name in ("open_files", "threads", "files"):
        if getattr(end, name) > getattr(tenth, name):
            grown.append(f"{name} from {getattr(tenth, name)} to {getattr(end, name)}")
    if end.disk > tenth.disk * DISK_SLACK:
        grown.append(f"disk from {show_bytes(tenth.disk)} to {show_bytes(end.disk)}")
    if late_s > early_s * TIME_SLACK:
        grown.append(f"a save from {show_seconds(early_s)} to {show_seconds(late_s)}")
    return grown


def measure(
    marks: Sequence[int],
    folder: Path,
    *,
    fsync: bool,
    look: Callable[[int, Path], Look] = look,
) -> tuple[list[Look], list[float]]:
    """Save as often as the last of *marks* says.

    Returns:
        A look after each of *marks* saves, and the seconds of each save.
    """
    _Now.options = {"folder": folder, "fsync": fsync}
    _Now.state, _Now.generations, _Now.folder = Small(0), marks[-1], folder
    _Now.marks, _Now.look = marks, staticmethod(look)
    _Now.times, _Now.looks = [], []
    program()
    return _Now.looks, _Now.times


def report(looks: Sequence[Look], early: Sequence[float], late: Sequence[float]) -> str:
    """Everything that was seen, as text."""
    lines = [
        "| generations | memory | open files | threads | files | disk |",
        "|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {one.generations} | {show_bytes(one.resident)} | {one.open_files} | {one.threads} | "
        f"{one.files} | {show_bytes(one.disk)} |"
        for one in looks
    ]
    for name, times in (("first", early), ("last", late)):
        ordered = sorted(times)
        lines.append(
            f"\na save, {name} {len(times)}: median {show_seconds(statistics.median(times))}, "
            f"nine in ten under {show_seconds(ordered[len(ordered) * 9 // 10])}"
        )
    return "\n".join(lines)


def main(given: Sequence[str] | None = None) -> None:
    """Measure, print, and end with status 1 where something grew."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--generations", type=int, default=10_000)
    parser.add_argument("--fsync", action="store_true")
    parser.add_argument("--folder", type=Path, help="on the disk to measure (default: temporary)")
    asked = parser.parse_args(given)
    tenth = asked.generations // 10
    folder = Path(tempfile.mkdtemp(prefix="many-", dir=asked.folder))
    try:
        marks = (1, tenth, asked.generations)
        looks, times = measure(marks, folder, fsync=asked.fsync)
    finally:
        shutil.rmtree(folder)
    early, late = times[:tenth], times[-tenth:]
    sys.stdout.write(report(looks, early, late) + "\n")
    grown = growth(looks, statistics.median(early), statistics.median(late))
    sys.stdout.write(f"\ngrew: {'; '.join(grown) or 'nothing'}\n")
    sys.exit(bool(grown))


if __name__ == "__main__":
    main()
