"""Whose state is saved, and which of its names."""

from __future__ import annotations

import gc
import sys
import types

import pytest

from resume.errors import ConfigError
from resume.owner import (
    FrameOwner,
    NamespaceOwner,
    ObjectOwner,
    is_interactive,
    reachable_mutables,
    state_names,
)


def owner_here(on_end=lambda: None):
    return FrameOwner(sys._getframe(1), on_end)


def test_a_call_is_found_from_below_and_not_from_beside():
    """It is the call, not the function: another call of the same code is not it."""

    def function(other):
        owner = owner_here()
        here = sys._getframe()
        look = lambda: owner.find(sys._getframe())
        below = look()
        assert below is here
        if other is not None:
            assert other.find(here) is not here
        return owner

    first = function(None)

    function(first)
    assert first.find(sys._getframe()) is None


def test_names_are_read_and_written():
    def function():
        a, b = 1, [2]
        owner = owner_here()
        frame = sys._getframe()
        read = owner.read(frame)
        unknown = owner.write(frame, {"a": 5, "b": 6, "c": 7, "zzz": 8})
        c = locals().get("c")
        return a, b, unknown, read

    a, b, unknown, read = function()
    assert set(read) == {"a", "b", "owner", "frame"}
    assert (read["a"], read["b"]) == (1, [2])

    assert (a, b) == (5, 6)
    assert "zzz" in unknown
    assert "a" not in unknown


def test_names_are_unbound():
    """As far as this Python can: variables of closures can be on all of them."""

    def function():
        a = 1
        look = lambda: a
        owner = owner_here()
        owner.unbind(sys._getframe(), ["a"])
        return look()

    with pytest.raises(NameError, match="'a'"):
        function()


def test_an_ended_call_is_not_alive():
    """And its end is told once, also where an exception ended it."""
    told = []

    def function(fails):
        owner = owner_here(lambda: told.append(fails))
        owners.append(owner)
        assert owner.is_alive()
        if fails:
            raise KeyError

    owners = []
    function(False)
    assert told == [False]
    try:
        function(True)
    except KeyError:
        assert not owners[-1].is_alive()  # the traceback still holds the frame
    gc.collect()
    assert told == [False, True]
    assert [owner.is_alive() for owner in owners] == [False, False]


def test_a_suspended_generator_is_alive():
    """Until it has ended, also where a traceback holds its frame."""

    def generator(fails):
        owners.append(owner_here())
        yield 1
        if fails:
            raise KeyError

    owners = []
    running = generator(True)
    next(running)
    assert owners[0].is_alive()

    with pytest.raises(KeyError) as caught:
        next(running)
    assert caught.tb is not None
    assert not owners[0].is_alive()


def test_a_namespace_is_found_from_below_and_from_later_code():
    names = {"sys": sys, "found": [], "NamespaceOwner": NamespaceOwner}
    exec("owner = NamespaceOwner(sys._getframe())", names)
    exec("def f(): found.append(owner.find(sys._getframe()))\nf()", names)

    assert names["found"][0] is not None
    assert names["owner"].find(sys._getframe()) is None
    names["owner"].write(None, {"x": 1})
    assert names["x"] == 1
    names["owner"].unbind(None, ["x", "not there"])
    assert "x" not in names
    assert names["owner"].is_alive()


def test_an_object_is_its_own_only_name():
    thing = types.SimpleNamespace(a=1)
    owner = ObjectOwner(thing)

    assert owner.read(None) == {"self": thing}
    assert owner.title == "SimpleNamespace"
    assert owner.find(sys._getframe()) is None
    assert owner.is_alive()


@pytest.mark.parametrize(
    ("file", "interactive"),
    [
        ("<stdin>", True),
        ("<python-input-3>", True),
        ("<ipython-input-1>", True),
        ("/tmp/ipykernel_77/123.py", True),
        ("script.py", False),
        ("<string>", False),
    ],
)
def test_what_may_be_typed_again(file, interactive):
    assert is_interactive(compile("1", file, "exec")) is interactive


def chosen():
    return 1


class Handle:
    pass


def test_which_names_are_state():
    """Not: modules, what the rerun defines again, dunders, the checkpoint; chosen functions are."""

    def function():
        number, module, __hidden__, _ = 1, sys, 2, 3
        _private = 4
        handle = Handle()
        policy = chosen

        def defined():
            pass

        class Defined:
            pass

        alias = defined
        left_out = 5
        owner = owner_here()
        return state_names(owner.read(sys._getframe()), owner, ["left*"], Handle)

    kept, left_out = function()

    assert set(kept) == {"number", "_private", "policy", "alias", "owner"}
    assert left_out == ["left_out"]


def test_names_of_a_notebook():
    """Its history and its own functions are no state."""
    names = {"get_ipython": chosen, "In": [], "Out": {}, "_i1": "x", "_3": 1, "__": 1, "x": 1}
    names |= {"exit": 1, "quit": 1, "_private": 2}

    class Frame:
        f_code = compile("1", "<ipython-input-1>", "exec")

    owner = ObjectOwner(None)
    kept, left_out = state_names(names, owner, [], ())

    assert set(kept) == {"x", "_private"}
    assert left_out == []


def test_reachable_mutables():
    """By identity, through containers, attributes and closures; not through modules and classes."""
    inner, other = [1], {2}

    class Thing:
        shared = {}

    thing = Thing()
    thing.a = (inner,)
    closure = lambda: other

    found = reachable_mutables([thing, closure, sys, 5])

    assert id(inner) in found
    assert id(other) in found
    assert id(thing) in found
    assert id(Thing.shared) not in found
    assert id(sys.modules) not in found
    assert all(value is not thing.a for value in found.values())


def test_the_walk_is_bounded():
    deep = []
    for _ in range(1000):
        deep = [deep]

    assert len(reachable_mutables([deep], limit=100)) == 100


def test_what_has_returned_is_told(tmp_path):
    def function():
        return owner_here()

    with pytest.raises(ConfigError, match=r"function has returned.*Checkpoint\(of=self\)"):
        function().read(None)
