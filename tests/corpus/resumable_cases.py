"""Functions that are saved while they run, each for one thing that a program may do.

    python resumable_cases.py CASE

prints what the case gives.
"""

from __future__ import annotations

import contextlib
import functools
import random
import sys

import numpy as np
import resumable_beside as beside
from resumable_beside import pause

import resume
from resume import resumable

table = {"weights": [1, 2, 3]}
noted: list[int] = []


# -- loops and calls


@resumable
def nested(often):
    found = []
    for row in range(often):
        column = 0
        while column < 3:
            pause()
            column += 1
            if column == 2:
                continue
            for each in zip("abc", enumerate([row, column])):
                found.append((row, column, each, random.randint(0, 99)))
        else:
            found.append(-row)
    return found


@resumable
def fibonacci(n):
    pause()
    return n if n < 2 else fibonacci(n - 1) + fibonacci(n - 2)


@resumable
def even(n):
    pause()
    return True if n == 0 else odd(n - 1)


@resumable
def odd(n):
    pause()
    return False if n == 0 else even(n - 1)


def recursion():
    return fibonacci(8), even(25), odd(30)


@resumable
def squares(often):
    return sum([step(i) * i for i in range(often)]) + {i: step(i) for i in range(5)}[3]


@resumable
def step(i):
    for _ in range(2):
        pause()
    return i + random.random()


# -- objects


class Model:
    """Is trained."""

    made = 0

    @resumable
    def __init__(self, size):
        self.weights = []
        for i in range(size):
            pause()
            self.weights.append(i)

    @resumable
    def fit(self, often):
        for i in range(often):
            self._pass(i)
        return sum(self.weights)

    @resumable
    def _pass(self, i):
        for k in range(len(self.weights)):
            pause()
            self.weights[k] += i * random.random()

    @resumable
    @classmethod
    def best(cls, often):
        return max((cls.score(i) for i in range(often)), default=0), [
            cls.score(i) for i in range(often)
        ]

    @staticmethod
    @resumable
    def score(i):
        for _ in range(2):
            pause()
        return i * random.random()

    @resumable
    def __call__(self, often):
        return [self.score(i) for i in range(often)]


class Deep(Model):
    """Calls its base."""

    @resumable
    def fit(self, often):
        before = super().fit(often)
        for _ in range(3):
            pause()
            before += super().fit(2)
        self.__mark = before
        return before, self.__mark


def methods():
    random.seed(2)
    model = Model(5)
    alias = model.weights
    told = model.fit(6)
    deep = Deep(4)
    return told, alias is model.weights, alias, deep.fit(3), Deep.best(4), deep(4), deep.weights


@resumable
def makes(often):
    return [Deep(2 + i).fit(2) for i in range(often)]


# -- what the caller shares


@resumable
def fills(data, array, rng, pairs, *more, scale=2, **named):
    local = data["inner"]
    for i in range(20):
        pause()
        array += rng.random(array.shape) * scale
        local.append(i)
        pairs[1].add(i)
        more[0].append(named["last"])
        if i == 10:
            data = {"other": 1}
    return len(local), sorted(data)


def shared():
    inner = []
    data, array = {"inner": inner}, np.zeros(3)
    rng, pairs, more = np.random.default_rng(4), ("a", set()), []
    told = fills(data, array, rng, pairs, more, last=7)
    return told, inner, data, array, rng.random(), pairs, more


@resumable
def over_globals(often):
    weights = table["weights"]
    total = 0
    for i in range(often):
        pause()
        total += sum(weights) + i
    return total, weights is table["weights"]


# -- closures


def closures():
    total, seen = 0, []

    @resumable
    def count(often):
        nonlocal total
        for i in range(often):
            pause()
            total += i
            seen.append(total)
        return inner(3)

    @resumable
    def inner(n):
        for _ in range(4):
            pause()
        return total if n == 0 else inner(n - 1) + count.__name__.count("c")

    return count(12), total, seen


@resumable
def with_inner(often):
    total = 0

    @resumable
    def add(n):
        nonlocal total
        for k in range(n):
            pause()
            total += k
        return total

    again = [add, functools.partial(add, 2), lambda n: add(n)]
    for i in range(often):
        add(3)
        again[1]()
        total += again[2](1)
    return total, again[0] is add


# -- generators, contexts, exceptions


@resumable
def walk(depth):
    for k in range(3):
        if depth:
            yield from walk(depth - 1)
        pause()
        yield depth, k


def plain_walk(often):
    for k in range(often):
        pause()
        yield k * k


@resumable
def generators(often):
    found, own = [], walk(1)
    for i, each in enumerate(walk(2)):
        pause()
        found.append((i, each, next(own, None)))
    for each in plain_walk(often):
        pause()
        found.append(each)
    return found, list(own)


@contextlib.contextmanager
@resumable
def noting(found):
    found.append("in")
    yield found
    found.append("out")


@resumable
def handles(often):
    found = []
    for i in range(often):
        with noting(found) as out, np.errstate(divide="ignore"):
            try:
                step(i)
                out.append(float(np.float64(1) / 0))
                if i % 2:
                    raise KeyError(i)
            except KeyError as why:
                for k in range(3):
                    pause()
                    found.append((k, why.args))
            finally:
                found.append("finally")
    return found


# -- randomness and numbers


@resumable
def draws(often):
    rng = np.random.default_rng(7)
    found = np.zeros(4)
    names = set()
    for i in range(often):
        pause()
        found += rng.normal(size=4) + np.random.random(4) + random.random()
        names.add(f"name {i}")
    return found.tolist(), len(names)


def numbers():
    np.random.seed(3)
    random.seed(5)
    return draws(30), np.random.random(), random.random()


# -- files and other modules


@resumable
def writes(often):
    with open("lines.txt", "w") as lines:
        for i in range(often):
            pause()
            lines.write(f"{i} {random.random():.3f}\n")
    with open("lines.txt") as lines:
        return [(pause(), line.split()[0])[1] for line in lines]


def files():
    random.seed(6)
    told = writes(25)
    with open("lines.txt") as lines:
        return told, lines.read()


@resumable
def with_others(often):
    found = []
    for i in range(often):
        found.append(beside.slow(i) + beside.Tool(2).use(i))
        noted.append(i)
    return found


@resumable
def asks(often):
    total = 0
    for i in range(often):
        total += i
        resume.sync()
        if i == 5:
            resume.save()
    return total


CASES = {
    "nested": lambda: (random.seed(1), nested(8))[1],
    "recursion": recursion,
    "comprehensions": lambda: (random.seed(1), squares(8))[1],
    "methods": methods,
    "constructors": lambda: (random.seed(1), makes(3))[1],
    "shared": shared,
    "globals": lambda: over_globals(25),
    "closures": closures,
    "inner functions": lambda: with_inner(6),
    "generators": lambda: generators(10),
    "handlers": lambda: handles(5),
    "numbers": numbers,
    "files": files,
    "other modules": lambda: with_others(5),
    "safe points": lambda: asks(30),
    "two calls": lambda: (random.seed(1), [nested(n) for n in (2, 3)])[1],
}

if __name__ == "__main__":
    for case in sys.argv[1:]:
        print(case, CASES[case]())
