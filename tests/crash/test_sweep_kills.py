"""Sweeps over processes, parent and workers killed by SIGKILL at random moments."""

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

PROGRAM = """
import os, sys, time
from concurrent.futures import ProcessPoolExecutor
from resume import ResumableSweep

def work(n):
    with open(f"begun/{n}", "a") as out:
        out.write("x")
    time.sleep(0.002 + n % 7 / 1000)
    while sys.argv[2] == "serial" and n >= int(sys.argv[1]) - 8 and not os.path.exists("free"):
        time.sleep(0.01)
    return [n, (n / 7, "x" * (n % 50))]

def four_processes():
    return ProcessPoolExecutor(4)

if __name__ == "__main__":
    sweep = ResumableSweep(range(int(sys.argv[1])), checkpoint_path="grid")
    print("begun", flush=True)
    sweep.map(work, four_processes if sys.argv[2] == "processes" else None)
"""


def compiled():
    """The environment of a launch, which need not compile the package each time."""
    return {k: v for k, v in environment().items() if k != "PYTHONDONTWRITEBYTECODE"}


def expected(n):
    return [n, (n / 7, "x" * (n % 50))]


def begin(folder, items, how):
    """A launch of the program, running."""
    program = folder / "program.py"
    if not program.exists():
        program.write_text(PROGRAM)
        (folder / "begun").mkdir()
    with (folder / "stderr").open("a") as stderr:
        launch = subprocess.Popen(
            [sys.executable, str(program), str(items), how],
            cwd=folder,
            env=compiled(),
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
        )
    assert launch.stdout.readline() in ("begun\n", "")
    return launch


def children_of(pid):
    """Process ids of the workers of *pid*."""
    try:
        return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except (FileNotFoundError, ProcessLookupError):
        return []


def end(launch):
    launch.stdout.close()
    return launch.wait(timeout=100)


def anew(folder):
    """It ended before enough were killed: once more from its beginning."""
    for path in [*folder.glob("grid.sweep.*"), *folder.glob("begun/*")]:
        path.unlink()


def kill_workers_and_parents(folder, items, kills, rng):
    """Kill a worker, now and then the parent, until so many have been killed."""
    killed = 0
    launch = begin(folder, items, "processes")
    while killed < kills:
        time.sleep(rng.random() * 0.15)
        workers = children_of(launch.pid)
        parent = rng.random() < 0.4 or not workers
        try:
            os.kill(launch.pid if parent else rng.choice(workers), signal.SIGKILL)
        except ProcessLookupError:
            continue  # that worker has ended
        if parent:
            killed += end(launch) == -9
        else:
            killed += 1
        if launch.poll() is not None:
            if launch.returncode == 0:
                anew(folder)
            launch = begin(folder, items, "processes")
    assert end(launch) == 0, (folder / "stderr").read_text()[-3000:]


def check_whole(folder, items, how):
    """Run to the end: every item is in the log exactly once, with its result."""
    launch = begin(folder, items, how)
    assert end(launch) == 0, (folder / "stderr").read_text()[-3000:]
    check_log(folder, items)
    wait_for_orphans_of(folder)


def check_log(folder, items):
    """Every item is recorded exactly once, with its result, and none is set aside."""
    sweep = ResumableSweep(range(items), checkpoint_path=folder / "grid")
    assert [f for f in sweep.failed if f.is_set_aside] == []
    assert list(sweep.completed) == [expected(n) for n in range(items)]
    lines = [json.loads(x) for x in (folder / "grid.sweep.jsonl").read_text().splitlines()[1:]]
    counts = Counter(line["key"] for line in lines if "result" in line or "pickle" in line)
    assert counts == {str(n): 1 for n in range(items)}
    assert not (folder / "grid.sweep.jsonl.claims").exists()


def wait_for_orphans_of(folder):
    """No worker stays behind whose parent was killed, had an item reached it or not."""
    deadline = time.monotonic() + 60
    while left := list(processes_in(folder)):
        assert time.monotonic() < deadline, left
        time.sleep(0.01)


