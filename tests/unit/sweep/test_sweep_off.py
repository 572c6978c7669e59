"""`RESUME_DISABLE`: a sweep runs as if it had no log."""

from __future__ import annotations

import gc
import os
import signal
import tempfile
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pytest

from resume import Checkpoint
from resume.sweep import ResumableSweep

pytestmark = pytest.mark.filterwarnings("ignore:.*use of fork.*:DeprecationWarning")


@pytest.fixture(autouse=True)
def scratch(tmp_path, monkeypatch):
    """Where temporary files go; nothing is left there."""
    folder = tmp_path / "scratch"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    monkeypatch.setenv("RESUME_DISABLE", "1")
    yield folder
    gc.collect()
    assert list(folder.iterdir()) == []


def square(n):
    return n * n


def files():
    return sorted(path.name for path in Path.cwd().rglob("*") if "scratch" not in path.parts)


@pytest.mark.parametrize("options", [{"checkpoint_path": "grid"}, {"name": "grid"}])
@pytest.mark.parametrize("executor", [None, lambda: ProcessPoolExecutor(2)])
def test_nothing_is_read_or_kept(monkeypatch, options, executor):
    """What an earlier launch has recorded stays as it is, and is not seen."""
    monkeypatch.setenv("RESUME_DISABLE", "0")
    with ResumableSweep(range(4), **options) as sweep:
        sweep.record(2, "recorded before")
    before = files()

    monkeypatch.setenv("RESUME_DISABLE", "1")
    sweep = ResumableSweep(range(4), clean=True, **options)
    assert sweep.pending == [0, 1, 2, 3]
    found = sweep.map(square, executor)
    sweep.close()
    del sweep

    assert list(found) == [0, 1, 4, 9]
    del found
    gc.collect()
    assert files() == before
    monkeypatch.setenv("RESUME_DISABLE", "")
    assert list(ResumableSweep(range(4), **options).completed) == ["recorded before"]


def test_no_log_elsewhere_is_taken_in_or_made(monkeypatch, tmp_path):
    monkeypatch.setenv("RESUME_DISABLE", "0")
    with ResumableSweep(range(2), name="there", snapshot_dir="copy") as sweep:
        sweep.record(0, "recorded there")
    before = files()

    monkeypatch.setenv("RESUME_DISABLE", "1")
    sweep = ResumableSweep(range(2), name="there", resume_from="copy", snapshot_dir=tmp_path / "no")

    assert sweep.map(square) == [0, 1]
    assert files() == before


def test_each_launch_works_on_all():
    """There is nothing by which they could divide the items."""
    one, other = ResumableSweep(range(3), name="s"), ResumableSweep(range(3), name="s")

    assert one.map(square) == other.map(square) == [0, 1, 4]


def test_no_signal_is_taken_and_no_deadline_looked_at(monkeypatch):
    """As without a checkpoint."""
    monkeypatch.setenv("RESUME_DEADLINE", "2001-01-01T00:00")
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]

    def handlers(n):
        return [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before

    assert ResumableSweep(range(2), name="s").map(handlers) == [True, True]


def test_an_item_has_no_checkpoint_either():
    def work(n):
        chp = Checkpoint(name="{key}")
        chp.restore()
        chp.save()
        return n

    assert ResumableSweep(range(2), name="s").map(work) == [0, 1]
    assert files() == []


def test_a_forked_child_leaves_the_results_to_its_parent():
    sweep = ResumableSweep(range(2), name="s")
    sweep.map(square)
    child = os.fork()
    if child == 0:
        del sweep
        gc.collect()
        os._exit(0)
    os.waitpid(child, 0)

    assert sweep.path.exists()
    assert sweep.completed == [0, 1]
