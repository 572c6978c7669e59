"""Write loop programs from a seed: legal under the rules of a plain Checkpoint, nasty within.

    python generate.py SEED      prints the program

Every program ends. Its names survive being run through twice on the way back (a pop is guarded,
an index never leaves its list), so a rerun that goes wrong does so by a wrong result and not by
an accident. A few shapes can only be refused on a rerun now and then: a lazily drawn iterable, an
eager permutation behind a generator, a branch that the loop itself turns.
"""

from __future__ import annotations

import random
import sys

HEAD = '''\
"""Seed {seed}, {form} form."""

import json
import random

import numpy as np
from resume import Checkpoint
from ticks import tick


def numbers(k):
    while k:
        yield k * k
        k -= 1


def drawn(k):
    for _ in range(k):
        yield random.randrange(10**6)


def each(values):
    for value in values:
        yield int(value)

'''
RESULT = (
    "[total, part, log, sorted(table.items()), work, other, work is other, acc.tolist(), "
    "random.random(), float(np.random.rand()), int(g.integers(1000))]"
)
NAMES = """\
total, part, m = {a}, 0, 0
log, table = [], {{}}
work = {work}
other = {other}
acc = np.zeros(4)
"""


class Writer:
    """Lines of one program, and the dice that choose them."""

    def __init__(self, seed: int) -> None:
        self.dice = random.Random(seed)
        self.seed = seed
        self.lines: list[str] = []
        self.loops = 0
        self.form = self.dice.choice(["function", "function", "with", "with", "module"])
        self.can_return = self.form != "module"

    def put(self, indent: int, text: str) -> None:
        self.lines += ["    " * indent + line for line in text.splitlines()]

    def value(self, targets: list[str]) -> str:
        """An expression of whole numbers; half of them draw."""
        return self.dice.choice(
            [
                "random.randrange(100)",
                "int(np.random.randint(100))",
                "int(g.integers(100))",
                "len(log)",
                "total % 13",
                "(work[-1] if work else 3)",
                str(self.dice.randrange(50)),
                *targets,
                *targets,
            ]
        )

    def condition(self, targets: list[str]) -> str:
        return f"({self.value(targets)} + total) % {self.dice.choice([2, 3, 4])} == 0"

    def simple(self, indent: int, targets: list[str], *, saves: bool) -> None:
        """One statement that changes the state, draws, or saves."""
        value = self.value(targets)
        choices = [
            f"total = (total * 31 + {value}) % 100003",
            f"total = (total * 31 + {value}) % 100003",
            f"log.append({value})",
            f"acc[total % 4] += {value}",
            f"table[{value} % 5] = total",
            f"part += {value}",
            "part = 0",
            "log.append(part)",
            "random.shuffle(work)",
            "np.random.shuffle(acc)",
            "g.shuffle(acc)",
            "if work:\n    total += work.pop()",
            "if other:\n    other.pop(0)",
            f"if len(work) < 9:\n    work.append({value} % 7)",
            f"if len(other) < 9:\n    other.insert(0, {value} % 7)",
            "work, other = other, work",
            "acc = acc[::-1].copy()",
            "log = log[-12:]",
            f"if {self.condition(targets)}:\n    total += 1\nelse:\n    part -= 1",
            "tick()",
        ]
        if saves:
            choices += ["chp.sync()", "chp.save()", f"chp.save(seen={value})"]
        self.put(indent, self.dice.choice(choices))

    def plain_loop(self, indent: int, targets: list[str], *, saves: bool) -> None:
        """A plain loop that starts and ends between two safe points of the loops around it."""
        if self.dice.random() < 0.5:
            self.put(indent, f"for k in range({self.dice.randint(1, 3)}):")
        else:
            self.put(indent, f"m = {self.dice.randint(1, 3)}\nwhile m:\n    m -= 1")
        for _ in range(self.dice.randint(1, 2)):
            self.simple(indent + 1, targets, saves=saves)
        if self.dice.random() < 0.4:
            leave = self.dice.choice(["break", "continue"])
            self.put(indent + 1, f"if {self.condition(targets)}:\n    {leave}")
            self.simple(indent + 1, targets, saves=saves)

    def iterable(self, targets: list[str]) -> str:
        k = self.dice.randint(1, 3)
        if self.dice.random() < 0.04:
            return self.dice.choice([f"lambda: drawn({k})", f"each(g.permutation(10**4)[:{k}])"])
        return self.dice.choice(
            [
                f"range({k})",
                f"range({k})",
                f"[{', '.join(str(self.dice.randrange(9)) for _ in range(k))}]",
                "work",
                "list(other)",
                f"(len(w) for w in 'a bb ccc'.split()[:{k}])",
                f"numbers({k})",
                f"map(abs, [-3, 1][:{k}])",
                f"random.sample(range(9), {k})",
                f"g.permutation({k}).tolist()",
                f"lambda: each(g.permutation({k}))",
                f"lambda: each(np.random.permutation({k}))",
                f"lambda: iter(random.sample(range(9), {k}))",
                "sorted(table)[:3]",
                f"(total % 5, *range({k}))",
            ]
        )

    def led_loop(self, indent: int, depth: int, targets: list[str]) -> None:
        """A `for` over `chp.loop`, with all that may stand in it and behind it."""
        self.loops += 1
        target = f"x{depth}"
        inside = [*targets, target]
        if self.dice.random() < 0.05:
            self.put(indent, f"if {self.dice.choice(['part', 'total'])} % 2 == 0:")
            indent += 1
        self.put(indent, f"for {target} in chp.loop({self.iterable(targets)}):")
        self.put(indent + 1, "tick()")
        self.block(indent + 1, depth + 1, inside)
        if self.dice.random() < 0.35:
            leave = self.dice.choice(["break", "break", "continue", "return"])
            if leave == "return" and not self.can_return:
                leave = "break"
            if leave == "return":
                leave = f"return {RESULT}"
            before = self.dice.choice(["", "", "chp.save()\n", "chp.sync()\n", "part = total\n"])
            body = "".join(f"    {line}\n" for line in (before + leave).splitlines())
            odds = " and total % 3 == 0" if leave.startswith("return") else ""
            self.put(indent + 1, f"if {self.condition(inside)}{odds}:\n{body}")
            self.simple(indent + 1, inside, saves=True)
        if self.dice.random() < 0.2:
            self.put(indent, "else:")
            self.simple(indent + 1, targets, saves=True)

    def block(self, indent: int, depth: int, targets: list[str]) -> None:
        """Statements of one level: simple ones, plain loops, and loops of the next level."""
        for _ in range(self.dice.randint(1, 4)):
            kind = self.dice.random()
            if kind < 0.3 and depth < 3 and self.loops < 5:
                self.led_loop(indent, depth, targets)
            elif kind < 0.4:
                # Straight-line code saves at its door; a plain loop outside the led ones has none.
                self.plain_loop(indent, targets, saves=depth > 0)
            else:
                self.simple(indent, targets, saves=True)

    def work_loops(self, indent: int) -> None:
        self.block(indent, 0, [])
        self.led_loop(indent, 0, [])
        self.block(indent, 0, [])

    def work_while(self, indent: int) -> None:
        """The old way: one plain `while` right behind the restore, with its `sync()` last."""
        self.put(indent, f"while len(log) < {self.dice.randint(3, 6)} and total < 10**9:")
        self.put(indent + 1, "tick()")
        self.put(indent + 1, f"log.append({self.value([])})\ntotal += 1000003")
        for _ in range(self.dice.randint(1, 4)):
            if self.dice.random() < 0.25:
                self.plain_loop(indent + 1, [], saves=False)
            else:
                self.simple(indent + 1, [], saves=False)
        if self.dice.random() < 0.5:
            leave = self.dice.choice(["break", "continue"])
            self.put(indent + 1, f"if {self.condition([])}:\n    {leave}")
        self.put(indent + 1, self.dice.choice(["chp.sync()", "chp.save()"]))
        for _ in range(self.dice.randint(0, 3)):
            self.simple(indent, [], saves=False)

    def program(self) -> str:
        dice = self.dice
        seeds = f"random.seed({self.seed})\nnp.random.seed({self.seed})\n"
        seeds += f"g = np.random.default_rng({self.seed})"
        names = NAMES.format(
            a=dice.randrange(9),
            work=[dice.randrange(1, 7) for _ in range(dice.randint(1, 3))],
            other=[dice.randrange(1, 7) for _ in range(2)],
        )
        saving = dice.choice(["rate=0", "rate=0", "rate=0", "rate=1e6, iterations=2", "rate=1e6"])
        made = f"Checkpoint('program', {saving}, fsync=False)"
        in_while = dice.random() < 0.15

        indent = 0 if self.form == "module" else 1
        if self.form != "module":
            self.put(0, "def main():")
        self.put(indent, seeds)
        self.put(indent, names)
        if self.form == "with" or (self.form == "module" and dice.random() < 0.5):
            self.put(indent, f"with {made} as chp:")
            body = indent + 1
        else:
            self.put(indent, f"chp = {made}\nchp.restore()")
            body = indent
        (self.work_while if in_while else self.work_loops)(body)
        if body != indent and dice.random() < 0.5:
            self.simple(indent, [], saves=False)
        if self.form != "module":
            self.put(1, f"return {RESULT}\n")
        self.put(0, "\n")
        result = RESULT if self.form == "module" else "main()"
        self.put(0, f"print(json.dumps({result}))")
        return HEAD.format(seed=self.seed, form=self.form) + "\n" + "\n".join(self.lines) + "\n"


def program(seed: int) -> str:
    """Return the source of the program that *seed* stands for."""
    return Writer(seed).program()


if __name__ == "__main__":
    print(program(int(sys.argv[1])))
