"""Definitions that read what the program has computed run again, and read what they read."""

from __future__ import annotations

import json

import pytest
from stacks import go_on, run_to_stop
from test_roots import plain

from resume.errors import RestoreError, UnsupportedCodeError

HEAD = """
import functools, threading
from collections import defaultdict, namedtuple
from dataclasses import dataclass
from enum import Enum
from typing import Generic, NewType, TypeVar
from pieces import sync
result = []
n = sum(range(4))
"""
TAIL = """
for turn in range(3):
    sync()
    result.append([show(turn)])
"""

READING = {
    "the body of a class": """
class Sized:
    size = 2 * n
    names = [f"n{i}" for i in range(n)]
    def __init__(self, much=size):
        self.much = much
def show(turn):
    global n
    n += 1
    Sized.size += 1
    return [Sized().much, Sized.size, Sized.names]
""",
    "a class in a class": """
class Outer:
    class Inner:
        size = n
        def twice(self):
            return self.size * 2
def show(turn):
    return Outer.Inner().twice()
""",
    "a decorator of a class": """
@dataclass(order=n > 5, frozen=bool(n))
class Pair:
    a: int
    b: int = n
def show(turn):
    return [Pair(1) < Pair(2), Pair(turn).b, repr(Pair(0))]
""",
    "members of an enumeration": """
class Colour(Enum):
    RED = n
    BLUE = n + 1
def show(turn):
    return [Colour(6).name, Colour.BLUE.value, Colour.RED is Colour["RED"]]
""",
    "an annotation": """
Rows = list[float]
def first(rows: Rows, *more: Rows, at: "Rows" = None, **named: Rows) -> Rows:
    for row in rows:
        sync()
    return [row, *more]
class Table:
    rows: Rows = [1.0]
    def all(self, times: Rows) -> Rows:
        return self.rows * times
held: Rows = [0.5]
def show(turn):
    return [first([1.5], 2), Table().all(2), held]
""",
    "a type variable": """
T = TypeVar("T")
Id = NewType("Id", int)
Point = namedtuple("Point", "x y")
class Stack(Generic[T]):
    def __init__(self):
        self.items = []
    def push(self, item: T, key: Id) -> "Stack[T]":
        self.items.append(item)
        return self
class Far(Point):
    def far(self):
        return self.x + self.y
near = Point(3, 4)
def show(turn):
    ok = [isinstance(Far(1, 2), Point), type(near) is Point, Stack.__parameters__ == (T,)]
    return [Stack().push(turn, Id(3)).items, Far(turn, 2).far(), near.x, ok]
""",
    "a metaclass": """
class Meta(type):
    def __new__(mcls, name, bases, body):
        body["times"] = n * 2
        return super().__new__(mcls, name, bases, body)
class Made(metaclass=Meta):
    pass
def show(turn):
    return Made.times
""",
    "a registry that knows the class already": """
known = defaultdict(list)
class Base:
    def __init_subclass__(cls):
        known["all"].append(cls)
        cls.order = len(known["all"])
class First(Base):
    pass
class Second(Base):
    pass
known["extra"].append(Second())
def show(turn):
    kinds = [each.__name__ for each in known["all"]]
    ok = known["all"] == [First, Second], type(known["extra"][0]) is Second
    return [kinds, ok, First.order, Second.order]
""",
    "a registry that knows classes which a call has made": """
known = defaultdict(list)
class Base:
    def __init_subclass__(cls):
        known["all"].append(cls)
class One(Base):
    pass
def make():
    class Local(Base):
        pass
    return Local
kept = make()
known["held"].append(kept())
def show(turn):
    return [known["all"] == [One, kept], type(known["held"][0]) is kept]
""",
    "a name that is bound anew by turns": """
size = n + 0
class First(Enum):
    A = size
size = 1
size = n * 1
class Second(Enum):
    B = size
def show(turn):
    return [First.A.value, Second.B.value]
""",
    "a descriptor that keeps a list": """
rows = list("ab")
class Field:
    def __init__(self, start):
        self.start = start
    def __set_name__(self, owner, name):
        self.name = name + str(n)
        rows.append(name)
    def __get__(self, held, owner):
        return [self.name, self.start]
class Held:
    one = Field(rows)
def show(turn):
    rows.append(turn)
    return [Held.one, len(rows), Held().one[1] is rows]
""",
    "a method that a decorator has given a count": """
def counted(function):
    count = n
    @functools.wraps(function)
    def inner(self):
        nonlocal count
        count += 1
        return [function(self), count]
    return inner
class Held:
    @counted
    def go(self):
        return 1
    @counted
    def __len__(self):
        return 5
def show(turn):
    return [Held().go(), Held.__len__(Held())]
""",
    "an instance of a class above it": """
class Options:
    def __init__(self, size):
        self.size = size
        self.parent = self
options = Options(n)
class Net:
    width = options.size
    options = options
    make = staticmethod(lambda: options)
def show(turn):
    options.size += 1
    return [Net.width, Net.options.size, Net.options is options is Net.make().parent]
""",
    "a condition": """
if n > 4:
    def chosen():
        for i in range(3):
            pass
        return i
    class Chosen:
        size = n
else:
    def chosen():
        return "no"
def show(turn):
    return [chosen(), Chosen.size]
""",
    "a name that was a constant first": """
size = 0
size = n * 10
class Sized:
    members = tuple(range(size // size))
    size = size
def show(turn):
    return [Sized.members, Sized.size]
""",
    "a name that a function has bound": """
def begin():
    global later
    later = n * 3
begin()
class Sized:
    size = later
def show(turn):
    return Sized.size
""",
    "a long list": """
rows = [str(i) * 20 for i in range(9000)]
class Sized:
    size = len(rows)
    last = rows[-1]
def show(turn):
    return [Sized.size, Sized.last]
""",
    "a large buffer": """
import array
data = array.array("d", range(20000))
class Sized:
    size = int(sum(data[:n]))
def show(turn):
    return Sized.size
""",
    "a function that was made": """
def adder(k):
    return lambda x: x + k
add = adder(n)
@functools.lru_cache
def twice(k):
    return k * 2
table = {"add": add, "twice": twice}
class Sized:
    size = add(1)
    other = table["twice"](n)
def show(turn):
    return [Sized.size, Sized.other, add(turn)]
""",
    "an option of a parent with a lock": """
lock = threading.Lock()
class Base:
    def __init_subclass__(cls, **options):
        with lock:
            cls.options = options
class Child(Base, size=n):
    pass
def show(turn):
    return Child.options
""",
}


