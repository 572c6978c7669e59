"""The handle: the call, names, the record of a restore, named values."""

from __future__ import annotations

import os
import pickle
from pathlib import Path

import pytest

from resume import Checkpoint, registry
from resume.store import Store
from resume.store import names as names_in


class Killed(Exception):
    """Ends a run in the middle, as a kill would, in a process that goes on."""


SEEN: list = []
"""What a function under test saw on its way: its own variables are those of the save in the end."""


@pytest.fixture(autouse=True)
def nothing_left():
    """No error waits for the next checkpoint of the process."""
    SEEN.clear()
    yield
    registry.raise_unreported()


def place():
    return Path.cwd() / ".checkpoints"


def entries(name):
    return Store(place(), name).entries()


def newest(name):
    """The newest manifest of a checkpoint in the working folder."""
    return entries(name)[0].manifest


def primes(n=10, **options):
    """Compute n next primes"""
    chp = Checkpoint("primes", rate=0, **options)
    i = 2
    primes = [i]
    candidate = primes[-1]
    chp.restore()
    while n > 0:
        candidate += 1
        for p in primes:
            if not candidate % p:
                break
        else:
            primes.append(candidate)
            n -= 1
            if len(primes) == KILL_AT:
                raise Killed
            chp.sync()
    return primes


KILL_AT = None


@pytest.fixture
def kill_at(monkeypatch):
    def at(count):
        monkeypatch.setitem(globals(), "KILL_AT", count)

    return at


# --- the call ----------------------------------------------------------------------------------


def test_the_same_call_goes_on_where_it_was(kill_at):
    """Primes killed with n left end with 11 primes; a finished call finds its finished state."""
    kill_at(6)
    with pytest.raises(Killed):
        primes()
    kill_at(None)

    assert primes() == [2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31]
    before = [entry.number for entry in entries("primes")]
    assert primes() == [2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31]
    assert [entry.number for entry in entries("primes")] == before


def test_another_call_without_loops_keeps_its_own_arguments():
    """The names come back and the caller's n stands: five more primes."""
    assert len(primes()) == 11

    assert len(primes(n=5)) == 16


@pytest.mark.parametrize(("args", "count"), [("call", 11), ("caller", 14), ("saved", 11)])
def test_whose_arguments_stand(kill_at, args, count):
    """For the same call, killed after six of ten: `caller` asks for ten more."""
    kill_at(6)
    with pytest.raises(Killed):
        primes(args=args)
    kill_at(None)

    found = primes(args=args)

    assert len(found) == (6 - 1 + 10 if args == "caller" else 11)


def test_saved_arguments_stand_in_another_call_too():
    assert len(primes(args="saved")) == 11

    assert len(primes(n=5, args="saved")) == 11


def train(fold, stop=None):
    total = 0
    chp = Checkpoint("train", rate=0, exclude=["stop"], args="call")
    chp.restore()
    for k in chp.loop(range(4)):
        total += fold * k
    return total, chp.name


def test_another_call_with_loops_has_a_line_of_its_own():
    """`for k in range(3): train(k)` just works, and again: each finds its own state."""
    first = [train(k) for k in range(3)]

    assert [total for total, _ in first] == [0, 6, 12]
    assert first[0][1] == "train"
    own = [name for _, name in first[1:]]
    assert all(name.startswith("train@") and len(name) == len("train@") + 8 for name in own)
    assert len(set(own)) == 2
    assert [train(k) for k in range(3)] == first
    assert newest(own[0]).draft.call["arguments"] == {"fold": "1", "stop": "None"}


# --- names -------------------------------------------------------------------------------------


def test_default_names_are_qualified():
    """Of a method: its class too."""

    class Trainer:
        def fit(self):
            return Checkpoint().name

    assert Trainer().fit().endswith("Trainer.fit")
    assert primes.__name__ == "primes"


def test_names_from_templates():
    def fit(fold, data):
        return Checkpoint("{function}/{fold}").name

    assert fit(3, []).endswith("fit/3")


def test_a_name_with_strange_letters_is_a_folder_of_its_own():
    """Whatever is in a name, nothing is written outside the folder."""

    def fit(name):
        chp = Checkpoint(name)
        chp.restore()
        chp.save()

    names = ["a/b", "../up", "é ☃", ".", "con", "A", "a"]
    for name in names:
        fit(name)

    assert sorted(names_in(place())) == sorted(names)
    assert sorted(os.listdir()) == [".checkpoints"]


# --- the record --------------------------------------------------------------------------------


