"""What `resume run` costs a program beside its saves: `python tests/bench/overhead.py`.

Programs in pure Python (`overhead_programs/`), each about a second or two, run plainly and under
`resume run --rate 30s`, in turns, each in a process of its own. A program takes its own time,
around `main()`: what starting takes is not in it (`starting.py` measures that), and no save falls
into it, for none is due so soon; the thread that waits for the first one is there. Both must give
the same answer.

Numbers are ratios of neighbours: `resume run` to plain, medians of all rounds, least and most; then
the geometric mean over the programs, and the worst.

With `--instructions`, machine instructions as well, counted by valgrind, on smaller sizes: what a
run of three parts takes beyond a run of one part, so that starting and ending drop out. They do not
depend on who else uses the machine.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).resolve().parent
CHECKOUT = HERE.parents[1]
PROGRAMS = tuple(sorted(path.stem for path in (HERE / "overhead_programs").glob("*.py")))
PARTS = 100
"""Of a program's size: one and three of them are counted under valgrind."""

TAIL = """

if __name__ == "__main__":
    import json, sys, time

    _began = time.process_time(), time.perf_counter()
    _answer = main(int(sys.argv[1]))
    _ended = time.process_time(), time.perf_counter()
    print(json.dumps([_ended[0] - _began[0], _ended[1] - _began[1], repr(_answer)]))
"""


class Unequal(Exception):
    """The program gave another answer under `resume run`, or failed."""


@dataclass(frozen=True)
class Trial:
    """One run of a program."""

    cpu_s: float
    wall_s: float
    answer: str


@dataclass
class Row:
    """All that was measured of one program."""

    name: str
    plain_s: list[float] = field(default_factory=list)
    """Processor seconds."""
    cpu: list[float] = field(default_factory=list)
    """Processor time under `resume run` to plain, round by round."""
    wall: list[float] = field(default_factory=list)
    instructions: float | None = None

    def add(self, plain: Trial, ours: Trial) -> None:
        """Take up one round."""
        if plain.answer != ours.answer:
            raise Unequal(f"{self.name}: {plain.answer} plainly, {ours.answer} under resume run")
        self.plain_s.append(plain.cpu_s)
        self.cpu.append(ours.cpu_s / plain.cpu_s)
        self.wall.append(ours.wall_s / plain.wall_s)


class Bench:
    """Programs in a folder of their own, with a cache and checkpoints of their own."""

    def __init__(self, folder: Path, rate: str) -> None:
        self.folder = folder
        self._ours = [sys.executable, "-m", "resume", "run", "--rate", rate]
        inherited = {name: text for name, text in os.environ.items() if name[:7] != "RESUME_"}
        self._environment = {
            **inherited,
            "PYTHONPATH": str(CHECKOUT),
            "PYTHONHASHSEED": "1",
            "XDG_CACHE_HOME": str(folder / "cache"),
        }

    def write(self, name: str) -> int:
        """Write the program that takes its own time; returns its usual size."""
        text = (HERE / "overhead_programs" / f"{name}.py").read_text(encoding="utf-8")
        (self.folder / f"{name}.py").write_text(text + TAIL, encoding="utf-8")
        found = re.search(r"^SIZE = ([\d_]+)$", text, re.MULTILINE)
        assert found is not None, name
        return int(found[1])

    def run(self, name: str, size: int, *, rewritten: bool) -> Trial:
        """Run a program once."""
        ended = self._run(self._words(name, size, rewritten=rewritten))
        cpu_s, wall_s, answer = json.loads(ended.stdout.splitlines()[-1])
        return Trial(cpu_s, wall_s, answer)

    def instructions(self, name: str, size: int, *, rewritten: bool) -> int:
        """Count the machine instructions of a whole process."""
        valgrind = ["valgrind", "--tool=cachegrind", "--cache-sim=no"]
        valgrind += ["--cachegrind-out-file=/dev/null"]
        ended = self._run(valgrind + self._words(name, size, rewritten=rewritten))
        found = re.search(r"I +refs: +([\d,]+)", ended.stderr)
        assert found is not None, ended.stderr
        return int(found[1].replace(",", ""))

    def _words(self, name: str, size: int, *, rewritten: bool) -> list[str]:
        return [*(self._ours if rewritten else [sys.executable]), f"{name}.py", str(size)]

    def _run(self, words: Sequence[str]) -> subprocess.CompletedProcess[str]:
        ended = subprocess.run(
            words, cwd=self.folder, env=self._environment, capture_output=True, text=True
        )
        if ended.returncode:
            raise Unequal(f"{' '.join(words)} ended with {ended.returncode}:\n{ended.stderr}")
        return ended


