"""Items that save themselves: killed or preempted, they go on in their middle, in other workers."""

from __future__ import annotations

import os
import signal
from collections import Counter

import pytest
from crash.signalled import Program

PROGRAM = """
import os, sys, time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from resume import Checkpoint, ResumableSweep, resumable, save

STEPS, HELD = 300, 20

def note(n, k):
    with open(f"steps-{n}", "a") as out:
        out.write(f"{k}\\n")

# what is printed goes out in one piece, for others print as well
def hold(n, k):
    if sys.argv[3] == "hold" and k == HELD:
        print(f"holding {n} {os.getpid()}\\n", end="", flush=True)
        while not os.path.exists("free"):
            time.sleep(0.005)
    elif k > HELD and not os.path.exists("free"):
        time.sleep(0.25)  # or the items might be done before the signal comes

def plain(n):
    rate = 0 if sys.argv[3] == "hold" else "1h"
    chp = Checkpoint(name="{key}", rate=rate, background=False, fsync=False)
    total = 0
    chp.restore()
    for k in chp.loop(range(STEPS)):
        total += n * k
        note(n, k)
        hold(n, k)
    return total

@resumable(name="item {key}", rate="1h")
def resumed(n):
    total = 0
    for k in range(STEPS):
        total += n * k
        note(n, k)
        if k == HELD and sys.argv[3] == "hold":
            save()
        hold(n, k)
    return total

HOW = {
    "serial": None,
    "threads": lambda: ThreadPoolExecutor(2),
    "processes": lambda: ProcessPoolExecutor(2),
}

if __name__ == "__main__":
    os.setpgid(0, 0)
    sweep = ResumableSweep([3, 4], key=lambda n: f"../n={n}", checkpoint_path="grid")
    sweep.map(globals()[sys.argv[2]], HOW[sys.argv[1]], grace="100s")
    print(list(sweep.completed))
"""
STEPS, HELD = 300, 20
RESULT = str([n * sum(range(STEPS)) for n in (3, 4)]) + "\n"


def steps(folder):
    """How often each step of each item was made."""
    return {
        n: Counter(map(int, (folder / f"steps-{n}").read_text().split()))
        for n in (3, 4)
        if (folder / f"steps-{n}").exists()
    }


def finish(folder, *words):
    """A launch to the end: all results, and no checkpoint is left of any item."""
    (folder / "free").touch()
    ended = Program(folder, PROGRAM, "program.py", *words).ended()
    assert ended.code == 0, ended
    assert ended.out.endswith(RESULT)
    assert [path.name for path in (folder / ".checkpoints").iterdir()] == [".gitignore"]
    return ended


def held_by(launch, count):
    """The processes that hold the items, when they have been held so often together."""
    launch.wait_for(lambda: sum(line.startswith("holding") for line in launch.lines) >= count)
    return [int(line.split()[2]) for line in launch.lines if line.startswith("holding")]


@pytest.mark.parametrize("kind", ["plain", "resumed"])
def test_an_item_whose_worker_is_killed_goes_on_in_another(tmp_path, kind):
    """In this launch and in the next: no item begins at its beginning again."""
    launch = Program(tmp_path, PROGRAM, "program.py", "processes", kind, "hold").start()
    for pid in held_by(launch, 2):
        os.kill(pid, signal.SIGKILL)
    held_by(launch, 4)  # each alone, in a pool of its own
    assert launch.killed().code == -signal.SIGKILL

    finish(tmp_path, "processes", kind, "hold")

    again = {HELD: 3} if kind == "plain" else {}  # it is saved behind a step, or in it
    for made in steps(tmp_path).values():
        assert made == Counter(range(STEPS)) | Counter(again)


@pytest.mark.shared
@pytest.mark.parametrize(
    ("kind", "first", "then"),
    [
        ("plain", "serial", "processes"),
        ("plain", "threads", "serial"),
        ("plain", "processes", "threads"),
        ("resumed", "processes", "serial"),
        ("resumed", "serial", "processes"),
    ],
)
def test_a_preempted_item_goes_on_where_it_was(tmp_path, kind, first, then):
    """Elsewhere, too: no step is made twice."""
    launch = Program(tmp_path, PROGRAM, "program.py", first, kind, "run").start()
    many = 1 if first == "serial" else 2
    launch.wait_for(
        lambda: sum(sum(made.values()) > HELD for made in steps(tmp_path).values()) >= many
    )
    os.killpg(launch.process.pid, signal.SIGTERM)
    ended = launch.ended()
    assert ended.code == 143, ended
    assert all(sum(made.values()) < STEPS for made in steps(tmp_path).values())

    finish(tmp_path, then, kind, "run")

    assert steps(tmp_path) == {n: Counter(range(STEPS)) for n in (3, 4)}
