"""Sweeps on real Dask and on real Ray, workers and parent killed by SIGKILL at random moments."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

import pytest
from processes import environment
from test_sweep_kills import anew, check_log, end, wait_for_orphans_of

PROGRAM = """
import os, sys, time
from resume import ResumableSweep

FOLDER = os.getcwd()

def work(n):
    with open(f"{FOLDER}/begun/{n}", "a") as out:
        out.write("x")
    time.sleep(0.2 + n % 7 / 50)
    return [n, (n / 7, "x" * (n % 50))]

def on_dask(sweep):
    import dask
    from dask.distributed import Client, LocalCluster

    # else a worker is given up for ever whose successors are killed as they start
    dask.config.set({"distributed.deploy.lost-worker-timeout": "10m"})
    options = {"n_workers": 4, "threads_per_worker": 1, "dashboard_address": None}
    with LocalCluster(**options) as cluster, Client(cluster) as client:
        sweep.map(work, client.get_executor())

def on_ray(sweep):
    import ray
    from resume.sweep.on_ray import RayExecutor

    ray.init(
        num_cpus=4,
        object_store_memory=100_000_000,
        include_dashboard=False,
        _temp_dir=sys.argv[3],
    )
    sweep.map(work, RayExecutor())

if __name__ == "__main__":
    sweep = ResumableSweep(range(int(sys.argv[1])), checkpoint_path="grid")
    print("begun", flush=True)
    globals()[sys.argv[2]](sweep)
"""
MARKS = {"on_dask": [b"spawn_main"], "on_ray": [b"ray::IDLE", b"ray::_call"]}
"""What stands in the command line of the workers; not in those of Ray's agents, without which a
whole node of it ends."""
PACE = 3
"""Results between two kills. So workers have time to start, and an item whose worker was killed is
tried again before the next kill: one that is hit three times would be set aside."""
PATIENCE_S = 200.0


class Launches:
    """One launch after the other of one sweep, on a cluster of its own."""

    def __init__(self, folder: Path, items: int, where: str, scratch: Path) -> None:
        self.folder = folder
        self._arguments = [str(items), where, str(scratch)]
        self._marks = MARKS[where]
        (folder / "program.py").write_text(PROGRAM)
        (folder / "begun").mkdir()
        self.begin()

    def begin(self) -> None:
        with (self.folder / "stderr").open("a") as stderr:
            self.launch = subprocess.Popen(
                [sys.executable, "program.py", *self._arguments],
                cwd=self.folder,
                env=environment(
                    RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO="0", RAY_USAGE_STATS_ENABLED="0"
                ),
                stdout=subprocess.PIPE,
                stderr=stderr,
                text=True,
            )
        first = self.launch.stdout.readline()
        assert first == "begun\n", (self.launch.wait(60), self.told())

    def told(self) -> str:
        return (self.folder / "stderr").read_text()[-5000:]

    def workers(self) -> list[int]:
        """Process ids of the workers, that have begun and that are about to."""
        found, look = [], [self.launch.pid]
        while look:
            pid = look.pop()
            look += children_of(pid)
            if any(mark in command_of(pid) for mark in self._marks):
                found.append(pid)
        return found

    def results(self) -> int:
        try:
            return (self.folder / "grid.sweep.jsonl").read_bytes().count(b'"result"')
        except FileNotFoundError:
            return 0

    def wait_for_progress(self) -> bool:
        """Until some items more are recorded; False where the launch has ended."""
        before, until = self.results(), time.monotonic() + PATIENCE_S
        while self.results() < before + PACE:
            if self.launch.poll() is not None:
                return False
            assert time.monotonic() < until, (self.workers(), self.told())
            time.sleep(0.01)
        return True

    def kill_parent(self) -> None:
        self.launch.kill()
        assert end(self.launch) == -9, self.told()
        self.begin()


def children_of(pid: int) -> list[int]:
    """Of all threads: Dask starts its workers in one of its own."""
    found = []
    for path in Path(f"/proc/{pid}/task").glob("*/children"):
        with suppress(OSError):  # it has ended
            found += [int(word) for word in path.read_text().split()]
    return found


def command_of(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:  # it has ended
        return b""


def kill(launches: Launches, kills: int, rng: random.Random) -> int:
    """Kill a worker, now and then the parent; how often the parent was it."""
    killed = parents = 0
    while killed < kills:
        if not launches.wait_for_progress():  # it ended before enough were killed: once more
            assert end(launches.launch) == 0, (killed, launches.told())
            anew(launches.folder)
            launches.begin()
            continue
        time.sleep(rng.random() * 0.3)
        if rng.random() < 0.12:
            launches.kill_parent()
            parents += 1
        elif workers := launches.workers():
            try:
                os.kill(rng.choice(workers), signal.SIGKILL)
            except ProcessLookupError:
                continue
        else:
            continue
        killed += 1
    return parents


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="finds workers through /proc")
@pytest.mark.parametrize("where", ["on_dask", "on_ray"])
@pytest.mark.timeout(1800)
def test_on_a_cluster_killed_at_random_every_item_is_recorded_once(tmp_path, where):
    """Fifty kills in five hundred items; nothing fails, and nothing is set aside by accident."""
    pytest.importorskip({"on_dask": "distributed", "on_ray": "ray"}[where])
    rng = random.Random(os.environ.get("SWEEP_SEED", "1"))
    with tempfile.TemporaryDirectory(prefix="r", dir="/tmp", ignore_cleanup_errors=True) as scratch:
        launches = Launches(tmp_path, 500, where, Path(scratch))

        parents = kill(launches, 50, rng)

        assert end(launches.launch) == 0, launches.told()
        assert parents > 1
        check_log(tmp_path, 500)
        wait_for_orphans_of(tmp_path)
