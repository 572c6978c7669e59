"""What every random program begins with: what its own functions, below, call."""

from __future__ import annotations

HEAD = """\
import contextlib
import dataclasses
import functools
import itertools

log = []
source = itertools.count()
tot = 0


def told(x):
    for i in range(2):
        log.append(x if isinstance(x, int) else len(str(x)))
    return x if isinstance(x, int) else len(str(x))


def more(x, y=1, *rest, k=0):
    n = told(x) % 50 + y % 50 + k % 7
    while n > 9:
        n -= told(4) % 5 + 3
    return n + len(rest)


def produce(n):
    for i in range(n % 4):
        got = yield told(i)
        if got:
            log.append(("got", got))
    return n % 9


class Manager:
    def __init__(self, n):
        self.n = n % 5

    def __enter__(self):
        for _ in range(1):
            log.append(("enter", self.n))
        return self

    def __exit__(self, kind, error, trace):
        for _ in range(1):
            log.append(("exit", self.n, kind and kind.__name__))
        return kind is KeyError


class Thing:
    made = 0

    def __init__(self, v=1):
        self.v, self.items = v, [1, 2, 3, 4]
        for _ in range(2):
            Thing.made += 1

    def step(self, x):
        for _ in range(2):
            self.v = (self.v + 1) % 1000
        return self.v + x % 9

    def me(self):
        self.items[told(1)] += 1
        return self

    @property
    def twice(self):
        return 2 * self.v

    def __call__(self, *args):
        return sum(map(told, args)) % 99


class Child(Thing):
    def step(self, x):
        return super().step(told(x)) + self.__private(x)

    def __private(self, x):
        return [told(q) for q in range(x % 3)][-1:] == [1]


class Odd(ValueError):
    def __init__(self, n):
        super().__init__(n)
        self.n = n % 7


def refuse(n):
    for k in range(n % 3):
        log.append(("refuse", k))
    if n % 2:
        raise Odd(told(n))
    return n % 40


def deep(n, x):
    for _ in range(1):
        x = (x + told(n)) % 83
    return x if n <= 0 else deep(n - 1, x) + deep(n - 2, 1) % 5


def receive(limit):
    total = 0
    try:
        while total < limit % 23:
            got = yield total
            total += told(got or 2)
    except Odd as odd:
        log.append(("thrown", odd.n))
        yield odd.n
    finally:
        log.append(("received", total))
    return total


def send(n):
    taker, last = receive(n), 0
    for k in range(4):
        try:
            last = taker.send(k if k else None)
        except StopIteration as end:
            last = end.value or 0
            break
    else:
        if n % 3 == 0:
            last += taker.throw(Odd(n))
        taker.close()
    return last


def counted(call):
    @functools.wraps(call)
    def inner(*args, **named):
        nonlocal calls
        for _ in range(1):
            calls += 1
        return call(*args, **named) + calls % 3

    calls = 0
    return inner


@counted
def doubled(x, *, by=2):
    return sum(told(x) for _ in range(by % 4)) % 71


@contextlib.contextmanager
def scope(n):
    log.append(("in", n % 9))
    try:
        yield told(n)
    finally:
        log.append(("out", n % 9))


@dataclasses.dataclass(order=True)
class Pair:
    one: int
    two: int = 3

    def __post_init__(self):
        for _ in range(1):
            self.one %= 61

    def __iter__(self):
        yield told(self.one)
        yield self.two

    @classmethod
    def of(cls, *numbers):
        return cls(*[told(n) for n in numbers][:2])

    @staticmethod
    def least(x):
        return min(told(x), 5)

    @property
    def both(self):
        return self.one + self.two

    @both.setter
    def both(self, value):
        self.two = told(value) % 13


class Row:
    __slots__ = ("cells",)

    def __init__(self, n):
        self.cells = [told(k) for k in range(n % 4)]

    def __len__(self):
        return len(self.cells) + 1

    def __getitem__(self, k):
        for _ in range(1):
            k = told(k) % len(self)
        return self.cells[k] if k < len(self.cells) else 0

    def __add__(self, other):
        return told(other) + len(self)


pair = Pair(4)
table = {"one": 1, "two": 2, 3: 4}
words = {"red", "green", "blue", "grey"}
thing = Child()
"""
