"""One run: safe points and their answers, blocks, objects, places where a checkpoint can live."""

from __future__ import annotations

import asyncio
import gc
import logging
import pickle
import threading
import warnings
import weakref
from pathlib import Path

import numpy as np
import pytest

from resume import (
    Checkpoint,
    CheckpointBusyError,
    ConfigError,
    RestoreError,
    ResumeWarning,
    StoreError,
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


# --- answers -----------------------------------------------------------------------------------


def test_a_save_inside_a_loop_waits_for_the_items_end():
    """The answer is falsy and says when; the save holds what the rest of the item did."""

    def fit(stop):
        done = 0
        chp = Checkpoint("fit", rate="1h", exclude=["stop"], args="saved")
        chp.restore()
        for k in chp.loop(range(4)):
            if k == stop:
                raise Killed
            answer = chp.save()
            SEEN.append((bool(answer), answer.why))
            done += 1
        return done

    with pytest.raises(Killed):
        fit(2)
    assert SEEN[:2] == [(False, "at the end of the loop's item")] * 2
    assert numbers("fit") == [2, 1]

    assert fit(None) == 4


def test_a_save_before_break_is_made_at_the_next_door():
    """The loop is left: the save that waits is made at the next safe point in no loop."""

    def fit():
        chp = Checkpoint("fit", rate="1h")
        chp.restore()
        for k in chp.loop(range(4)):
            chp.save()
            break
        SEEN.append(numbers("fit"))
        SEEN.append(bool(chp.sync()))

    fit()

    assert SEEN == [[], True]
    assert numbers("fit") == [1]


def test_a_save_before_return_is_not_made_and_that_is_said(caplog):
    caplog.set_level("INFO", "resume")

    def fit():
        chp = Checkpoint("fit", rate="1h")
        chp.restore()
        for k in chp.loop(range(4)):
            chp.save()
            return

    fit()

    assert numbers("fit") == []
    said = [line for line in caplog.messages if "was not made" in line]
    assert len(said) == 1
    assert "a rerun goes on from the last save" in said[0]


def test_on_the_way_back_nothing_is_saved():
    """Safe points before the door answer that they are on the way; `chp.resuming` tells."""

    def fit(stop):
        chp = Checkpoint("fit", rate=0, exclude=["stop"], args="saved")
        chp.restore()
        SEEN.append((chp.resuming, chp.save()))
        for k in chp.loop(range(3)):
            SEEN.append(chp.resuming)
            if k == stop:
                raise Killed

    with pytest.raises(Killed):
        fit(1)
    before = numbers("fit")
    SEEN.clear()
    with pytest.raises(Killed):
        fit(1)

    resuming, answer = SEEN[0]
    assert resuming is True
    assert not answer
    assert "on the way back" in answer.why
    assert SEEN[1] is False
    assert numbers("fit") == before


def test_the_end_before_the_door_is_told_later(caplog):
    """Where nothing can be raised: a line at level ERROR, and the next checkpoint raises it."""

    def fit(stop, loops):
        chp = Checkpoint("fit", rate=0, exclude=["stop", "loops"], args="saved")
        chp.restore()
        if not loops:
            return
        for k in chp.loop(range(3)):
            if k == stop:
                raise Killed

    with pytest.raises(Killed):
        fit(2, True)
    before = numbers("fit")
    fit(None, False)

    [record] = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert "could not find the way back to the loop at line" in record.getMessage()
    with pytest.raises(RestoreError, match="the function ended before") as caught:
        Checkpoint("next")
    assert isinstance(pickle.loads(pickle.dumps(caught.value)), RestoreError)
    Checkpoint("next")
    assert numbers("fit") == before


def test_another_turn_is_an_error_and_the_state_stands():
    """A loop off the saved path that asks for an item: nothing was saved, the generation stands."""

    def fit(stop, turn):
        chp = Checkpoint("fit", rate=0, exclude=["stop", "turn"], args="saved")
        chp.restore()
        if turn:
            for _ in chp.loop([1]):
                pass
        for k in chp.loop(range(3)):
            if k == stop:
                raise Killed

    with pytest.raises(Killed):
        fit(2, False)
    before = numbers("fit")

    with pytest.raises(RestoreError) as caught:
        fit(None, True)
    text = str(caught.value)
    assert "could not find the way back to the loop at line" in text
    assert "generation is untouched" in text
    assert "@resumable" in text
    assert numbers("fit") == before
    fit(None, False)


def test_a_safe_point_in_a_plain_loop_behind_a_loop_is_refused():
    """A rerun could not lead back there; the text holds the remedy."""

    def fit():
        i = 0
        chp = Checkpoint("fit", rate=0)
        chp.restore()
        for _ in chp.loop([1]):
            pass
        while i < 3:
            i += 1
            chp.save()

    with pytest.raises(ConfigError, match=r"stands in a plain loop .* behind a chp\.loop"):
        fit()


def test_nothing_is_saved_behind_a_loop_left_by_an_exception():
    """A rerun could not skip it."""

    def fit():
        chp = Checkpoint("fit", rate=0)
        chp.restore()
        try:
            for k in chp.loop(range(3)):
                raise KeyError
        except KeyError:
            pass
        chp.save()

    with pytest.raises(ConfigError, match="was left by return, an exception, or break past"):
        fit()


def test_another_thread_asks_for_a_save():
    """From another thread sync() and save() only ask; the owner's next safe point does it."""

    def fit():
        i = 0
        chp = Checkpoint("fit", rate="1h")
        chp.restore()
        while i < 3:
            i += 1
            if i == 2:
                thread = threading.Thread(target=lambda: SEEN.append(chp.save()))
                thread.start()
                thread.join()
                del thread
            SEEN.append(bool(chp.sync()))

    fit()

    assert SEEN[0] is False
    assert not SEEN[1]
    assert "asked for from another thread" in SEEN[1].why
    assert SEEN[2:] == [True, False]
    assert numbers("fit") == [1]


def helper(chp, depth):
    own = "not saved"
    return helper(chp, depth - 1) if depth else chp.save()


def test_helpers_save_the_owners_names():
    """sync() and save() may be called from any function that the owner calls."""

    def fit():
        value = 5
        chp = Checkpoint("fit")
        SEEN.append(chp.restore().restored)
        return helper(chp, 3)

    assert fit()
    fit()
    assert SEEN == [(), ("value",)]


def test_a_failed_save_is_said_and_the_work_goes_on(caplog, monkeypatch):
    """on_save_error="warn": one line, the answer is falsy; "raise" raises."""
    from resume.store.files import Disk

    def refuse(self, descriptor, data):
        import errno

        raise OSError(errno.ENOSPC, "No space left on device")

    def fit(on_save_error):
        chp = Checkpoint("fit-{on_save_error}", on_save_error=on_save_error)
        chp.restore()
        monkeypatch.setattr(Disk, "write", refuse)
        answer = chp.save()
        monkeypatch.undo()
        return answer

    answer = fit("warn")
    assert not answer
    assert answer.why == "the save failed; see the line on stderr"
    assert any("could not save" in line and "no space left" in line for line in caplog.messages)
    with pytest.raises(StoreError, match="no space left"):
        fit("raise")


def test_a_save_due_for_long_inside_one_item_is_said(caplog, monkeypatch):
    """Once, with the remedies."""
    now = [0.0]

    def fit():
        chp = Checkpoint("fit", rate=1)
        chp.restore()
        for k in chp.loop(range(1)):
            for _ in range(5):
                now[0] += 100
                chp.sync()

    for module in ("resume.run", "resume.checkpoint", "resume.loops"):
        monkeypatch.setattr(f"{module}.monotonic", lambda: now[0])
    fit()

    said = [line for line in caplog.messages if "due for long inside one item" in line]
    assert len(said) == 1
    assert "Put a chp.loop inside the item, or use @resumable" in said[0]


# --- static looks ------------------------------------------------------------------------------


def look(source, tmp_path):
    """Warnings of a program's function, with file and line; each names what to do."""
    path = tmp_path / "program.py"
    path.write_text(source)
    names = {"__name__": "program"}
    exec(compile(source, str(path), "exec"), names)
    with pytest.warns(ResumeWarning) as caught:
        names["fit"]()
    return [(Path(one.filename).name, one.lineno, str(one.message)) for one in caught]


def test_a_sync_in_a_plain_for_is_warned_of(tmp_path):
    """With the line and the remedy, pointing at the user's own line, and once."""
    [(file, line, text)] = look(
        "from resume import Checkpoint\n"
        "def fit():\n"
        "    chp = Checkpoint('fit', rate='1h')\n"
        "    chp.restore()\n"
        "    for k in range(3):\n"
        "        chp.sync()\n",
        tmp_path,
    )

    assert (file, line) == ("program.py", 6)
    assert text.startswith("fit: chp.sync() at line 6 is in a plain `for` (line 5)")
    assert "for x in chp.loop(...)" in text


def test_a_name_stored_behind_the_restore_is_warned_of(tmp_path):
    [(_, _, text)] = look(
        "from resume import Checkpoint\n"
        "def fit():\n"
        "    chp = Checkpoint('fit', rate='1h')\n"
        "    chp.restore()\n"
        "    i = 0\n"
        "    while i < 3:\n"
        "        i += 1\n"
        "        chp.sync()\n",
        tmp_path,
    )

    assert "`i` is set at line 5" in text
    assert "Move it above restore()" in text


def test_a_second_plain_loop_is_warned_of(tmp_path):
    [(_, _, text)] = look(
        "from resume import Checkpoint\n"
        "def fit():\n"
        "    i = j = 0\n"
        "    chp = Checkpoint('fit', rate='1h')\n"
        "    chp.restore()\n"
        "    while i < 3:\n"
        "        i += 1\n"
        "        chp.sync()\n"
        "    while j < 3:\n"
        "        j += 1\n"
        "        chp.sync()\n",
        tmp_path,
    )

    assert "line 9" in text
    assert "line 6" in text


def test_a_good_program_is_not_warned_of():
    def fit():
        i = 0
        chp = Checkpoint("fit", rate=0)
        chp.restore()
        while i < 3:
            i += 1
            chp.sync()

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fit()


# --- blocks ------------------------------------------------------------------------------------


def block(stop=None):
    total = 0
    with Checkpoint("block", rate=0, exclude=["stop"], args="saved") as chp:
        SEEN.append(("complete", chp.complete))
        for k in chp.loop(range(4)):
            if k == stop:
                raise Killed
            SEEN.append(k)
            total += k
        total += 100
    return total, chp.complete


def test_a_block_restores_on_entry_and_saves_at_its_end():
    with pytest.raises(Killed):
        block(2)
    SEEN.clear()

    assert block() == (106, True)
    assert SEEN == [("complete", False), 2, 3]


def test_a_finished_block_has_the_same_result_and_writes_nothing():
    assert block() == (106, True)
    before = numbers("block")
    SEEN.clear()

    for _ in range(3):
        assert block() == (106, True)
    assert numbers("block") == before
    assert SEEN[0] == ("complete", True)


def test_at_finish_false_leaves_the_end_unsaved():
    def fit():
        with Checkpoint("fit", at_finish=False) as chp:
            pass
        return chp.complete

    assert fit() is False
    assert numbers("fit") == []


def test_an_exception_in_a_block_saves_nothing():
    """In mid item the variables do not agree."""

    def fit():
        i = 0
        with Checkpoint("fit", rate="1h"):
            i = 1
            raise Killed

    with pytest.raises(Killed):
        fit()
    assert numbers("fit") == []


def test_two_blocks_in_a_function():
    """Each has its own name and its own end."""

    def fit(stop=None):
        a = b = 0
        with Checkpoint("one", rate=0, exclude=["stop"], args="saved") as chp:
            for k in chp.loop(range(3)):
                a += k
        with Checkpoint("two", rate=0, exclude=["stop"], args="saved") as chp:
            for k in chp.loop(range(3)):
                if k == stop:
                    raise Killed
                b += k
        return a, b

    with pytest.raises(Killed):
        fit(1)

    assert fit() == (3, 3)
    assert fit() == (3, 3)


# --- objects and places ------------------------------------------------------------------------


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
        chp = Checkpoint(rate=0)
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
