"""Random programs, from a seed: functions, generators, classes, and all statements in each other.

Every program ends: loops run over a few items, and functions call only those above them. It prints
as it goes, and what it computes stays small, so that two runs can be compared by their output.
"""

from __future__ import annotations

import random
from collections.abc import Callable

HEAD = """\
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


thing = Child()
"""


LEAVES = ["1", "2", "a", "b", "thing.v", "next(source)", "told(3)", "tot"]


class Grammar:
    """Grows one program."""

    def __init__(self, draw: random.Random) -> None:
        self._draw = draw
        self._left = 0
        """Statements that the unit may still hold in blocks."""
        self._callable = ["told", "more"]
        self._in_generator = False

    # -- expressions: whole numbers, all of them

    def expression(self, depth: int = 0) -> str:
        """Return an expression."""
        if depth > 2:
            return self._draw.choice(
                ["1", "2", "a", "b", "thing.v", "next(source)", "told(3)", "tot"]
            )

        def inner() -> str:
            return self.expression(depth + 1)

        def leaf() -> str:
            return self.expression(3)  # where `:=` is not allowed

        name = self._draw.choice(self._callable)
        options: list[Callable[[], str]] = [
            lambda: self._draw.choice(["a", "b", "3", "thing.v", "tot", "thing.twice"]),
            lambda: f"{name}({inner()}, {inner()})" if name != "told" else f"told({inner()})",
            lambda: f"more({inner()}, y={inner()})",
            lambda: f"more({inner()}, *[{inner()}, {inner()}], **{{'k': {inner()}}})",
            lambda: f"({inner()} {self._draw.choice('+-*|')} {inner()}) % 10007",
            lambda: f"(next(source) - {inner()})",
            lambda: f"thing.step({inner()})",
            lambda: f"thing.me().step({inner()})",
            lambda: f"thing({inner()}, {inner()})",
            lambda: f"Thing({inner()}).step({inner()})",
            lambda: f"({inner()} if {inner()} % 2 else {inner()})",
            lambda: f"({inner()} and {inner()} or {inner()})",
            lambda: f"({inner()} < {inner()} <= {inner()})",
            lambda: f"thing.items[{inner()} % 4]",
            lambda: f"sum([{inner()}, next(source), {inner()}])",
            lambda: f"sum([told(q) + {inner()} for q in range({leaf()} % 3)])",
            lambda: f"len({{told(q): {inner()} for q in produce({leaf()})}})",
            lambda: f"sum(told(q) for q in produce({leaf()}) if q != {inner()})",
            lambda: f"max({inner()}, *[{inner()}, {inner()}])",
            lambda: f"len(f'{{{self._draw.choice(['a', 'tot', 'told(b)'])}}}-{{told(a):>4}}')",
            lambda: f"len({{{inner()}: {inner()}, {inner()}: next(source)}})",
            lambda: f"(lambda p: told(p) + 1)({inner()})",
            lambda: f"(w := {inner()})",
            lambda: f"-{inner()}",
            lambda: f"(not {inner()})",
        ]
        return self._draw.choice(options)()

    # -- statements

    def block(self, indent: int, *, loop: bool) -> str:
        """Return one or two statements, or the least when the unit is full."""
        if self._left <= 0:
            return f"{'    ' * indent}log.append(a)\n"
        count = self._draw.randint(1, 2)
        return "".join(self.statement(indent, loop=loop) for _ in range(count))

    def statement(self, indent: int, *, loop: bool = False) -> str:
        """Return a statement, with all blocks in it."""
        self._left -= 1
        pad = "    " * indent
        options = [*self._simple(), *self._jumps(loop=loop)]
        if indent < 5:
            options += 2 * self._compound(indent, loop=loop)
        lines = self._draw.choice(options)()
        return "".join(f"{pad}{line}\n" if line[-1:] != "\n" else line for line in lines)

    def _simple(self) -> list[Callable[[], list[str]]]:
        expression = self.expression
        return [
            lambda: [f"{self._draw.choice('ab')} = {expression()}"],
            lambda: [f"{self._draw.choice('ab')} += {expression()}"],
            lambda: [f"thing.v += {expression()}"],
            lambda: [f"thing.items[{expression(2)} % 4] += {expression()}"],
            lambda: [f"thing.items[{expression(2)} % 4] = {expression()}"],
            lambda: [f"tot += {expression()} % 1000"],
            lambda: [f"a, b = {expression()}, {expression()}"],
            lambda: [f"a, *c = {expression()}, {expression()}, b", "log.append(len(c))"],
            lambda: [f"log.append({expression()})"],
            lambda: [f"print({expression()}, tot)"],
            lambda: [f"a = b = {expression()} % 50"],
            # Of a call: the compiler warns of `1 is not None`, on stderr, and that is not compared.
            lambda: [f"assert told({expression()}) is not None, {expression(2)}"],
        ]

    def _jumps(self, *, loop: bool) -> list[Callable[[], list[str]]]:
        found: list[Callable[[], list[str]]] = []
        if loop:
            found += [
                lambda: [f"if {self.expression(2)} % 3 == 0:", "    continue"],
                lambda: [f"if {self.expression(2)} % 4 == 0:", "    break"],
            ]
        if self._in_generator:
            found += 2 * [
                lambda: [f"b = (yield {self.expression()}) or b"],
                lambda: [f"a += yield from produce({self.expression(2)})"],
            ]
        return found

    def _compound(self, n: int, *, loop: bool) -> list[Callable[[], list[str]]]:
        expression = self.expression

        def inside(*, in_loop: bool = loop) -> str:
            return self.block(n + 1, loop=in_loop)

        return [
            lambda: [f"for i{n} in range({expression(2)} % 4):", inside(in_loop=True)],
            lambda: [f"for i{n} in produce({expression(2)}):", inside(in_loop=True)],
            lambda: [
                f"for i{n}, j{n} in enumerate([{expression(1)}, {expression(1)}]):",
                inside(in_loop=True),
                "else:",
                inside(),
            ],
            lambda: [
                f"n{n} = 3",
                f"while n{n} > {expression(2)} % 3:",
                f"    n{n} -= 1",
                inside(in_loop=True),
            ],
            lambda: [
                f"if {expression()} % 2:",
                inside(),
                f"elif {expression(2)} % 3:",
                inside(),
                "else:",
                inside(),
            ],
            lambda: [
                "try:",
                inside(),
                f"    if {expression(2)} % 2:",
                "        raise KeyError(told(1))",
                f"except KeyError as error{n}:",
                f"    log.append(str(error{n}))",
                inside(),
                "finally:",
                "    log.append('finally')",
            ],
            lambda: [
                "try:",
                inside(),
                f"    1 // ({expression(2)} % 2)",
                "except ZeroDivisionError:",
                inside(),
                "else:",
                inside(),
            ],
            lambda: [
                f"with Manager({expression(2)}) as m{n}, Manager(1):",
                inside(),
                f"    if {expression(2)} % 2:",
                f"        raise KeyError(m{n}.n)",
            ],
            lambda: [
                f"match {expression(1)} % 3, {expression(2)}:",
                "    case 0, _:",
                f"        a = {expression(2)}",
                f"    case 1 | 2, q{n} if q{n} % 2:",
                f"        b = {expression(2)} + q{n}",
                "    case _:",
                f"        log.append({expression(2)})",
            ],
            lambda: [
                f"def local{n}(x, a=a):",
                "    for _ in range(2):",
                "        x += told(a)",
                "    return x % 77",
                f"b = local{n}({expression(2)}) + local{n}(1)",
            ],
        ]

    # -- units

    def function(self, name: str) -> str:
        """Return a function, which later ones may call."""
        self._left = 6
        head = f"\n\ndef {name}(a, b):\n    global tot\n    w = 0\n"
        counter = (
            "    calls = 0\n"
            "    def count(x):\n"
            "        nonlocal calls\n"
            "        for _ in range(2):\n"
            "            calls += 1\n"
            "        return x % 31\n"
        )
        body = "".join(self.statement(1) for _ in range(3))
        end = "    return (a % 97 + count(told(b % 11)) + calls) % 500\n"
        return head + counter + body + end

    def generator(self, name: str) -> str:
        """Return a generator."""
        self._left, self._in_generator = 5, True
        body = "".join(self.statement(1) for _ in range(3))
        self._in_generator = False
        head = f"\n\ndef {name}(a, b):\n    global tot\n    w = 0\n    yield a\n"
        return f"{head}{body}    return b % 13\n"

    def program(self) -> str:
        """Return the whole program."""
        parts = [HEAD, self.function("f0")]
        self._callable.append("f0")
        parts += [self.generator("g0"), self.function("f1")]
        self._left = 4
        main = "".join(self.statement(0) for _ in range(2))
        parts.append(f"\n\na, b, w = 2, 3, 0\n{main}")
        parts.append(
            "for z in range(2):\n"
            "    print(f1(z, a % 9), tot, thing.v, thing.items, Thing.made)\n"
            "    for y in g0(z, 5):\n"
            "        print('yielded', y)\n"
            "for entry in log:\n"
            "    print(entry)\n"
        )
        return "".join(parts)


def random_program(seed: str) -> str:
    """Return the program of that seed."""
    return Grammar(random.Random(seed)).program()
