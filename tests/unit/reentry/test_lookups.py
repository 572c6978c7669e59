"""What an attribute is can be told without any code of the program running."""

from __future__ import annotations

import collections
import functools
import itertools
import types

import pytest

from resume.reentry.lookups import (
    MISSING,
    Unclear,
    attribute,
    in_classes,
    is_class,
    is_of,
    method_behind,
    name_of_class,
    own_names,
)


def explode(*args: object) -> object:
    raise AssertionError("code of the program ran")


class Loud(type):
    """Every question to a class of it runs code."""

    __hash__ = __eq__ = __instancecheck__ = __subclasscheck__ = __getattr__ = explode
    __call__ = explode
    mro_asked = property(explode)


class Base:
    def above(self):
        return 1

    @classmethod
    def made(cls):
        return 2


class Plain(Base):
    __slots__ = ("empty", "slot")

    value = [1]
    nothing = None
    computed = property(explode)
    cached = functools.cached_property(explode)
    partial = functools.partialmethod(explode)
    wrapped = staticmethod(functools.partial(explode))

    def __init__(self):
        self.slot = 3
        self.own = 4
        self.shadow = 5
        self.cached_value = 6

    def method(self):
        return 7

    def shadow(self):
        return 8

    @staticmethod
    def static():
        return 9

    __getattr__ = explode


def quiet():
    """A class of it; pytest would ask one of the module."""

    class Quiet(metaclass=Loud):
        def method(self):
            return 1

    return Quiet


THING = Plain()


@pytest.mark.parametrize(
    ("owner", "name", "value", "is_method"),
    [
        (THING, "slot", 3, False),
        (THING, "own", 4, False),
        (THING, "shadow", 5, False),
        (THING, "value", Plain.value, False),
        (THING, "nothing", None, False),
        (THING, "static", Plain.static, True),
        (THING, "wrapped", Plain.wrapped, False),
        (Plain, "method", Plain.method, True),
        (Plain, "static", Plain.static, True),
        (Plain, "nothing", None, False),
        (functools, "partial", functools.partial, True),
        ([], "append", list.__dict__["append"], True),
        ("", "join", str.__dict__["join"], True),
        (dict, "fromkeys", dict.__dict__["fromkeys"], True),
        (explode, "__wrapped__", explode, False),
    ],
    ids=itertools.count(),
)
def test_what_an_attribute_is(owner, name, value, is_method, monkeypatch):
    """As `getattr` would give it, and whether it is the same when it is looked up again."""
    monkeypatch.setattr(explode, "__wrapped__", explode, raising=False)

    found = attribute(owner, name)

    assert found.value is value
    assert found.is_method is is_method


@pytest.mark.parametrize(
    ("owner", "name", "function", "bound_to"),
    [
        (THING, "method", Plain.method, THING),
        (THING, "above", Base.above, THING),
        (THING, "made", Base.made.__func__, Plain),
        (Plain, "made", Base.made.__func__, Plain),
        (super(Plain, THING), "above", Base.above, THING),
        (super(Plain, THING), "made", Base.made.__func__, Plain),
        (super(Plain, Plain), "made", Base.made.__func__, Plain),
    ],
    ids=itertools.count(),
)
def test_methods_are_bound_as_the_interpreter_would(owner, name, function, bound_to):
    """To the object, or its class."""
    found = attribute(owner, name)

    assert found.is_method
    assert (function, bound_to) == (found.value.__func__, found.value.__self__)


class Asked:
    def __getattribute__(self, name):
        raise AssertionError


class Other:
    __slots__ = ("a",)


class Strange:
    __dict__ = property(explode)


class Borrowed:
    __slots__ = ()
    __dict__ = Base.__dict__["__dict__"]


class Sub(super):
    pass


@pytest.mark.parametrize(
    ("owner", "name", "why"),
    [
        (THING, "computed", "a property, which runs code"),
        (THING, "cached", "a cached_property, which runs code"),
        (THING, "partial", "a partialmethod, which runs code"),
        (THING, "empty", "has no value now"),
        (THING, "never", "Plain has no `.never` of its own"),
        (Asked(), "a", "a `__getattribute__`"),
        (Other(), "a", "has no value now"),
        (Other(), "b", "Other has no `.b`"),
        (Strange(), "a", "Strange has no `.a`"),
        (Borrowed(), "a", "Borrowed has no `.a`"),
        (Plain, "computed", "a property, which runs code"),
        (Plain, "never", "Plain has no `.never`"),
        (Sub(Plain, THING), "above", "a `__getattribute__`"),
        (super(Plain), "above", "a `super` of no object"),
        (super(Base, THING), "above", "no class above has `.above`"),
        (types.SimpleNamespace(), "a", "SimpleNamespace has no `.a`"),
    ],
    ids=itertools.count(),
)
def test_what_cannot_be_told(owner, name, why):
    """Code would run, or there is nothing."""
    with pytest.raises(Unclear, match=why.replace(".", r"\.").replace("(", r"\(")):
        attribute(owner, name)


def test_a_metaclass_is_asked_nothing():
    """Neither for the order of the classes, nor for equality, hash or name."""
    Quiet = quiet()
    thing = object.__new__(Quiet)

    assert is_of(thing, Quiet)
    assert is_class(Quiet)
    assert not is_class(thing)
    assert "quiet.<locals>.Quiet" == name_of_class(Quiet)
    assert attribute(thing, "method").value.__func__ is Quiet.__dict__["method"]
    assert attribute(Quiet, "method").value is Quiet.__dict__["method"]
    assert in_classes(Quiet, "absent") is MISSING
    assert attribute(Quiet, "mro").value is type.__dict__["mro"]
    assert "method" not in own_names(thing)
    for name in ("mro_asked", "__name__"):
        with pytest.raises(Unclear, match="which runs code"):
            attribute(Quiet, name)


def test_super_of_something_else():
    """As the interpreter, which raises there, it does not tell."""
    with pytest.raises(Unclear, match="`super\\(\\)` is asked for a class that int is not of"):
        method_behind(Plain, 1, "above")
    assert in_classes(Plain, "above", behind=int) is MISSING


def test_objects_of_builtin_classes_are_looked_at_too():
    """Their own `__getattribute__` is the interpreter's."""

    class Mine(collections.OrderedDict):
        def method(self):
            return 1

    mine = Mine()
    mine.own = 2

    assert attribute(mine, "own").value == 2
    assert attribute(mine, "method").value.__func__ is Mine.method
