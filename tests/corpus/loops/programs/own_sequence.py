# expect: equal
"""An iterable by `__getitem__` alone, and a callable with a sentinel."""

import json

from ticks import tick

from resume import Checkpoint


class Squares:
    def __init__(self, n):
        self.n = n

    def __getitem__(self, i):
        if i >= self.n:
            raise IndexError
        return i * i


def work():
    chp = Checkpoint(rate=0, fsync=False)
    squares = Squares(4)
    stack = [0, 5, 4, 0, 3, 2, 1]
    out = []
    chp.restore()
    for x in chp.loop(squares):
        tick()
        out.append(x)
        if x == 4:
            squares.n = 6
    for x in chp.loop(iter(stack.pop, 0)):
        tick()
        out.append(x)
    return out, stack


print(json.dumps(work()))
