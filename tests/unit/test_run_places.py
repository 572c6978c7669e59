"""Where a checkpoint lives: objects, arguments, closures, generators, modules, notebooks."""

from __future__ import annotations

import asyncio
import gc
import weakref
from pathlib import Path

import numpy as np
import pytest

from resume import (
    Checkpoint,
    CheckpointBusyError,
    ConfigError,
    registry,
)
from resume.store import Store

SEEN: list = []
"""What a function under test saw on its way: its own variables are those of the save in the end."""


@pytest.fixture(autouse=True)
def nothing_left():
    """No error waits for the next checkpoint of the process."""
    SEEN.clear()
    yield
    registry.raise_unreported()


def numbers(name):
    return [entry.number for entry in Store(Path.cwd() / ".checkpoints", name).entries()]


class Killed(Exception):
    """Ends a run in the middle, as a kill would, in a process that goes on."""


ROWS: list = []


class Trainer:
    def __init__(self, n):
        self.n = n
        self.weights = np.zeros(3)
        self.history = []
        self.epoch = 0
        self.chp = Checkpoint("trainer-{n}", of=self, rate=0)

    def fit(self, stop=None):
        self.chp.restore()
        while self.epoch < self.n:
            if self.epoch == stop:
                raise Killed
            self.weights += 1
            self.history.append(self.epoch)
            self.epoch += 1
            self.chp.sync()
        return self.weights.tolist(), self.history


def test_of_self_saves_the_objects_attributes_in_place():
    """What others hold of the object is changed, not replaced."""
    with pytest.raises(Killed):
        Trainer(4).fit(2)
    trainer = Trainer(4)
    weights, history = trainer.weights, trainer.history

    assert trainer.fit() == ([4.0] * 3, [0, 1, 2, 3])
    assert trainer.weights is weights
    assert trainer.history is history
    assert weights.tolist() == [4.0] * 3


def test_nothing_of_the_checkpoint_itself_is_in_the_state_of_its_object():
    """`self.chp` refers to this run's checkpoint; its lock and its store are no state."""
    trainer = Trainer(1)
    trainer.fit()

    store = Store(Path.cwd() / ".checkpoints", "trainer-1")
    stream = bytes(store.read(store.newest()).stream)

    assert b"_descriptor" not in stream
    assert b"_course" not in stream
    assert b"engine" not in stream


def test_loop_is_not_for_objects():
    trainer = Trainer(1)

    with pytest.raises(ConfigError, match=r"Checkpoint\(of=\.\.\.\) saves an object only"):
        trainer.chp.loop([1])


def test_include_restores_in_place_what_others_hold():
    """Without it, whoever held the list before the restore would go on with the old one."""

    def outer(stop):
        found = ROWS
        chp = Checkpoint("outer", include=["found"], rate=0, exclude=["stop"], args="saved")
        chp.restore()
        while len(found) < 4:
            found.append(len(found))
            if len(found) == stop:
                raise Killed
            chp.sync()

    with pytest.raises(Killed):
        outer(3)
    ROWS.clear()
    outer(None)

    assert ROWS == [0, 1, 2, 3]


def test_arguments_are_restored_in_place():
    """What the caller passed is what the caller sees changed."""

    def fit(table, weights, stop=None):
        chp = Checkpoint("fit", rate=0, exclude=["stop"], args="saved")
        chp.restore()
        while len(table) < 4:
            if len(table) == stop:
                raise Killed
            table[len(table)] = "x"
            weights += 1
            chp.sync()

    with pytest.raises(Killed):
        fit({}, np.zeros(2), 2)
    table, weights = {}, np.zeros(2)
    fit(table, weights)

    assert table == dict.fromkeys(range(4), "x")
    assert weights.tolist() == [4.0, 4.0]


def test_patterns_leave_names_out():
    def fit():
        data_x, data_y, cache, kept = 1, 2, 3, 4
        chp = Checkpoint("fit", exclude=["data_*", "cach?"])
        SEEN.append(chp.restore())
        chp.save()

    fit()
    fit()

    assert SEEN[1].restored == ("kept",)
    assert set(SEEN[1].skipped) == {"data_x", "data_y", "cache"}


def test_a_name_excluded_later_keeps_the_reruns_own_value():
    """An older generation holds it all the same: that is no reason to overwrite it."""

    def fit(value, exclude):
        mine = value
        other = 1
        chp = Checkpoint("fit", exclude=["exclude", "value", *exclude], args="saved")
        chp.restore()
        chp.save()
        return mine

    assert fit("old", ()) == "old"
    assert fit("new", ()) == "old"
    assert fit("new", ("mine",)) == "new"


