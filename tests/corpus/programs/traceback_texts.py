"""Tracebacks printed with their carets, of calls over several lines, causes and contexts."""

# The carets are those of each Python: the only output here that is not the same on all of them.

import sys
import traceback

SCALE = 600


class Chain:
    def __init__(self):
        self.n = 0

    def add(self, k, *more):
        for _ in range(2):
            self.n += k
        return self

    def fail(self, k):
        for i in range(k):
            if i == 2:
                raise ValueError(f"no {i} of {k}")
        return self


def deep(n):
    if n:
        return deep(n - 1) + 1
    return (
        Chain()
        .add(1)
        .add(
            2,
            3,
        )
        .fail(4)
        .add(5)
    ).n


def translated(n):
    try:
        for i in range(2):
            deep(n)
    except ValueError as error:
        for i in range(2):
            if i:
                raise LookupError(n) from error


def while_handling(n):
    try:
        return {}[n]
    except KeyError:
        for i in range(2):
            total = Chain().add(i).n
        return total / (n - n)


def shown(function, n):
    try:
        function(n)
    except Exception:
        for i in range(2):
            print(i)
        traceback.print_exc(file=sys.stdout)
        for frame in traceback.extract_tb(sys.exc_info()[2]):
            print(frame.lineno, frame.name, frame.line)


for i in range(SCALE):
    shown(deep, i % 3)
    shown(translated, i % 2)
    shown(while_handling, i)
