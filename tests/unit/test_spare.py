"""What a save leaves for the next belongs to one checkpoint, and ends with its run."""

from __future__ import annotations

import os

import pytest

from resume import Checkpoint
from resume.pickling import picklers


@pytest.fixture(autouse=True)
def keeps_all(monkeypatch):
    monkeypatch.setattr(picklers, "WORTH_KEEPING", 0)


def kept(chp):
    """Who it is that waits for the next save; no more, for the tests' variables are the state."""
    return [id(press) for press in chp._run.engine._spare._kept]


def test_later_saves_use_the_pickler_of_the_first():
    table = {f"key-{n}": float(n) for n in range(1_000)}
    chp = Checkpoint("work", folder="store")
    chp.restore()

    chp.save()
    first = kept(chp)
    table["key-1"] = 0.0
    chp.save()

    assert 1 == len(first)
    assert first == kept(chp)


def test_two_interleaved_checkpoints_do_not_share_it():
    table = {f"key-{n}": float(n) for n in range(1_000)}  # noqa: F841 - it is the state
    one = Checkpoint("one", folder="store", exclude=["two"])
    two = Checkpoint("two", folder="store", exclude=["one"])
    one.restore()
    two.restore()

    one.save()
    two.save()
    one.save()
    two.save()

    assert len(kept(one)) == len(kept(two)) == 1
    assert kept(one) != kept(two)


def test_it_ends_with_the_run():
    seen = []

    def program():
        table = {f"key-{n}": float(n) for n in range(1_000)}  # noqa: F841 - it is the state
        with Checkpoint("work", folder="store", exclude=["engine"]) as chp:
            chp.sync()
            engine = chp._run.engine
            chp.save()
            seen.append(bool(engine._spare._kept))
        seen.append(bool(engine._spare._kept))

    program()

    assert [True, False] == seen


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_child_and_its_parent_go_on_by_themselves():
    def program(number):
        table = {f"key-{n}": n * number for n in range(1_000)}
        chp = Checkpoint("work", folder="store", exclude=["child", "number"])
        chp.restore()
        chp.save()
        child = os.fork()
        if not child:
            os._exit(0)  # what it holds of the pickler is a copy
        table["key-1"] = -1
        chp.save()
        return os.waitpid(child, 0)[1]

    assert 0 == program(1)

    def again():
        table = {}
        chp = Checkpoint("work", folder="store", on_change="continue")
        chp.restore()
        return table

    assert again()["key-1"] == -1
