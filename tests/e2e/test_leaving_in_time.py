"""Programs that have to be gone by a time: they are saved, and they have left before it."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
from schedulers import Commands

pytestmark = [pytest.mark.timeout(240), pytest.mark.untraced]  # a tracer holds off saves on 3.11

PLAIN = """
import sys, time
from resume import Checkpoint

def main(most):
    chp = Checkpoint("fit", rate=1000, before_end=sys.argv[2])
    done, total = 0, 0
    chp.restore()
    while done < most:
        time.sleep(0.01)
        done += 1
        total += done * done
        chp.sync()
    return total

print("result", main(int(sys.argv[1])))
"""
SCRIPT = """
import sys, time
done, total = 0, 0
while done < int(sys.argv[1]):
    time.sleep(0.01)
    done += 1
    total += done * done
print("result", total)
"""
WAYS = {
    "plain": lambda most, before_end, *_: ["fit.py", most, before_end],
    "run": lambda most, before_end, *more: [
        *("-m", "resume", "run", "--before-end", before_end, "--rate", "1000", *more),
        *("fit.py", most),
    ],
}
MANY = 10**9
"""Iterations that no test waits for."""


def start(way, most, before_end, *more, **environment):
    Path("fit.py").write_text(PLAIN if way == "plain" else SCRIPT, encoding="utf-8")
    words = [sys.executable, *WAYS[way](str(most), before_end, *more)]
    return subprocess.Popen(
        words,
        env={**os.environ, **environment},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def run(way, most, before_end="5m", *more, **environment):
    with start(way, most, before_end, *more, **environment) as child:
        out, err = child.communicate(timeout=120)
    return child.returncode, out, err


def newest(folder="."):
    """When the newest generation was committed, and its manifest."""
    *_, path = sorted(Path(folder).glob(".checkpoints/fit/*.manifest.json"))
    return path.stat().st_mtime, json.loads(path.read_text(encoding="utf-8"))


def done_by(manifest):
    rows = {row["name"]: row for row in manifest["variables"]}
    return int(rows["done"]["preview"])


@pytest.mark.parametrize("way", WAYS)
def test_saved_and_gone_before_the_end_of_the_job(way):
    """The scheduler tells the end: the program leaves ahead of it. A rerun without one goes on."""
    end = int(time.time()) + 60

    code, out, err = run(way, MANY, "59s", SLURM_JOB_END_TIME=str(end))

    gone = time.time()
    committed, manifest = newest()
    assert (code, out) == (143, "")
    assert end - 59 <= committed <= gone < end
    assert manifest["trigger"] == "deadline"
    assert "⏱ wall clock: " in err or "⚠ wall clock: " in err
    assert "fit: saved as generation 1 (SLURM_JOB_END_TIME: " in err
    most = done_by(manifest) + 5
    without = {"RESUME_DEADLINE": "none" if way == "plain" else "1"}
    code, out, err = run(way, most, "5m", "--deadline", "none", **without)
    assert (code, out) == (0, f"result {sum(k * k for k in range(1, most + 1))}\n"), err


SLOW = """
import time
from datetime import datetime, timedelta
from resume import Checkpoint

class Slow:
    def __reduce__(self):
        time.sleep(3)
        return Slow, ()

def main():
    end = datetime.now() + timedelta(seconds=10)
    chp = Checkpoint("fit", rate=1000, at_start=True, deadline=end, before_end=0)
    slow, done = Slow(), 0
    chp.restore()
    while True:
        time.sleep(0.1)
        done += 1
        chp.sync()

main()
"""


@pytest.mark.slow
def test_a_slow_save_moves_the_leave_ahead():
    """`before_end` is nothing here: what was measured says that the last save takes seconds."""
    Path("fit.py").write_text(SLOW, encoding="utf-8")

    child = subprocess.run(
        [sys.executable, "fit.py"], capture_output=True, text=True, timeout=120, check=False
    )

    _, manifest = newest()
    assert manifest["number"] == 2
    assert (child.returncode, manifest["trigger"]) == (143, "deadline")
    assert "(deadline): will save and leave at 9s" in child.stderr
    told = re.search(r"\(deadline: (\d)s left, a save takes up to [3-9]s and", child.stderr)
    assert told is not None, child.stderr
    assert 1 <= int(told[1]) <= 9


@pytest.mark.slow
def test_90_seconds_ahead(tmp_path, monkeypatch):
    """`SLURM_JOB_END_TIME` 90 s ahead and 30 s before the end: saved after 55 to 65 s, and gone."""
    end = int(time.time()) + 90
    children = {}
    for way in WAYS:
        folder = tmp_path / way
        folder.mkdir()
        monkeypatch.chdir(folder)
        children[way] = start(way, MANY, "30s", SLURM_JOB_END_TIME=str(end))

    for way, child in children.items():
        with child:
            out, err = child.communicate(timeout=120)
        gone = time.time()
        committed, manifest = newest(tmp_path / way)
        assert (child.returncode, out) == (143, ""), err
        assert manifest["trigger"] == "deadline"
        assert 55 <= committed - (end - 90) <= 65
        assert gone < end
        assert re.search(r"left \(SLURM_JOB_END_TIME\): will save and leave at [45]\ds", err)


def test_a_job_of_slurm_without_the_variable(tmp_path, monkeypatch):
    """`squeue` is asked, the state saved, and `scontrol` puts the job into the queue again."""
    commands = Commands(tmp_path / "bin")
    monkeypatch.setenv("PATH", f"{commands.folder}:{os.environ['PATH']}")
    commands.prints("squeue", "0:03", words="-h -j 123 -o %L")
    commands.does("scontrol", "ls .checkpoints/fit/*.manifest.json >durable")
    Path("fit.py").write_text(SCRIPT, encoding="utf-8")

    child = subprocess.run(
        [
            *(sys.executable, "-m", "resume", "run", "--before-end", "2", "--requeue", "slurm"),
            *("fit.py", str(MANY)),
        ],
        env={**os.environ, "SLURM_JOB_ID": "123"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

    assert child.returncode == 143, child.stderr
    assert commands.calls("scontrol") == ["requeue 123"]
    assert Path("durable").read_text(encoding="utf-8").count("manifest") == 1
    assert "↻ job 123 is in Slurm's queue again (scontrol requeue)" in child.stderr
    assert len(commands.calls("squeue")) == 1
