"""Bad input of the program's own: each kind has its own words, and nothing is lost by it."""

from __future__ import annotations

import json
import os
import pickle
import socket
import sys
import textwrap
from pathlib import Path

import pytest

from resume import (
    Checkpoint,
    CodeChangedError,
    ConfigChangedError,
    ConfigError,
    RestoreError,
    ResumeWarning,
    UnpicklableError,
    load,
)
from resume.store import Store


class Killed(Exception):
    """Ends a run in the middle, as a kill would, in a process that goes on."""


def numbers(folder: Path, name: str) -> list[int]:
    """The generations of a checkpoint, newest first; fails where one of them is not whole."""
    store = Store(folder / ".checkpoints", name)
    assert store.verify() == []
    return [entry.number for entry in store.entries()]


def run_here(path: Path, source: str, function: str, *args):
    """Call *function* of a program with this text, as its file stands on disk."""
    path.write_text(textwrap.dedent(source), encoding="utf-8")
    names = {"__name__": path.stem, "__file__": str(path)}
    exec(compile(path.read_text(), str(path), "exec"), names)
    return names[function](*args)


# --- values ------------------------------------------------------------------------------------


class Worker:
    def __init__(self):
        self.socket = socket.socket()


class Loader:
    def __init__(self):
        self.workers = [Worker()]
        self.size = 3

    def close(self):
        self.workers[0].socket.close()


@pytest.fixture
def loader():
    made = Loader()
    yield made
    made.close()


def test_a_value_that_cannot_be_saved_is_named_with_its_path(tmp_path, loader):
    """The warning tells the way to the culprit, its type and the remedy; the rest is saved, and a
    rerun keeps its own value.
    """
    box = loader

    def train(stop):
        i = 0
        chp = Checkpoint(rate=0, args="caller")
        record = chp.restore()
        while i < 5:
            i += 1
            if i == stop:
                raise Killed
            chp.sync()
        return i, box, record

    with pytest.warns(ResumeWarning, match=r"cannot save box\.workers\[0\]\.socket") as caught:
        with pytest.raises(Killed):
            train(3)
    text = str(caught[0].message)
    assert "socket.socket" in text
    assert "exclude=" in text
    assert "The variable 'box' is left out" in text
    assert caught[0].filename == __file__

    with pytest.warns(ResumeWarning):
        i, kept, record = train(None)
    assert (i, kept) == (5, loader)
    assert record.restored == ("i",)
    assert record.skipped == ("box",)


def test_strict_raises_where_a_value_cannot_be_saved(tmp_path, loader):
    """strict=True is an error instead of the warning, and nothing is written."""
    box = loader

    def train():
        chp = Checkpoint("strict", strict=True)
        chp.restore()
        chp.save()
        return box

    with pytest.raises(UnpicklableError, match=r"box\.workers\[0\]\.socket.*Nothing was written"):
        train()

    assert numbers(tmp_path, "strict") == []


def test_a_named_value_that_cannot_be_saved_is_an_error(tmp_path, loader):
    """What is named on purpose is never left out in silence."""

    def train():
        chp = Checkpoint()
        chp.restore()
        chp.save(it=loader)

    with pytest.raises(UnpicklableError, match=r"named value chp\['it'\]"):
        train()


def test_an_excluded_name_that_shares_with_a_saved_one(tmp_path):
    """A rerun would hold two copies of one list: refused at the save, both named."""

    def train():
        table = [1, 2]
        pool = {"table": table}
        chp = Checkpoint(exclude=["pool"])
        chp.restore()
        chp.save()

    with pytest.raises(UnpicklableError) as caught:
        train()

    text = str(caught.value)
    assert "pool cannot be saved" in text
    assert "shares an object with table" in text
    assert "exclude=['pool', 'table']" in text
    assert "Nothing was written" in text


