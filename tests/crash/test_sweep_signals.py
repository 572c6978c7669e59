"""Sweeps whose programs are sent signals, as by a terminal or a scheduler: to all of the group."""

from __future__ import annotations

import os
import signal

import pytest
from crash.signalled import Program

PROGRAM = """
import multiprocessing, os, sys, time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from resume import ResumableSweep

# what is printed goes out in one piece, for others print as well
def work(n):
    print(f"begun {n}\\n", end="", flush=True)
    while not os.path.exists("free"):
        time.sleep(0.005)
    return n * n

SPAWN = multiprocessing.get_context("spawn")
HOW = {
    "serial": None,
    "threads": lambda: ThreadPoolExecutor(2),
    "processes": lambda: ProcessPoolExecutor(2),
    "spawned": lambda: ProcessPoolExecutor(2, mp_context=SPAWN),
}

if __name__ == "__main__":
    os.setpgid(0, 0)  # the test's own process is no part of the group
    sweep = ResumableSweep(range(6), checkpoint_path="grid")
    sweep.map(work, HOW[sys.argv[1]], grace=sys.argv[2])
    print(list(sweep.completed))
"""
ALL = "[0, 1, 4, 9, 16, 25]\n"
STATUS = {signal.SIGINT: -signal.SIGINT, signal.SIGTERM: 143}


def begin(folder, how, grace):
    """A launch of it, when all of its workers are at work."""
    launch = Program(folder, PROGRAM, "program.py", how, grace).start()
    for n in range(1 if how == "serial" else 2):
        launch.wait_for_line(f"begun {n}")
    return launch


def press(launch, number):
    """Send it to all processes of the launch, and wait until it is answered."""
    os.killpg(launch.process.pid, number)
    launch.wait_for(lambda: "waiting up to" in "".join(launch._errors))


def finish(folder, how):
    """What a rerun prints."""
    (folder / "free").touch()
    ended = Program(folder, PROGRAM, "program.py", how, "60s").ended()
    assert ended.code == 0, ended
    return ended.out


@pytest.mark.shared
@pytest.mark.parametrize(
    ("how", "number"),
    [
        ("serial", signal.SIGINT),
        ("serial", signal.SIGTERM),
        ("threads", signal.SIGTERM),
        ("processes", signal.SIGINT),
        ("processes", signal.SIGTERM),
        ("spawned", signal.SIGTERM),
    ],
)
def test_what_runs_comes_to_its_end_and_is_recorded(tmp_path, how, number):
    """No worker dies under its item, and a rerun works on the rest only."""
    launch = begin(tmp_path, how, "100s")

    press(launch, number)
    (tmp_path / "free").touch()
    ended = launch.ended()

    assert ended.code == STATUS[number], ended
    begun = {line for line in ended.out.splitlines() if line.startswith("begun")}
    rest = finish(tmp_path, how)
    assert rest.endswith(ALL)
    assert begun.isdisjoint(rest.splitlines())
    assert len(begun) + rest.count("begun") == 6


@pytest.mark.shared
@pytest.mark.parametrize("how", ["processes", "spawned"])
def test_behind_the_grace_the_workers_end(tmp_path, how):
    """The reader of their output comes to its end, and what they had in hand runs again."""
    launch = begin(tmp_path, how, "0.3s")

    press(launch, signal.SIGTERM)
    ended = launch.ended()

    assert ended.code == 143, ended
    assert "still run; their results are lost, and a rerun works on them\n" in ended.err
    assert finish(tmp_path, how).endswith(ALL)


def test_one_by_one_the_signal_acts_behind_the_grace(tmp_path):
    launch = begin(tmp_path, "serial", "0.3s")

    press(launch, signal.SIGTERM)
    ended = launch.ended()

    assert ended.code == -signal.SIGTERM, ended
    assert finish(tmp_path, "serial").endswith(ALL)


@pytest.mark.parametrize("how", ["serial", "processes"])
def test_a_second_ctrl_c_leaves_at_once(tmp_path, how):
    """No worker stays behind, either."""
    launch = begin(tmp_path, how, "1h")

    press(launch, signal.SIGINT)
    os.killpg(launch.process.pid, signal.SIGINT)
    ended = launch.ended()

    assert ended.code == -signal.SIGINT, ended
    assert finish(tmp_path, how).endswith(ALL)
