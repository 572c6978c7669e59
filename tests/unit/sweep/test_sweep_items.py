"""Checkpoints in an item: named after it, left behind by what is not finished, and gone with it."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor as Threads
from pathlib import Path

import pytest

from resume import Checkpoint, resumable
from resume.call import fill_name
from resume.errors import ConfigError, Preempted
from resume.item import Item, current, working_on
from resume.store import names
from resume.sweep import ResumableSweep
from resume.sweep.work import Task

PATIENCE_S = 100


def sweep_of(items=range(3), **options):
    return ResumableSweep(items, **{"checkpoint_path": "grid", "durable": "batch", **options})


def left():
    """Names of the checkpoints that are there."""
    return names(Path(".checkpoints"))


class Steps:
    """An item of ten steps, which fails at one of them as long as *fails* is set."""

    def __init__(self, name="{key}"):
        self.made, self.fails, self._name = [], True, name

    def __call__(self, n):
        chp = Checkpoint(name=self._name, rate=0, exclude=["self"])
        total = 0
        chp.restore()
        for k in chp.loop(range(10)):
            if self.fails and k == 5:
                raise ValueError("at step 5")
            self.made.append((n, k))
            total += k
        return total


@pytest.mark.parametrize("executor", [None, lambda: Threads(3)])
def test_an_item_that_failed_goes_on_where_it_was(executor):
    """In the next launch; what it has saved goes when its result is in."""
    work = Steps()
    sweep = sweep_of()
    sweep.map(work, executor)
    assert [failure.text for failure in sweep.failed] == ["at step 5"] * 3
    assert left() == ["0", "1", "2"]

    work.fails = False
    assert sweep_of().map(work, executor) == [45] * 3

    assert sorted(work.made) == [(n, k) for n in range(3) for k in range(10)]
    assert left() == []


def test_a_retry_in_the_same_launch_goes_on_as_well():
    work = Steps()

    def unsteady(n):
        try:
            return work(n)
        finally:
            work.fails = False

    assert sweep_of([7]).map(unsteady, retries=1) == [45]
    assert work.made == [(7, k) for k in range(10)]


def test_only_what_is_named_after_the_item_goes_with_it():
    """What several items share is the program's."""
    steps = Steps()
    steps.fails = False

    def work(n):
        with Checkpoint("shared") as chp:
            chp["x"] = 1
        return steps(n)

    sweep_of().map(work)

    assert len(steps.made) == 30
    assert {name.partition("@")[0] for name in left()} == {"shared"}


def test_any_key_is_safe_for_a_folder(tmp_path):
    work = Steps()
    work.fails = False
    keys = ["../../up", ".hidden", "a/b:c\n", "long " * 60, "ünï"]
    sweep = sweep_of(keys)
    work.fails = True
    sweep.map(work)

    inside = [path for path in tmp_path.rglob("*") if path.is_dir()]
    assert len(sweep.failed) == len(left()) == len(keys)
    assert all(path.name.startswith(".c") or path.parent.name == ".checkpoints" for path in inside)


@pytest.mark.parametrize(
    ("template", "arguments", "name"),
    [
        ("{key}", {}, "k/1"),
        ("{function}-{key:>5}", {}, "work-  k/1"),
        ("{key!r}", {"n": 3}, "'k/1'"),
        ("{key}", {"key": "own"}, "own"),
        ("{key}", {"key": [1]}, "k/1"),
    ],
)
def test_the_key_is_a_field_of_names(template, arguments, name):
    """An argument of that name is what it always was."""
    with working_on(Item("k/1")):
        assert fill_name(template, "work", arguments) == name


def test_where_no_item_is_worked_on_the_key_is_unknown():
    with pytest.raises(ConfigError, match=r"\{key\} is unknown where no ResumableSweep.map works"):
        Checkpoint(name="{key}")


def test_each_thread_knows_its_own_item():
    """And a sweep in an item gives it back."""
    barrier = threading.Barrier(3, timeout=PATIENCE_S)
    met = {}

    def work(n):
        barrier.wait()
        before = current().key
        inner = sweep_of(range(2), checkpoint_path=f"inner {n}").map(lambda k: current().key)
        met[n] = (before, list(inner), current().key)

    with Threads(3) as pool:
        sweep_of().map(work, pool)

    assert met == {n: (str(n), ["0", "1"], str(n)) for n in range(3)}
    assert current() is None


def test_two_items_at_once_with_one_checkpoint_are_refused():
    """The text says how to give each its own; the sweep goes on."""
    barrier = threading.Barrier(2, timeout=PATIENCE_S)

    def work(n):
        barrier.wait()
        chp = Checkpoint(name="same")
        chp.restore()
        barrier.wait()

    sweep = sweep_of(range(2))
    with Threads(2) as pool:
        threading.Timer(1.0, barrier.abort).start()
        sweep.map(work, pool)

    kinds = {failure.type for failure in sweep.failed}
    assert "resume.errors.CheckpointBusyError" in kinds
    assert any("a name of its own" in failure.text for failure in sweep.failed)


def test_a_checkpoint_that_somebody_still_holds_stays_and_it_is_said(caplog):
    """The result is recorded all the same."""
    caplog.set_level("INFO", "resume")
    held = []

    class Model:
        pass

    def work(n):
        model = Model()
        held.append((model, Checkpoint(name="{key}", of=model)))
        held[-1][1].restore()
        held[-1][1].save()
        return n

    assert sweep_of([5]).map(work) == [5]

    assert "⚠ 5: a finished item leaves its checkpoint behind: " in caplog.text
    assert left() == ["5"]


# --- @resumable -----------------------------------------------------------------------------------

made = []


@resumable(name="item {key}", rate="1h")
def resumed(n):
    for k in range(4):
        made.append((n, k))
        if k == 2 and len(made) == 3:
            raise ValueError("once")
    return n


@resumable(name="{key}", cache=True)
def cached(n):
    made.append(n)
    return n


def test_a_resumable_item_has_the_key_in_its_name_too():
    made.clear()

    assert sweep_of([8]).map(cached) == [8]

    assert made == [8]
    assert left() == []  # not even the result that was kept until now


def test_in_threads_a_resumable_item_runs_as_if_it_were_none(caplog):
    """It says so, and saves nothing."""
    caplog.set_level("INFO", "resume")
    made.clear()
    with Threads(2) as pool:
        sweep = sweep_of([1])
        sweep.map(resumed, pool)

    assert "resumed is not saved: it was called in another thread than the main one" in caplog.text
    assert left() == []
    assert len(sweep.failed) == 1


# --- asked to leave -------------------------------------------------------------------------------


def test_an_item_that_saves_itself_does_so_when_the_launch_leaves(tmp_path):
    """It is saved where it is, and stays pending; its worker is not ended."""
    leave = tmp_path / "leave"
    made = []

    def work(n):
        chp = Checkpoint(name="{key}", rate="1h")
        chp.restore()
        for k in chp.loop(range(1000)):
            made.append(k)
            if len(made) == 3:
                leave.touch()
            if leave.exists():
                time.sleep(0.1)

    task = Task(work, keeps_error=False, leave_file=str(leave)).of("7")
    with pytest.raises(Preempted):
        task(None)
    assert made == list(range(len(made)))
    assert len(made) < 1000
    assert left() == ["7"]

    leave.unlink()
    outcome = task(None)
    assert made == list(range(1000))
    assert outcome.saves_itself
    assert outcome.checkpoints == ((str(tmp_path / ".checkpoints"), "7"),)
