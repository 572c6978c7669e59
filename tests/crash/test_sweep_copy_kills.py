"""Programs with a copy of their sweep elsewhere, killed by SIGKILL at random moments."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter

import pytest
from processes import environment

from resume.sweep import ResumableSweep

ITEMS = 200
PROGRAM = """
import sys
from resume import ResumableSweep

def result(n):
    return n / 7 if n % 3 else (n, "x" * (n * 200 % 30_000))

where, durable = sys.argv[1:3]
print("begun", flush=True)
sweep = ResumableSweep(range(int(sys.argv[3])), checkpoint_path=where + "/grid", name="grid",
                       resume_from=sys.argv[4] or None, snapshot_dir=sys.argv[5] or None,
                       durable=durable == "yes" or "batch")
print("open", flush=True)
for n in sweep.pending:
    try:
        sweep.record(n, result(n))
    except Exception as why:
        if "has a result already" not in str(why):
            raise
sweep.close()
"""


def compiled():
    """The environment of a launch, which need not compile the package each time."""
    return {k: v for k, v in environment().items() if k != "PYTHONDONTWRITEBYTECODE"}


def expected(n):
    return n / 7 if n % 3 else (n, "x" * (n * 200 % 30_000))


def begin(folder, where, durable="yes", source="", copies="copies"):
    """A launch of the program, running."""
    program = folder / "program.py"
    if not program.exists():
        program.write_text(PROGRAM)
    return subprocess.Popen(
        [sys.executable, str(program), where, durable, str(ITEMS), source, copies],
        cwd=folder,
        env=compiled(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def end(launch):
    _, said = launch.communicate(timeout=100)
    assert launch.returncode in (0, -9), said
    return launch.returncode


def results_of(where):
    """What is recorded at *where*, each read in full, and its lines counted by item."""
    sweep = ResumableSweep(range(ITEMS), checkpoint_path=where / "grid", name="grid")
    found = dict(sweep.pairs())
    sweep.close()
    lines = (where / "grid.sweep.jsonl").read_text().splitlines()[1:]
    return found, Counter(json.loads(line)["key"] for line in lines)


@pytest.mark.parametrize(
    ("kills", "side_by_side", "durable"),
    [
        (3, 2, "yes"),
        *(
            pytest.param(40, n, how, marks=pytest.mark.slow)
            for n in (1, 3)
            for how in ("yes", "no")
        ),
    ],
)
@pytest.mark.filterwarnings("ignore:.*torn by a crash")
@pytest.mark.timeout(600)
def test_the_copy_of_a_killed_sweep_goes_on_elsewhere(tmp_path, kills, side_by_side, durable):
    """The machine is gone each time: a new one has the copy alone, and each result comes once."""
    rng = random.Random(os.environ.get("SWEEP_SEED", "1"))
    copy = tmp_path / "copies" / "grid" / "sweep.jsonl"
    killed = machine = 0
    while killed < kills:
        where = f"machine{machine}"
        launches = [begin(tmp_path, where, durable, "copies") for _ in range(side_by_side)]
        for launch in launches:
            launch.stdout.readline()
            launch.stdout.readline()
        for launch in launches:
            time.sleep(rng.random() * 0.02)
            launch.send_signal(signal.SIGKILL)
        killed += sum(end(launch) == -9 for launch in launches)

        whole = copy.read_bytes() if copy.exists() else b""
        whole = whole[: whole.rfind(b"\n") + 1]
        log = tmp_path / where / "grid.sweep.jsonl"
        assert (log.read_bytes() if log.exists() else b"").startswith(whole)
        if whole.count(b"\n") == ITEMS + 1:
            shutil.rmtree(tmp_path / "copies")
        machine += 1

    assert end(begin(tmp_path, "last", durable, "copies")) == 0
    found, lines = results_of(tmp_path / "last")
    assert found == {n: expected(n) for n in range(ITEMS)}
    assert lines == {str(n): 1 for n in range(ITEMS)}
    assert copy.read_bytes() == (tmp_path / "last" / "grid.sweep.jsonl").read_bytes()


@pytest.mark.parametrize("kills", [3, pytest.param(60, marks=pytest.mark.slow)])
@pytest.mark.parametrize("has_log", [False, True])
@pytest.mark.timeout(600)
def test_killed_amid_taking_in_leaves_none_or_all(tmp_path, kills, has_log):
    """And what was recorded here before is there in any case."""
    rng = random.Random(os.environ.get("SWEEP_SEED", "1"))
    offered = range(ITEMS)[:-20]
    with ResumableSweep(
        range(ITEMS), checkpoint_path=tmp_path / "source" / "grid", durable="batch"
    ) as sweep:
        for n in offered:
            sweep.record(n, expected(n))
    here = tmp_path / "here"
    with ResumableSweep(
        range(ITEMS), checkpoint_path=tmp_path / "before" / "grid", name="grid"
    ) as sweep:
        if has_log:
            sweep.record(ITEMS - 1, expected(ITEMS - 1))
    wanted = {ITEMS - 1} if has_log else set()
    (tmp_path / "before").mkdir(exist_ok=True)
    killed = 0
    while killed < kills:
        shutil.rmtree(here, ignore_errors=True)
        shutil.copytree(tmp_path / "before", here)
        launch = begin(tmp_path, "here", "no", "source/grid.sweep.jsonl", "")
        assert launch.stdout.readline() == "begun\n"
        time.sleep(rng.random() * 0.05)
        launch.send_signal(signal.SIGKILL)
        killed += end(launch) == -9

        log = here / "grid.sweep.jsonl"
        if log.exists() and log.stat().st_size:
            found, lines = results_of(here)
            assert set(found) == wanted or set(found) >= wanted | set(offered)
            assert found.items() <= {n: expected(n) for n in range(ITEMS)}.items()
            assert set(lines.values()) <= {1}

    assert end(begin(tmp_path, "here", "no", "source/grid.sweep.jsonl", "")) == 0
    found, lines = results_of(here)
    assert found == {n: expected(n) for n in range(ITEMS)}
    assert lines == {str(n): 1 for n in range(ITEMS)}