def test_a_left_out_name_that_shares_with_a_saved_one(tmp_path, loader):
    """The same where the name cannot be saved by itself."""

    def train():
        table = [1, 2]
        box = [table, loader]
        chp = Checkpoint()
        chp.restore()
        chp.save()

    with pytest.raises(UnpicklableError, match="box cannot be saved .*shares an object with table"):
        train()


def test_a_name_created_from_another_before_the_restore(tmp_path):
    """A name that keeps its own value must not hold what another name held before the restore."""

    def train(late):
        table = [0]
        chp = Checkpoint("train", rate=0, exclude=["pool"], args="caller")
        if not late:
            chp.restore()
        pool = None
        if late:
            pool = {"table": table}
            chp.restore()
        table.append(1)
        pool = None
        chp.save()
        return table

    assert train(late=False) == [0, 1]

    with pytest.raises(RestoreError) as caught:
        train(late=True)
    text = str(caught.value)
    assert "'pool' holds 'table' as it was before the restore" in text
    assert "create 'pool' after restore()" in text
    assert numbers(tmp_path, "train") == [1]


GONE = """
    import sys
    from resume import Checkpoint, load
    {model}
    def train(stop, **options):
        model = make()
        i = 0
        chp = Checkpoint("train", rate=0, args="saved", exclude=["stop"], **options)
        record = chp.restore()
        while i < 5:
            i += 1
            if i == stop:
                raise KeyboardInterrupt
            chp.sync()
        return i, model
"""
OLD = """
    class Model:
        def __init__(self): self.w = [1]
    make = Model
"""
NEW = """
    class Net:
        def __init__(self): self.w = [2]
    make = Net
"""
RAISES = """
    class Model:
        def __init__(self): self.w = [1]
        def __setstate__(self, state): raise ValueError("no such layer: 7")
    make = Model
"""


