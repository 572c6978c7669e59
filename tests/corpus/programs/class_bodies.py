"""Class bodies, bases, decorators and annotations that read what earlier statements computed."""

import functools
from collections import defaultdict, namedtuple
from dataclasses import dataclass, field
from enum import Enum
from typing import Generic, NamedTuple, NewType, TypeVar

SCALE = 1500
T = TypeVar("T")
Name = NewType("Name", str)
Rows = list[float]
Point = namedtuple("Point", "x y")
n = len("computed")
known = defaultdict(list)


class Plugin:
    def __init_subclass__(cls, **options):
        known["all"].append(cls)
        cls.number = len(known["all"])


class Far(Point):
    def squared(self) -> Rows:
        total = 0.0
        for each in self:
            total += each * each
        return [total]


class Place(NamedTuple):
    left: Rows
    name: Name = Name("n" * n)


class Sized(Plugin):
    size = n * 2
    rows = [k * k for k in range(n % 5)]

    class Unit(Enum):
        SMALL = n
        LARGE = n + 1

    def much(self, times=size):
        total = 0
        for row in self.rows:
            total += row * times
        return total


class Stack(Generic[T]):
    def __init__(self):
        self.items = []

    def push(self, item: T) -> "Stack[T]":
        for _ in range(2):
            self.items.append(item)
        return self


@dataclass(order=n > 2)
class Pair(Plugin):
    a: int = n
    b: Rows = field(default_factory=list)

    def longer(self, by: float) -> Rows:
        for _ in range(2):
            self.b.append(by)
        return self.b


def counted(function):
    count = 0

    @functools.wraps(function)
    def inner(self, *args):
        nonlocal count
        count += 1
        return function(self, *args), count

    return inner


class Counting:
    @counted
    def go(self, k):
        for i in range(2):
            k += i
        return k


def first(rows: Rows, *more: T) -> Rows:
    for row in [*rows, *more]:
        return [row]
    return []


counting = Counting()
grid: Rows = []
for step in range(SCALE):
    grid.append(float(step))
    pair = Pair(step)
    print(step, Sized.size, Sized().much(), Sized().much(2), Sized.Unit(n).name, pair.longer(0.5))
    print(Far(step, 2).squared(), Place(grid[-1:]), Stack[int]().push(step).items, first(grid, 1))
    print(Pair() < pair, [each.__name__ for each in known["all"]], known["all"] == [Sized, Pair])
    print(counting.go(step), issubclass(Far, Point), Pair.number, Stack.__parameters__ == (T,))
    Sized.size += 1
    if step == 5:
        Sized.rows.append(n)