def processes_in(folder):
    for path in Path("/proc").glob("[0-9]*/cwd"):
        try:
            if path.readlink() == folder and int(path.parts[2]) != os.getpid():
                yield int(path.parts[2])
        except OSError:  # it has ended
            continue


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="finds workers through /proc")
@pytest.mark.parametrize(
    ("items", "kills"), [(80, 4), pytest.param(500, 50, marks=pytest.mark.slow)]
)
@pytest.mark.timeout(600)
def test_workers_and_parents_killed_every_item_is_recorded_once(tmp_path, items, kills):
    """As if nobody had killed anything; nothing is set aside by accident."""
    rng = random.Random(os.environ.get("SWEEP_SEED", "1"))

    kill_workers_and_parents(tmp_path, items, kills, rng)

    check_whole(tmp_path, items, "processes")


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="finds workers through /proc")
@pytest.mark.parametrize("maker", ["ProcessPoolExecutor", "lambda: ProcessPoolExecutor(2)"])
def test_a_worker_that_no_item_has_reached_ends_with_its_killed_parent(tmp_path, maker):
    """It knows of its parent from its start on."""
    (tmp_path / "program.py").write_text(f"""
import os, signal, time
from concurrent.futures import ProcessPoolExecutor
from resume.sweep.pools import Pool

if __name__ == "__main__":
    pool = Pool({maker})
    two = [pool.executor.submit(time.sleep, 600 * n) for n in range(2)]
    two[0].result()  # one worker waits for an item now
    time.sleep(0.3)
    print("begun", flush=True)
    time.sleep(600)
""")
    launch = subprocess.Popen(
        [sys.executable, "program.py"],
        cwd=tmp_path,
        env=compiled(),
        stdout=subprocess.PIPE,
        text=True,
    )
    assert launch.stdout.readline() == "begun\n"
    launch.kill()
    assert end(launch) == -9

    wait_for_orphans_of(tmp_path)


@pytest.mark.parametrize("made", ["ProcessPoolExecutor(2)", "lambda: ProcessPoolExecutor(2)"])
def test_a_worker_that_dies_holds_up_nothing_while_another_has_long_work(tmp_path, made):
    """The broken pool waits for the end of the other, which leaves SIGTERM to the parent."""
    (tmp_path / "program.py").write_text(f"""
import os, time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from resume import ResumableSweep

def work(item):
    first = Path(f"first {{item}}")
    if first.exists():
        return item
    first.touch()
    while not Path("first long").exists():
        time.sleep(0.001)
    if item == "long":
        time.sleep(600)
    os.kill(os.getpid(), 9)

if __name__ == "__main__":
    sweep = ResumableSweep(["long", "deadly"], checkpoint_path="grid")
    print(list(sweep.map(work, {made}, progress=False)), flush=True)
""")
    ended = subprocess.run(
        [sys.executable, "program.py"],
        cwd=tmp_path,
        env=compiled(),
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert ended.stdout == "['long', 'deadly']\n", ended.stderr
    wait_for_orphans_of(tmp_path)


@pytest.mark.parametrize(
    ("items", "kills"), [(100, 3), pytest.param(500, 30, marks=pytest.mark.slow)]
)
@pytest.mark.timeout(600)
def test_four_launches_of_one_sweep_killed_at_random(tmp_path, items, kills):
    """No item is worked on more often than kills explain, and none is lost."""
    rng = random.Random(os.environ.get("SWEEP_SEED", "1"))
    launches = [begin(tmp_path, items, "serial") for _ in range(4)]
    for _ in range(kills):  # none ends by itself before all is free
        time.sleep(rng.random() * 0.1)
        which = rng.randrange(4)
        launches[which].kill()
        assert end(launches[which]) == -9
        launches[which] = begin(tmp_path, items, "serial")
    (tmp_path / "free").touch()
    for launch in launches:
        assert end(launch) == 0, (tmp_path / "stderr").read_text()[-3000:]

    check_whole(tmp_path, items, "serial")
    begun = [len((tmp_path / "begun" / str(n)).read_text()) for n in range(items)]
    assert sum(begun) - items <= kills  # one item in hand for each that was killed


def test_workers_end_with_their_killed_parent(tmp_path):
    """Else they would work on what the next launch takes up."""
    (tmp_path / "program.py").write_text(
        "import os, time\n"
        "from concurrent.futures import ProcessPoolExecutor\n"
        "from resume import ResumableSweep\n"
        "def work(n):\n"
        "    os.write(1, f'{os.getpid()}\\n'.encode())  # in one piece: two write to one pipe\n"
        "    time.sleep(600)\n"
        "if __name__ == '__main__':\n"
        "    ResumableSweep(range(2), name='s').map(work, lambda: ProcessPoolExecutor(2))\n"
    )
    with subprocess.Popen(
        [sys.executable, "program.py"], cwd=tmp_path, env=compiled(), stdout=subprocess.PIPE
    ) as launch:
        workers = [int(launch.stdout.readline()) for _ in range(2)]
        launch.kill()

        # their end of the pipe is closed when the last of them is gone
        assert launch.stdout.read() == b""
    assert all(not is_running(pid) for pid in workers)


def is_running(pid):
    until = time.monotonic() + 60
    while time.monotonic() < until:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return False
        state = Path(f"/proc/{pid}/stat")
        if state.exists() and state.read_text().rpartition(")")[2].split()[0] == "Z":
            return False
        time.sleep(0.02)
    return True