def program(tmp_path, monkeypatch, model):
    """The module `work` with this class in it, imported afresh."""
    (tmp_path / "work.py").write_text(
        textwrap.dedent(GONE).replace("{model}", textwrap.dedent(model))
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    sys.modules.pop("work", None)
    import work

    monkeypatch.delitem(sys.modules, "work", raising=False)
    monkeypatch.setitem(sys.modules, "work", work)
    return work


def test_a_class_that_is_gone(tmp_path, monkeypatch):
    """Variable, class, generation and the remedies are named; nothing is set aside, and each remedy
    works.
    """
    with pytest.raises(KeyboardInterrupt):
        program(tmp_path, monkeypatch, OLD).train(3)
    before = sorted(os.listdir(tmp_path / ".checkpoints/train"))

    work = program(tmp_path, monkeypatch, NEW)
    with pytest.raises(RestoreError) as caught:
        work.train(None)

    text = str(caught.value)
    assert "model" in text
    assert "work.Model" in text
    assert "generation 2" in text
    for remedy in ("Checkpoint.add_types(rename=", "exclude=", "clean=True"):
        assert remedy in text
    after = sorted(os.listdir(tmp_path / ".checkpoints/train"))
    assert [name for name in after if name != "restores"] == before  # that says: it was tried
    assert isinstance(pickle.loads(pickle.dumps(caught.value)), RestoreError)

    loaded = load("train", folder=tmp_path / ".checkpoints")
    assert loaded["i"] == 2
    assert loaded["model"].w == [1]

    monkeypatch.setattr("resume.custom._renames", {})
    Checkpoint.add_types(rename={"work.Model": "work.Net"})
    i, model = work.train(None)
    assert (i, type(model).__name__, model.w) == (5, "Net", [1])


def test_a_setstate_that_raises(tmp_path, monkeypatch):
    """The class's own error is told with the variable; putting the class back is enough."""
    with pytest.raises(KeyboardInterrupt):
        program(tmp_path, monkeypatch, OLD).train(3)

    with pytest.raises(RestoreError) as caught:
        program(tmp_path, monkeypatch, RAISES).train(None)

    text = str(caught.value)
    assert "model" in text
    assert "work.Model" in text
    assert "no such layer: 7" in text
    assert "generation 2" in text
    assert numbers(tmp_path, "train") == [2, 1]
    i, model = program(tmp_path, monkeypatch, OLD).train(None)
    assert (i, model.w) == (5, [1])


def test_a_class_that_is_gone_may_be_excluded(tmp_path, monkeypatch):
    """The rest comes back, and the name keeps what the rerun made."""
    with pytest.raises(KeyboardInterrupt):
        program(tmp_path, monkeypatch, OLD).train(3)

    work = program(tmp_path, monkeypatch, NEW.replace("make = Net", "make = Net"))
    source = (tmp_path / "work.py").read_text()
    excluding = source.replace('exclude=["stop"]', 'exclude=["stop", "model"]')
    exec(compile(excluding, str(tmp_path / "work.py"), "exec"), vars(work))

    i, model = work.train(None)
    assert (i, type(model).__name__, model.w) == (5, "Net", [2])


def test_an_excluded_name_that_shared_with_others_is_refused(tmp_path):
    """There would be two of what was one."""

    def train(exclude):
        table = [1]
        model = {"table": [] if exclude else table}
        chp = Checkpoint("train", exclude=["exclude", *exclude], args="caller")
        chp.restore()
        chp.save()
        return model

    train(())
    with pytest.raises(RestoreError, match="'model', and it shares an object") as caught:
        train(("model",))
    assert "Exclude both, or neither" in str(caught.value)
    train(("model", "table"))


# --- code --------------------------------------------------------------------------------------


LOOPS = """
    from resume import Checkpoint

    def train(stop=None, **options):
        total = 0
        chp = Checkpoint("train", rate=0, args="saved", exclude=["stop"], **options)
        chp.restore()
        for k in chp.loop(range(5)):
            if k == stop:
                raise InterruptedError
            total += k
        return total
"""
SAME_LOOPS = LOOPS.replace("total += k", "total += 10 * k")
LOOP_BEHIND = "for j in chp.loop(range(2)):\n            total += j\n        return total"
LOOP_ABOVE = "for unused in chp.loop(range(0)):\n            pass\n        for k in"
OTHER_LOOPS = LOOPS.replace("return total", LOOP_BEHIND).replace("for k in", LOOP_ABOVE)


def test_a_changed_function_with_the_same_loops_goes_on(tmp_path, caplog):
    """One line says that the code has changed; the new code does the rest."""
    caplog.set_level("INFO", "resume")
    path = tmp_path / "work.py"
    with pytest.raises(InterruptedError):
        run_here(path, LOOPS, "train", 3)

    assert run_here(path, SAME_LOOPS, "train") == 0 + 1 + 2 + 30 + 40

    lines = [line for line in caplog.messages if "the code of train has changed" in line]
    assert len(lines) == 1
    assert "its loops are the same, going on" in lines[0]


def test_a_function_with_other_loops_is_refused_with_the_difference(tmp_path):
    """CodeChangedError shows the lines, and the old code goes on afterwards."""
    path = tmp_path / "work.py"
    with pytest.raises(InterruptedError):
        run_here(path, LOOPS, "train", 3)

    with pytest.raises(CodeChangedError) as caught:
        run_here(path, OTHER_LOOPS, "train")

    text = str(caught.value)
    assert "the loops of train are not those of generation" in text
    assert "+    for unused in chp.loop(range(0)):" in text
    assert "Nothing was changed" in text
    assert "on_change='continue'" in text
    assert "on_change='restart'" in text
    assert run_here(path, LOOPS, "train") == 10


def test_on_change_restart_starts_anew_and_sets_aside(tmp_path, caplog):
    """The choice is said in one line; the old generations stay on disk."""
    caplog.set_level("INFO", "resume")
    path = tmp_path / "work.py"
    with pytest.raises(InterruptedError):
        run_here(path, LOOPS, "train", 3)
    old = numbers(tmp_path, "train")

    names = OTHER_LOOPS.replace("rate=0", "rate=0, on_change='restart'")
    assert run_here(path, names, "train") == 11

    assert any("the loops of train have changed" in line for line in caplog.messages)
    assert any("set aside" in line for line in caplog.messages)
    assert set(old) < set(numbers(tmp_path, "train"))


def test_on_change_continue_takes_the_state(tmp_path, caplog):
    """The state comes back although the loops are others; it is said."""
    caplog.set_level("INFO", "resume")
    path = tmp_path / "work.py"
    with pytest.raises(InterruptedError):
        run_here(path, LOOPS, "train", 3)

    added = LOOPS.replace("return total", LOOP_BEHIND)
    added = added.replace("rate=0", "rate=0, on_change='continue'")
    assert run_here(path, added, "train") == 11

    assert any("going on as told" in line for line in caplog.messages)


def test_a_named_loop_survives_any_edit(tmp_path):
    """name= gives the loop a key that no other loop above it moves."""
    path = tmp_path / "work.py"
    named = LOOPS.replace("range(5))", "range(5), name='epochs')")
    with pytest.raises(InterruptedError):
        run_here(path, named, "train", 3)

    above = "if total < 0:\n            for _ in chp.loop([]): pass\n        for k in"

    assert run_here(path, named.replace("for k in", above), "train") == 10


def test_another_files_function_of_the_same_name(tmp_path):
    """Refused with both files and the remedies, and a program that goes past it saves nothing."""
    with pytest.raises(InterruptedError):
        run_here(tmp_path / "work.py", LOOPS, "train", 3)
    before = numbers(tmp_path, "train")

    with pytest.raises(ConfigError) as caught:
        run_here(tmp_path / "other.py", LOOPS, "train")
    text = str(caught.value)
    assert "was saved by train in work.py, and this is train in other.py" in text
    assert "name='...'" in text
    assert "clean=True" in text
    past = LOOPS.replace("chp.restore()", "try: chp.restore()\n        except ValueError: pass")
    with pytest.raises(ConfigError, match=r"was saved by train in work\.py"):
        run_here(tmp_path / "other.py", past, "train")
    assert numbers(tmp_path, "train") == before

    anew = LOOPS.replace("rate=0", "rate=0, clean=True")
    assert run_here(tmp_path / "other.py", anew, "train") == 10


# --- config ------------------------------------------------------------------------------------


def configured(config, stop=None, overridable=()):
    i = 0
    chp = Checkpoint(
        "fit", rate=0, config=json.loads(config), overridable=overridable, args="caller"
    )
    chp.restore()
    while i < 4:
        i += 1
        if i == stop:
            raise Killed
        chp.sync()
    return i


def test_a_changed_config_is_refused_with_the_paths(tmp_path):
    """Each entry that differs stands in the text, with both values; what is equal does not."""
    with pytest.raises(Killed):
        configured(json.dumps({"lr": 0.1, "data": {"size": 3, "path": "a"}, "old": 1}), 3)

    with pytest.raises(ConfigChangedError) as caught:
        configured(json.dumps({"lr": 0.2, "data": {"size": 3, "path": "b"}, "new": 2}))

    text = str(caught.value)
    assert "lr: saved 0.1, now 0.2" in text
    assert "data.path: saved 'a', now 'b'" in text
    assert "old: saved 1, now (absent)" in text
    assert "new: saved (absent), now 2" in text
    assert "size" not in text
    assert "overridable=" in text
    assert numbers(tmp_path, "fit") == [2, 1]


def test_config_entries_that_may_differ(tmp_path):
    """overridable= takes patterns of paths; what they do not cover is still refused."""
    with pytest.raises(Killed):
        configured(json.dumps({"lr": 0.1, "log": {"level": 1, "file": "a"}}), 3)
    changed = json.dumps({"lr": 0.1, "log": {"level": 2, "file": "b"}})

    with pytest.raises(ConfigChangedError, match=r"log\.file"):
        configured(changed, overridable=("log.level",))
    assert configured(changed, overridable=("log.*",)) == 4
