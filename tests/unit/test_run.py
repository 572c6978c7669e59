"""One run: safe points and their answers, static looks, blocks."""

from __future__ import annotations

import logging
import pickle
import threading
import warnings
from pathlib import Path

import pytest

from resume import (
    Checkpoint,
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

    for module in ("resume.saving", "resume.checkpoint", "resume.loops"):
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
