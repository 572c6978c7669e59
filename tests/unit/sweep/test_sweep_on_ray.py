"""The executor for Ray, with a library of our own in its place: it runs each task in a thread."""

from __future__ import annotations

import sys

import pytest

from resume.errors import ConfigError, ResumeWarning
from resume.sweep import ResumableSweep
from resume.sweep.on_ray import RayExecutor

FAKE = '''
"""As much of Ray as the executor uses; a task that returns "die" has killed its worker."""
from concurrent.futures import ThreadPoolExecutor

told = []
_pool = ThreadPoolExecutor(2)

class WorkerCrashedError(Exception):
    pass

class Task:
    def __init__(self, function, options):
        self.function = function
        told.append(options)

    def remote(self, function, args, kwargs):
        return Reference(self.function, function, args, kwargs)

class Reference:
    def __init__(self, *call):
        self.call = call

    def future(self):
        call, function, args, kwargs = self.call
        if args[0] == 3:
            return _pool.submit(_die)
        return _pool.submit(call, function, args, kwargs)

def _die():
    raise WorkerCrashedError("the worker died unexpectedly")

def remote(**options):
    return lambda function: Task(function, options)

def cluster_resources():
    return {"CPU": 5.0}
'''


@pytest.fixture
def fake_ray(tmp_path, monkeypatch):
    (tmp_path / "ray.py").write_text(FAKE)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "ray", raising=False)
    import ray

    yield ray
    ray._pool.shutdown()
    del sys.modules["ray"]


def work(n):
    if n == 2:
        raise ValueError("two is bad")
    return n * n


def test_a_sweep_runs_on_ray(fake_ray):
    """Results and failures come back; what kills its worker is counted, and set aside."""
    sweep = ResumableSweep(range(6), name="grid")

    with pytest.warns(ResumeWarning, match="sets '3' aside: it killed its worker 3 times"):
        assert sweep.map(work, RayExecutor()) == [0, 1, 16, 25]

    assert [(f.item, f.is_set_aside) for f in sweep.failed] == [(2, False), (3, True)]


def test_ray_is_told_of_each_task_and_repeats_none(fake_ray):
    """The sweep counts the workers that died: Ray would hide three of four."""
    RayExecutor()
    RayExecutor(num_cpus=2, num_gpus=1)

    assert fake_ray.told == [
        {"num_cpus": 1, "max_retries": 0},
        {"num_cpus": 2, "max_retries": 0, "num_gpus": 1},
    ]


@pytest.mark.parametrize(("cpus", "workers"), [(1, 5), (2, 2), (0, 5), (9, 1)])
def test_so_many_items_are_given_out_as_the_cluster_runs_at_once(fake_ray, cpus, workers):
    with RayExecutor(num_cpus=cpus) as executor:
        assert executor._max_workers == workers
        assert executor.submit(pow, 2, 5).result(60) == 32


def test_without_ray_it_is_told_what_to_install(tmp_path, monkeypatch):
    (tmp_path / "ray.py").write_text("raise ImportError('no ray here')")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "ray", raising=False)

    with pytest.raises(ConfigError, match="no ray here.*pip install ray"):
        RayExecutor()
