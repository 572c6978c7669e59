"""Classes that no definition makes again come back without a line of the program's code."""

from __future__ import annotations

import json

import pytest
from stacks import go_on, run_to_stop
from test_roots import plain

HEAD = """
import abc
from collections import Counter
from typing import Generic, TypeVar
from pieces import sync
result = []
seen = Counter()
T = TypeVar("T")
"""
TAIL = """
kinds = [make(n) for n in range(2)]
for turn in range(3):
    sync()
    kinds.append(make(turn))
    result.append([[show(kind) for kind in kinds], sorted(seen.items())])
"""

MADE = {
    "a metaclass that counts": """
class Meta(type):
    def __new__(meta, name, bases, body, **options):
        seen[name] += 1
        return super().__new__(meta, name, bases, body)
    def __init__(cls, name, bases, body, size=0):
        type.__setattr__(cls, "size", size)
    def __call__(cls):
        seen["called"] += 1
        return super().__call__()
    def __setattr__(cls, name, value):
        if not name.startswith("__"):
            seen["set " + name] += 1
        super().__setattr__(name, value)
def make(n):
    class Local(metaclass=Meta, size=n):
        def go(self):
            return [self.size, __class__.__name__, super().__hash__() == id(self) // 16]
    Local.more = n
    return Local
def show(kind):
    return [kind().go()[:2], kind.more]
""",
    "bases that want to know": """
class Base:
    __slots__ = ("a",)
    def __init_subclass__(cls, size=0, **options):
        seen["sub", size] += 1
        cls.size = size
class Side:
    def __init_subclass__(cls, **options):
        super().__init_subclass__(**options)
        seen["side", cls.__name__] += 1
def make(n):
    class Local(Side, Base, size=n):
        __slots__ = ("b", "__weakref__")
    class Words(Side, dict):
        def __missing__(self, key):
            return n
    return Local, Words
def show(kinds):
    made, words = kinds[0](), kinds[1](a=1)
    made.b = 3
    names = [each.__name__ for each in kinds[0].__mro__]
    return [made.b, kinds[0].size, hasattr(made, "__dict__"), words["b"], len(words), names]
""",
    "descriptors that are named": """
class Field:
    def __set_name__(self, owner, name):
        seen[name] += 1
        self.name = name
    def __get__(self, held, owner):
        return [self.name, held is None]
def make(n):
    class Local:
        one = two = Field()
        @property
        def three(self):
            return n
        @classmethod
        def four(cls):
            return cls.__qualname__
    return Local
def show(kind):
    return [kind.one, kind().two, kind().three, kind.four()]
""",
    "abstract ones, and generic ones": """
class Shape(abc.ABC):
    @abc.abstractmethod
    def area(self):
        pass
def make(n):
    class Half(Shape):
        def half(self):
            return n
    class Whole(Half, Generic[T]):
        def area(self):
            return n * 2
    return Half, Whole
def show(kinds):
    try:
        kinds[0]()
    except TypeError:
        seen["abstract"] += 1
    ok = issubclass(kinds[1], Shape), isinstance(kinds[1](), kinds[0])
    return [kinds[1]().area(), ok, str(kinds[1][int])[-5:], sorted(kinds[0].__abstractmethods__)]
""",
}


@pytest.mark.parametrize("kind", MADE)
def test_a_class_that_a_function_made_comes_back_and_nothing_is_counted_twice(kind):
    source = HEAD + MADE[kind] + TAIL

    found = go_on(run_to_stop(source, at=2))["result"]

    assert plain(source) == json.loads(json.dumps(found))