@pytest.mark.parametrize("kind", READING)
def test_a_definition_that_reads_what_was_computed_goes_on(kind):
    """Bodies, decorators, metaclasses, annotations: the results are those of a run that stayed."""
    source = HEAD + READING[kind] + TAIL
    saved = run_to_stop(source, at=2)

    names = go_on(saved)

    assert plain(source) == json.loads(json.dumps(names["result"]))
    assert not [name for name in names if name.startswith(".give")]


MODULES = {
    "piece_shapes": """
from collections import defaultdict
count = max([0])
known = defaultdict(list)
class Shape:
    def __init_subclass__(cls):
        global count
        count += 1
        known[count].append(cls.__name__)
        cls.order = count
"""
}


def test_what_a_function_of_another_module_reads_is_there_too():
    source = """
from pieces import sync
import piece_shapes
result = []
scale = max([3])
class Square(piece_shapes.Shape):
    size = scale
class Circle(piece_shapes.Shape):
    size = scale * 2
for turn in range(2):
    sync()
    result.append([Square.order, Circle.order, piece_shapes.count, sorted(piece_shapes.known)])
"""
    saved = run_to_stop(source, also=MODULES)

    assert [[1, 2, 2, [1, 2]]] * 2 == go_on(saved)["result"]


def test_what_no_definition_reads_is_not_given():
    source = HEAD + "class Plain:\n    size = 3\ndef show(turn):\n    return n\n" + TAIL

    assert ".given" not in run_to_stop(source).taken.roots


REFUSED = {
    "that name is gone by now": """
size = n * 2
class Sized:
    width = size
del size
""",
    "size (a generator) cannot be copied": """
size = (i for i in range(3))
class Sized:
    width = size
""",
    "it is a class that the program has made by a call": """
def make():
    class Base:
        pass
    return Base
size = make()
class Sized(size):
    pass
""",
    "size is too large for that (70,": """
size = bytes(70_000_000)
class Sized:
    width = len(size)
""",
}


@pytest.mark.parametrize("why", REFUSED)
def test_what_a_resume_could_not_define_is_told_by_the_save(why):
    """While the program still runs: which definition, which name, why, and what to do."""
    source = HEAD + REFUSED[why] + "def show(turn):\n    return 1\n" + TAIL

    with pytest.raises(UnsupportedCodeError) as raised:
        run_to_stop(source)

    told = str(raised.value)
    assert "the class Sized in piece reads size" in told
    assert why in told
    assert "the program runs on" in told


CHANGED = {
    "members": ("class Made(Enum):\n    RED = n\n", "n += 1"),
    "defaults": ("@dataclass\nclass Made:\n    a: int = n\n", "n += 1"),
    "an option": ("@dataclass(order=n > 5)\nclass Made:\n    a: int = 1\n", "n = 2"),
    "bases": ("n = dict\nclass Made(n):\n    a = 1\n", "n = int"),
    "slots": ("class Made:\n    __slots__ = ('a',) * (n > 5)\n", "n = 2"),
    "inside": ("class Made:\n    class In(Enum):\n        RED = n\n", "n += 1"),
}


@pytest.mark.parametrize("what", CHANGED)
def test_a_class_that_comes_out_otherwise_is_refused(what):
    """Of a name that was bound anew only the later value is there: never another result."""
    made, change = CHANGED[what]
    saved = run_to_stop(f"{HEAD}{made}\n{change}\ndef show(turn):\n    return 1\n{TAIL}")

    with pytest.raises(RestoreError, match=r"the class Made .* comes out otherwise"):
        go_on(saved)


def test_what_a_decorator_of_a_class_reads_may_be_gone():
    """It is left out then, as before: what it has done to the class is part of the state."""
    source = (
        HEAD
        + """
lock = threading.Lock()
def marked(lock):
    def mark(cls):
        cls.mark = 5
        return cls
    return mark
@marked(lock)
class Held:
    pass
del lock
def show(turn):
    return Held.mark
"""
        + TAIL
    )

    assert [[5]] * 3 == go_on(run_to_stop(source))["result"]