def test_the_record_of_a_restore():
    """Falsy for a fresh start; then generation, age, what came back, and what did not."""

    def fit():
        a, b, c = 1, [2], 3
        chp = Checkpoint("fit", exclude=["c"])
        SEEN.append(chp.restore())
        return chp.save()

    saved = fit()
    fresh = SEEN.pop()
    assert not fresh
    assert str(fresh) == "fresh start"
    assert fresh.generation is None
    assert saved
    assert saved.generation == 1

    fit()
    record = SEEN.pop()
    assert record
    assert record.generation == 1
    assert 0 <= record.age_s < 60
    assert set(record.restored) == {"a", "b"}
    assert record.skipped == ("c",)
    assert not record.complete
    assert str(record).startswith("generation 1, saved ")
    assert pickle.loads(pickle.dumps(record)) == record


def test_the_restored_line(caplog, monkeypatch):
    """One line: name, a few numbers, generation, age; secrets are masked."""
    caplog.set_level("INFO", "resume")

    def fit():
        epoch, loss, api_key, word = 47, 0.5, 1234, "x"
        chp = Checkpoint("fit")
        chp.restore()
        chp.save()

    fit()
    fit()

    lines = [line for line in caplog.messages if "resuming" in line]
    assert lines == ["↻ resuming fit: epoch=47, loss=0.5 (generation 1, saved 0 s ago)"]


def test_found_above_is_said(tmp_path, caplog, monkeypatch):
    """A store in a folder above, up to the root of the version control, is named."""
    caplog.set_level("INFO", "resume")
    (tmp_path / ".git").mkdir()

    def fit():
        i = 1
        chp = Checkpoint("fit")
        chp.restore()
        chp.save()

    fit()
    (tmp_path / "deep").mkdir()
    monkeypatch.chdir(tmp_path / "deep")
    fit()

    assert f"from {tmp_path / '.checkpoints'}" in caplog.messages[-1]
    assert not (tmp_path / "deep/.checkpoints").exists()


def test_repr_is_live():
    def fit(kill):
        chp = Checkpoint("fit", background=False)
        texts = [repr(chp)]
        chp.restore()
        texts.append(repr(chp))
        for k in chp.loop(range(3)):
            texts.append(repr(chp))
            if k == 1 and kill:
                break
            chp.save()
        return texts

    def block():
        with Checkpoint("block") as chp:
            pass
        return repr(chp)

    texts = fit(True)
    assert texts[0] == texts[1] == "<Checkpoint fit not saved yet>"
    assert texts[-1] == "<Checkpoint fit gen=1 0 s ago>"
    assert block() == "<Checkpoint block gen=1 complete>"


def test_repr_on_the_way_back():
    def fit(stop):
        chp = Checkpoint("fit", rate=0, args="caller")
        chp.restore()
        SEEN.append((repr(chp), chp.resuming))
        for k in chp.loop(range(3)):
            SEEN.append((k, chp.resuming))
            if k == stop:
                raise Killed

    with pytest.raises(Killed):
        fit(2)
    SEEN.clear()
    fit(None)

    assert SEEN == [("<Checkpoint fit gen=2 resuming>", True), (2, False)]


# --- named values ------------------------------------------------------------------------------


def test_named_values_are_one_thing_with_save():
    """chp["k"] = v, save(k=v): in the state, and back after the restore."""

    def fit():
        chp = Checkpoint("fit")
        chp.restore()
        SEEN.append(dict(chp))
        chp["best"] = [1]
        chp.save(other=2)
        chp["gone"] = 3
        return dict(chp)

    assert fit() == {"best": [1], "other": 2, "gone": 3}
    assert fit() == {"best": [1], "other": 2, "gone": 3}

    assert SEEN == [{}, {"best": [1], "other": 2}]


def test_a_named_value_is_the_same_object_as_a_variable():
    """One graph: after the restore the two are still one list."""

    def fit():
        best = []
        chp = Checkpoint("fit")
        if not chp.restore():
            chp["best"] = best
        chp.save()
        return chp["best"] is best

    assert fit()
    assert fit()


def test_it_is_a_mapping():
    chp_names = []

    def fit():
        chp = Checkpoint("fit")
        chp["a"] = 1
        chp.update(b=2)
        assert "a" in chp
        assert len(chp) == 2
        assert list(chp) == ["a", "b"]
        assert chp.get("c", 5) == 5
        assert chp.pop("a") == 1
        with pytest.raises(KeyError):
            chp["a"]
        del chp["b"]
        assert chp
        assert chp == chp
        assert {chp: 1}[chp] == 1
        assert chp != Checkpoint("other")

    fit()