def measure(bench: Bench, name: str, *, repetitions: int, scale: float) -> Row:
    """Run one program plainly and rewritten, in turns."""
    size, row = max(1, round(bench.write(name) * scale)), Row(name)
    bench.run(name, 1, rewritten=True)  # from now on its code is kept
    for number in range(repetitions):
        order = (False, True) if number % 2 else (True, False)
        trials = {rewritten: bench.run(name, size, rewritten=rewritten) for rewritten in order}
        row.add(trials[False], trials[True])
    return row


def count(bench: Bench, name: str, *, scale: float) -> float:
    """The ratio of machine instructions of the program itself."""
    part = max(1, round(bench.write(name) * scale / PARTS))
    bench.run(name, 1, rewritten=True)
    plain, ours = (
        bench.instructions(name, 3 * part, rewritten=rewritten)
        - bench.instructions(name, part, rewritten=rewritten)
        for rewritten in (False, True)
    )
    return ours / plain


def table(rows: Sequence[Row]) -> str:
    """The table, with the geometric means and the worst below it."""
    lines = [
        "| program | plain | processor time | wall time | instructions |",
        "|---|---|---|---|---|",
    ]
    for row in rows:
        plain = f"{statistics.median(row.plain_s):.2f} s" if row.plain_s else "–"
        cells = [plain, spread(row.cpu), spread(row.wall), ratio(row.instructions)]
        lines.append(f"| {row.name} | {' | '.join(cells)} |")
    columns = columns_of(rows)
    means = [ratio(geometric_mean(list(column.values()))) for column in columns]
    worsts = [worst(column) for column in columns]
    lines.append(f"| **geometric mean** | | {' | '.join(means)} |")
    lines.append(f"| **worst** | | {' | '.join(worsts)} |")
    return "\n".join(lines)


def columns_of(rows: Sequence[Row]) -> list[dict[str, float]]:
    """By kind of measurement: the ratio of each program that has one."""
    return [
        {row.name: statistics.median(row.cpu) for row in rows if row.cpu},
        {row.name: statistics.median(row.wall) for row in rows if row.wall},
        {row.name: row.instructions for row in rows if row.instructions is not None},
    ]


def geometric_mean(ratios: Sequence[float]) -> float | None:
    """None where there is nothing."""
    return math.exp(statistics.fmean(map(math.log, ratios))) if ratios else None


def worst(ratios: Mapping[str, float]) -> str:
    """The greatest ratio, and whose it is."""
    if not ratios:
        return "–"
    name = max(ratios, key=lambda each: ratios[each])
    return f"{ratios[name]:.3f} ({name})"


def ratio(value: float | None) -> str:
    """In thousandths."""
    return "–" if value is None else f"{value:.3f}"


def spread(ratios: Sequence[float]) -> str:
    """Median, least and most."""
    if not ratios:
        return "–"
    return f"{statistics.median(ratios):.3f} ({min(ratios):.2f} to {max(ratios):.2f})"


def arguments(given: Sequence[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--programs", default=",".join(PROGRAMS), help="names, by commas")
    parser.add_argument("--repetitions", type=int, default=5, help="0: no times, only instructions")
    parser.add_argument("--rate", default="30s")
    parser.add_argument("--scale", type=float, default=1.0, help="of all sizes")
    parser.add_argument("--instructions", action="store_true", help="count them (valgrind)")
    return parser.parse_args(given)


def main(given: Sequence[str] | None = None) -> None:
    """Measure and print."""
    asked = arguments(given)
    if asked.instructions and shutil.which("valgrind") is None:
        sys.exit("--instructions needs valgrind, which is not installed")
    rows = []
    with tempfile.TemporaryDirectory(prefix="overhead-") as folder:
        for name in asked.programs.split(","):
            bench = Bench(Path(folder), asked.rate)
            row = measure(bench, name, repetitions=asked.repetitions, scale=asked.scale)
            if asked.instructions:
                slow = Bench(Path(folder), "1h")  # under valgrind 30 s are soon over
                row.instructions = count(slow, name, scale=asked.scale)
            rows.append(row)
            sys.stderr.write(f"{name}: {spread(row.cpu)} {ratio(row.instructions)}\n")
    sys.stdout.write(
        f"`resume run --rate {asked.rate}` to plain Python {sys.version.split()[0]}, medians of "
        f"{asked.repetitions} (least to most).\n\n{table(rows)}\n"
    )


if __name__ == "__main__":
    main()
