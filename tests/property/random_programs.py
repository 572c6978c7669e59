"""Random programs, from a seed: functions, generators, classes, and all statements in each other.

Every program ends: loops run over a few items, and functions call only those above them. It prints
as it goes, and what it computes stays small, so that two runs can be compared by their output.
"""

from __future__ import annotations

import random
from collections.abc import Callable

from random_heads import HEAD


class Grammar:
    """Grows one program."""

    def __init__(self, draw: random.Random) -> None:
        self._draw = draw
        self._left = 0
        """Statements that the unit may still hold in blocks."""
        self._callable = ["told", "more"]
        self._in_generator = self._in_function = False

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
            lambda: f"deep({leaf()} % 4, {inner()})",
            lambda: f"send({inner()})",
            lambda: f"doubled({inner()}, by={inner()})",
            lambda: f"Pair.of({inner()}, {inner()}).both",
            lambda: f"pair.least({inner()})",
            lambda: f"sum(Pair({inner()}, {leaf()} % 9))",
            lambda: f"(Row({leaf()}) + {inner()})",
            lambda: f"Row({leaf()})[{inner()}]",
            lambda: f"len([*produce({inner()}), {inner()}, *Pair({inner()})])",
            lambda: f"len([[told(q) for q in range(r)] for r in range({leaf()} % 4) if told(r)])",
            lambda: f"sum(r * told(q) % 7 for q in range({leaf()} % 3) for r in produce(q))",
            lambda: f"sum([told(q) for q in [told(r) for r in produce({leaf()})]])",
            lambda: f"len({{told(q) % 3 for q in produce({leaf()})}} | {{{inner()}}})",
            lambda: f"sum(map(told, [{inner()}, {inner()}]))",
            lambda: f"min([3, 1, 2], key=lambda k: (k + {leaf()}) % 5)",
            lambda: f"next((told(q) for q in produce({leaf()}) if q), {inner()})",
            lambda: f"table.get({leaf()}, {inner()})",
            lambda: f"len(thing.items[{leaf()} % 3:told({inner()}) % 5])",
            lambda: f"({inner()} in ({inner()}, {inner()}) or told({inner()}) is None)",
            lambda: f"(more if {inner()} % 2 else told)({inner()})",
            lambda: f"functools.partial(more, {inner()})({inner()}, k={inner()})",
            lambda: f"len(f'{{told({leaf()}):{{told(a) % 9}}}}' '{{}}' + ' '.join(sorted(words)))",
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
        options = [*self._simple(), *self._targets(indent), *self._jumps(loop=loop)]
        if indent < 5:
            options += 2 * self._compound(indent, loop=loop) + self._further(indent, loop=loop)
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

    def _targets(self, n: int) -> list[Callable[[], list[str]]]:
        expression = self.expression
        return [
            lambda: [f"(a, (b, *c)) = {expression()}, Pair({expression()})", "log.append(c)"],
            lambda: [f"thing.v, thing.items[told(1)] = {expression()}, {expression()} % 100"],
            lambda: [f"thing.me().v = {expression()} % 1000"],
            lambda: [f"pair.both = {expression()}", "log.append(pair)"],
            lambda: [f"pair.both += {expression()}"],
            lambda: [f"table[{expression(2)} % 3] = x{n} = {expression()}", f"del x{n}"],
            lambda: [f"thing.me().items[told({expression(2)}) % 4] -= {expression()}"],
            lambda: [f"thing.items[1:3] = [{expression()} % 9, {expression()} % 9]"],
            lambda: [f"print(*[{expression()}, {expression(2)}], sep=str({expression(2)}))"],
            lambda: [
                f"lazy{n} = (told(q) + a for q in range({expression(3)} % 5))",
                f"b = next(lazy{n}, 0) + {expression()}",
                f"a = sum(lazy{n}) % 97 + {expression(2)}",
            ],
            lambda: [
                f"calls{n} = [lambda q=q, *r: told(q) + a + len(r) for q in range(3)]",
                f"b = sum(each({expression(2)}) for each in calls{n}) % 59",
            ],
        ]

    def _jumps(self, *, loop: bool) -> list[Callable[[], list[str]]]:
        found: list[Callable[[], list[str]]] = []
        if loop:
            found += [
                lambda: [f"if {self.expression(2)} % 3 == 0:", "    continue"],
                lambda: [f"if {self.expression(2)} % 4 == 0:", "    break"],
            ]
        if self._in_function:
            found += [lambda: [f"if {self.expression(2)} % 7 == 0:", "    return a % 41"]]
        if self._in_generator:
            found += 2 * [
                lambda: [f"b = (yield {self.expression()}) or b"],
                lambda: [f"a += yield from produce({self.expression(2)})"],
                lambda: [f"log.append([told((yield a)), (yield {self.expression(2)})])"],
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

    def _further(self, n: int, *, loop: bool) -> list[Callable[[], list[str]]]:
        expression = self.expression

        def inside(*, in_loop: bool = loop) -> str:
            return self.block(n + 1, loop=in_loop)

        return [
            lambda: [
                f"n{n} = {expression(2)} % 4",
                f"while (n{n} := n{n} - 1) >= 0:",
                inside(in_loop=True),
                "else:",
                inside(),
            ],
            lambda: [f"for word{n} in words:", f"    a += told(word{n})", inside(in_loop=True)],
            lambda: [
                f"for key{n}, b in list(table.items()):",
                f"    log.append((key{n}, b))",
                inside(in_loop=True),
            ],
            lambda: [
                f"for a, *c in zip(produce({expression(2)}), itertools.count(3), 'xyz'):",
                inside(in_loop=True),
                "else:",
                "    log.append(a)",
            ],
            lambda: [f"for thing.items[told(1)] in range({expression(2)} % 3):", inside()],
            lambda: [
                f"turns{n} = iter(lambda: told(next(source)) % 4, {expression(2)} % 4)",
                f"for _, q{n} in zip(range(5), turns{n}):",
                inside(in_loop=True),
            ],
            lambda: [
                f"for z{n} in map(told, reversed([{expression(2)}, 2])):",
                inside(in_loop=True),
            ],
            lambda: [
                f"held{n} = produce({expression(2)})",
                f"for k{n} in range(3):",
                f"    a += next(held{n}, told(k{n}))",
                inside(in_loop=True),
            ],
            lambda: [
                "try:",
                f"    a = refuse({expression()})",
                inside(),
                f"except (KeyError, Odd) as odd{n}:",
                f"    log.append(odd{n}.args)",
                inside(),
                "else:",
                inside(),
                "finally:",
                f"    b = told({expression(2)})",
            ],
            lambda: [
                "try:",
                "    try:",
                f"        refuse({expression(2)})",
                "    except Odd as odd:",
                f"        raise LookupError({expression(2)}) from odd",
                f"except LookupError as error{n}:",
                f"    log.append((type(error{n}.__cause__).__name__, error{n}.args))",
                inside(),
            ],
            lambda: [
                f"with scope({expression(2)}) as s{n}:",
                inside(),
                f"    log.append(s{n})",
            ],
            lambda: [
                "with contextlib.suppress(Odd), contextlib.ExitStack() as stack:",
                f"    stack.callback(told, {expression(2)})",
                f"    a += stack.enter_context(scope({expression(2)}))",
                inside(),
                f"    b = refuse({expression(2)})",
            ],
            lambda: [
                f"match [{expression(2)}, {expression(2)}][:told(a) % 3 + 1]:",
                f"    case [x{n}] if told(x{n}) % 2:",
                f"        a = x{n}",
                f"    case [_, int(y{n}) as b]:",
                f"        a = told(y{n})",
                self.block(n + 2, loop=loop),
                "    case [*_]:",
                f"        a = {expression(2)}",
            ],
            lambda: [
                f"match {{'one': {expression(2)}, 'pair': Pair({expression(2)})}}:",
                f"    case {{'pair': Pair(one=0 | 1), **rest{n}}}:",
                f"        log.append(sorted(rest{n}))",
                f"    case {{'one': x{n}, 'pair': Pair() as p{n}}}:",
                f"        a, b = x{n}, p{n}.both",
            ],
            lambda: [
                f"class Local{n}(Child):",
                f"    def step(self, x, by={expression(2)} % 7):",
                "        for _ in range(1):",
                "            x = told(x) + by",
                "        return super().step(x) % 83",
                f"a = Local{n}({expression(2)}).step({expression()})",
            ],
            lambda: [
                f"def turn{n}(x):",
                f"    at{n} = 0",
                "    def one(y):",
                f"        nonlocal at{n}",
                f"        for at{n} in range(2):",
                "            log.append(told(y))",
                f"        return at{n} + x",
                "    def two(y, *more, by=3):",
                "        yield one(y)",
                f"        at = yield from (one(k) + at{n} for k in more)",
                "        yield by if at is None else at",
                "    return sum(two(x, 1, 2)) % 61",
                f"b = turn{n}({expression(2)}) + turn{n}(2)",
            ],
        ]

    # -- units

    def function(self, name: str) -> str:
        """Return a function, which later ones may call."""
        self._left, self._in_function = 6, True
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
        self._in_function = False
        end = "    return (a % 97 + count(told(b % 11)) + calls) % 500\n"
        return head + counter + body + end

    def generator(self, name: str) -> str:
        """Return a generator."""
        self._left, self._in_generator, self._in_function = 5, True, True
        body = "".join(self.statement(1) for _ in range(3))
        self._in_generator = self._in_function = False
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
