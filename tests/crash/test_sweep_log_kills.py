"""Programs that record into one sweep, killed by SIGKILL at random moments."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest
from processes import environment

from resume.sweep import ResumableSweep

ITEMS = 300
PROGRAM = """
import sys
from resume import ResumableSweep

def result(n):
    return n / 7 if n % 3 else (n, "x" * (n * 100 % 30_000))

sweep = ResumableSweep(range(int(sys.argv[1])), checkpoint_path="grid", durable="batch")
print("begun", flush=True)
for n in sweep.pending:
    try:
        sweep.record(n, result(n))
    except Exception as why:
        if "has a result already" not in str(why):
            raise
"""


def compiled():
    """The environment of a launch, which need not compile the package each time."""
    return {k: v for k, v in environment().items() if k != "PYTHONDONTWRITEBYTECODE"}


def expected(n):
    return n / 7 if n % 3 else (n, "x" * (n * 100 % 30_000))


def begin(folder):
    """A launch of the program, running."""
    program = folder / "program.py"
    if not program.exists():
        program.write_text(PROGRAM)
    return subprocess.Popen(
        [sys.executable, str(program), str(ITEMS)],
        cwd=folder,
        env=compiled(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def kill_at_random(folder, kills, rng, side_by_side):
    """Launch so many at once, kill each a moment after it began, until *kills* have been killed."""
    killed = 0
    while killed < kills:
        launches = [begin(folder) for _ in range(side_by_side)]
        for launch in launches:
            launch.stdout.readline()
        for launch in launches:
            time.sleep(rng.random() * 0.01)
            launch.send_signal(signal.SIGKILL)
        for launch in launches:
            _, said = launch.communicate(timeout=60)
            assert launch.returncode in (0, -9), said
            killed += launch.returncode == -9
        if not ResumableSweep(range(ITEMS), checkpoint_path=folder / "grid").pending:
            Path(folder / "grid.sweep.jsonl").unlink()
            (folder / "grid.sweep.jsonl.results").unlink(missing_ok=True)
            (folder / "grid.sweep.manifest.json").unlink(missing_ok=True)


def check_whole(folder):
    """Run to the end: every item is in the log exactly once, with its result."""
    launch = begin(folder)
    _, said = launch.communicate(timeout=100)
    assert launch.returncode == 0, said
    sweep = ResumableSweep(range(ITEMS), checkpoint_path=folder / "grid")
    assert list(sweep.completed) == [expected(n) for n in range(ITEMS)]
    lines = (folder / "grid.sweep.jsonl").read_text().splitlines()[1:]
    counts = Counter(json.loads(line)["key"] for line in lines)
    assert counts == {str(n): 1 for n in range(ITEMS)}


@pytest.mark.parametrize(
    ("kills", "side_by_side"),
    [(4, 2), *(pytest.param(50, n, marks=pytest.mark.slow) for n in (1, 4))],
)
@pytest.mark.timeout(600)
def test_killed_while_recording_nothing_is_lost_or_doubled(tmp_path, kills, side_by_side):
    """By one program, and by several side by side on one log."""
    rng = random.Random(os.environ.get("SWEEP_SEED", "1"))

    kill_at_random(tmp_path, kills, rng, side_by_side)

    check_whole(tmp_path)
