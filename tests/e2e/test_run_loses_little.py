"""Killed at any moment, a script loses `rate` and the time of one save at most."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path

import pytest

pytestmark = [pytest.mark.timeout(120), pytest.mark.untraced]  # a tracer holds off saves on 3.11

RATE_S = 0.6

DRIVER = """
import sys
import resume.execution
from resume.script.command import run

resume.execution._LEAST_WORK = 0.0  # a slow machine's saves are dear, and would be made less often
run(sys.argv[1:])
"""

SCRIPT = """
import os, resume, time

def note(*words):
    "A file that is not open between two lines is not cut back."
    file = os.open("log", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(file, (" ".join(map(str, words)) + "\\n").encode())
    os.close(file)

for _ in range(3):
    began = time.monotonic()
    resume.save()
    note("save", 0, time.monotonic() - began)
step = 0
while True:
    step += 1
    note(os.getpid(), step, time.monotonic())
    time.sleep(0.002)
"""


def notes(of: str) -> dict[int, float]:
    """When one process came to each step; of `save`, what each took."""
    if not Path("log").exists():
        return {}
    rows = [line.split() for line in Path("log").read_text().splitlines()]
    return {
        int(step) or number: float(at) for number, (who, step, at) in enumerate(rows) if who == of
    }


def lived(seconds: float) -> tuple[dict[int, float], float]:
    """Start it, and kill it so many seconds behind its first step.

    Returns its steps, and how late the machine was at most to wake up one who slept meanwhile.
    """
    words = ["-c", DRIVER, "--rate", str(RATE_S), "script.py"]
    with subprocess.Popen([sys.executable, *words]) as process:
        while not notes(str(process.pid)):
            assert process.poll() is None
            time.sleep(0.005)
        late, until = 0.0, time.monotonic() + seconds
        while (now := time.monotonic()) < until:
            time.sleep(0.005)
            late = max(late, time.monotonic() - now - 0.005)
        process.kill()
    return notes(str(process.pid)), late


def test_a_kill_loses_the_rate_and_the_time_of_one_save_at_most(monkeypatch):
    """Of whatever was done: told by where the next run goes on, and when this one came there."""
    monkeypatch.setenv("PYTHONHASHSEED", "7")
    Path("script.py").write_text(SCRIPT)
    seed = int.from_bytes(os.urandom(4), "little")
    draw = random.Random(seed)

    lives = [lived(RATE_S * draw.uniform(at, at + 1)) for at in (1, 1.5, 0)]

    save_s = max(notes("save").values())
    for (steps, late_s), (after, _) in pairwise(lives):
        times = list(steps.values())
        lost_s = times[-1] - steps.get(next(iter(after)), times[-1])
        stalled_s = max(later - earlier for earlier, later in pairwise(times))
        most_s = RATE_S + 2 * (save_s + stalled_s + late_s)
        assert lost_s <= most_s, (seed, lost_s, save_s, stalled_s, late_s)
        assert next(iter(after)) >= next(iter(steps))
