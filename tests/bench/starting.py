"""How much longer a script takes to start under `resume run`: `python tests/bench/starting.py`.

A script of 500 lines (functions and classes of the programs in `overhead_programs/`, which are
only defined) is started plainly, by `resume run` for the first time, and again, when its code is
kept; in turns. Told is the processor time of the whole process, and what it took beyond the plain
one of the same round. The interpreter starts itself once more where the hash seed is not pinned; so
all is measured with the seed pinned by the environment, too.
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from overhead import CHECKOUT, HERE, PROGRAMS

LINES = 500
WAYS = ("plain", "first start", "second start")


def script(lines: int = LINES) -> str:
    """So many lines of definitions."""
    texts = [(HERE / "overhead_programs" / f"{name}.py").read_text() for name in PROGRAMS]
    texts = [text for text in texts if "import" not in text]  # what both need would cost nothing
    every = "\n".join(texts).splitlines()
    while lines < len(every) and every[lines][:1] not in ("", "#"):  # to the end of a block
        lines -= 1
    return "\n".join(every[:lines]) + "\n"


@dataclass
class Start:
    """What one way of starting took, in milliseconds of processor time."""

    all_ms: list[float] = field(default_factory=list)
    more_ms: list[float] = field(default_factory=list)
    """Than the plain start of the same round."""


class Starts:
    """Starts of one script, with a cache of its own."""

    def __init__(self, folder: Path, *, pinned: bool) -> None:
        self._folder, self._cache = folder, folder / "cache"
        (folder / "script.py").write_text(script())
        inherited = {name: text for name, text in os.environ.items() if name[:7] != "RESUME_"}
        for name in ("PYTHONHASHSEED", "PYTHONDONTWRITEBYTECODE"):
            inherited.pop(name, None)
        own = {"PYTHONPATH": str(CHECKOUT), "XDG_CACHE_HOME": str(self._cache)}
        self._environment = {**inherited, **own, **({"PYTHONHASHSEED": "1"} if pinned else {})}

    def round(self) -> dict[str, float]:
        """Start in all ways, once each."""
        shutil.rmtree(self._cache, ignore_errors=True)
        ours = ("-m", "resume", "run", "script.py")
        return dict(zip(WAYS, map(self._ms, [("script.py",), ours, ours]), strict=True))

    def _ms(self, words: Sequence[str]) -> float:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(
            [sys.executable, *words], cwd=self._folder, env=self._environment, check=True
        )
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return 1000 * (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)


def measure(folder: Path, *, pinned: bool, repetitions: int) -> dict[str, Start]:
    """Start in turns."""
    starts, found = Starts(folder, pinned=pinned), {way: Start() for way in WAYS}
    starts.round()  # the package is compiled, and on the disk's cache
    for _ in range(repetitions):
        took = starts.round()
        for way, ms in took.items():
            found[way].all_ms.append(ms)
            found[way].more_ms.append(ms - took["plain"])
    return found


def rows(seed: str, found: dict[str, Start]) -> list[str]:
    """The rows of the table."""
    return [
        f"| {seed} | {way} | {spread(start.all_ms)} | {spread(start.more_ms)} |"
        for way, start in found.items()
    ]


def spread(values: Sequence[float]) -> str:
    """Median, least and most."""
    return f"{statistics.median(values):.0f} ({min(values):.0f} to {max(values):.0f})"


def main(given: Sequence[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--repetitions", type=int, default=21)
    asked = parser.parse_args(given)
    lines = ["| hash seed | start | ms of processor time | more than plain |", "|---|---|---|---|"]
    for seed in ("random", "pinned"):
        with tempfile.TemporaryDirectory(prefix="starting-") as folder:
            pinned = seed == "pinned"
            lines += rows(seed, measure(Path(folder), pinned=pinned, repetitions=asked.repetitions))
    sys.stdout.write(
        f"Script of {LINES} lines, Python {sys.version.split()[0]}, medians of "
        f"{asked.repetitions} (least to most).\n\n" + "\n".join(lines) + "\n"
    )


if __name__ == "__main__":
    main()
