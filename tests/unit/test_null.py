"""A checkpoint that does nothing has every method of the real one."""

from __future__ import annotations

import inspect

import pytest

from resume import Checkpoint, NullCheckpoint


def public(kind):
    return {
        name for name in dir(kind) if not name.startswith("_") or name in ("__enter__", "__exit__")
    }


def test_it_has_everything_that_the_real_one_has():
    """A program runs under RESUME_DISABLE=1 without a change."""
    assert public(Checkpoint) <= public(NullCheckpoint) | {"name"}
    for name in ("restore", "sync", "save", "loop", "add_types"):
        real = inspect.signature(getattr(Checkpoint, name)).parameters
        null = inspect.signature(getattr(NullCheckpoint, name)).parameters
        assert list(real) == list(null)


def test_it_takes_the_parameters_of_the_real_one():
    options = {
        name: None
        for name, parameter in inspect.signature(Checkpoint.__init__).parameters.items()
        if parameter.kind is parameter.KEYWORD_ONLY
    }

    assert NullCheckpoint("x", **options).name == "x"


def test_a_program_runs_through(tmp_path):
    """Every answer is falsy, loops loop, named values stay in memory, and no file is made."""
    done = []
    with NullCheckpoint("x") as chp:
        assert not chp.restore()
        for item in chp.loop([1, 2]):
            done.append(item)
            assert not chp.sync()
        for item in chp.loop(lambda: iter([3])):
            done.append(item)
        assert not chp.save(best=4)
        chp["other"] = 5
        del chp["other"]

    assert done == [1, 2, 3]
    assert dict(chp) == {"best": 4}
    assert len(chp) == 1
    assert chp
    assert not chp.resuming
    assert not chp.complete
    assert repr(chp) == "<NullCheckpoint x>"
    assert list(tmp_path.iterdir()) == []


def test_an_exception_goes_through():
    with pytest.raises(KeyError):
        with NullCheckpoint():
            raise KeyError