def test_names_that_the_rerun_has_not_bound_yet_come_back():
    def fit(stop):
        chp = Checkpoint("fit", rate=0, exclude=["stop"], args="saved")
        if chp.restore():
            SEEN.append(late)  # noqa: F821 - the restore binds it
        else:
            i = 0
        while i < 3:
            if i == stop:
                raise Killed
            late = f"bound at {i}"
            i += 1
            chp.sync()
        return late

    with pytest.raises(Killed):
        fit(2)
    assert fit(None) == "bound at 2"
    assert SEEN == ["bound at 1"]


def test_cells_are_shared_with_closures():
    """A closure made before the restore sees the restored variable, and writes to it."""

    def fit(stop):
        count = 0

        def add():
            nonlocal count
            count += 1

        chp = Checkpoint("fit", rate=0, exclude=["stop"], args="saved")
        chp.restore()
        while count < 4:
            if count == stop:
                raise Killed
            add()
            chp.sync()
        return count

    with pytest.raises(Killed):
        fit(2)
    assert fit(None) == 4


def test_generators():
    """A generator's variables are its own; it goes on where it was, in its own consumer."""

    def squares(stop=None):
        k = 0
        chp = Checkpoint("squares", rate=0, exclude=["stop"], args="saved")
        chp.restore()
        while k < 5:
            if k == stop:
                raise Killed
            yield k * k
            k += 1
            chp.sync()

    found = []
    with pytest.raises(Killed):
        for square in squares(3):
            found.append(square)
    found += squares()

    assert found == [0, 1, 4, 9, 16]


def test_coroutines():
    async def fit(stop=None):
        total = 0
        chp = Checkpoint("fit", rate=0, exclude=["stop"], args="saved")
        chp.restore()
        for k in chp.loop(range(4)):
            if k == stop:
                raise Killed
            await asyncio.sleep(0)
            total += k
        return total

    with pytest.raises(Killed):
        asyncio.run(fit(2))

    assert asyncio.run(fit()) == 6


EXEC = """
i = 0
chp = Checkpoint("exec", rate=0)
record = chp.restore()
while i < 4:
    if i == stop:
        raise Killed
    i += 1
    chp.sync()
result = i
"""


def test_exec():
    """The namespace is the owner; its names come back."""
    names = {"Checkpoint": Checkpoint, "Killed": Killed, "stop": 2}
    with pytest.raises(Killed):
        exec(EXEC, names)
    names["chp"]._run.close()  # as the end of the process would
    again = {"Checkpoint": Checkpoint, "Killed": Killed, "stop": None}
    try:
        with pytest.raises(Killed):
            exec(EXEC, again)  # stop is a name of the namespace too: it comes back as saved
    finally:
        again["chp"]._run.close()
    assert again["i"] == 2


def test_module_level(run_program):
    """A script without a function; its name is the file's."""
    source = """
        import os, sys
        from resume import Checkpoint

        i = 0
        chp = Checkpoint(rate=0, background=False)
        chp.restore()
        while i < 5:
            i += 1
            chp.sync()
            if i == 3 and len(sys.argv) > 1:
                os._exit(9)
        print(chp.name, i)
    """
    assert run_program(source, "stop", name="script.py").returncode == 9

    done = run_program(source, name="script.py")

    assert done.stdout == "script 5\n"
    assert "↻ resuming script: i=3 (generation 3" in done.stderr


def cell(number, source, names):
    exec(compile(source, f"<ipython-input-{number}>", "exec"), names)


def test_notebook_cells():
    """The checkpoint lives in the namespace: later cells work, and a cell may run again."""
    names = {"Checkpoint": Checkpoint, "__name__": "__main__", "SEEN": SEEN}
    first = "total = 0\nchp = Checkpoint(rate=0)\nrecord = chp.restore()\n"
    second = "for k in chp.loop(range(3)):\n    total += k\nchp.save()\n"
    cell(1, first, names)
    cell(2, second, names)
    assert names["total"] == 3
    assert names["chp"].name == "notebook"
    assert numbers("notebook")

    cell(3, first, names)  # the first cell again: it takes the old one's place

    assert names["total"] == 3
    assert names["record"]
    cell(4, second, names)
    assert names["total"] == 3
    names["chp"]._run.close()


def test_an_object_is_not_kept_alive_by_its_checkpoint():
    """When the program drops it, its memory goes and its name is free."""
    trainer = Trainer(2)
    trainer.fit()
    weights = weakref.ref(trainer.weights)

    del trainer
    gc.collect()

    assert weights() is None
    Store(Path.cwd() / ".checkpoints", "trainer-2").lock()


def test_two_live_objects_of_one_name():
    """The second is refused, and the first goes on."""
    first = Trainer(2)
    first.fit()

    with pytest.raises(CheckpointBusyError, match="another checkpoint of this program"):
        Trainer(2).fit()
    assert first.chp.save()
