# expect: equal
"""An iterator of the program's own class: its attributes are its position."""

import json

from ticks import tick

from resume import Checkpoint


class Collatz:
    def __init__(self, n):
        self.n = n
        self.seen = []

    def __iter__(self):
        return self

    def __next__(self):
        if self.n == 1:
            raise StopIteration
        self.n = self.n // 2 if self.n % 2 == 0 else 3 * self.n + 1
        self.seen.append(self.n)
        return self.n


def work():
    chp = Checkpoint(rate=0, fsync=False)
    out = []
    chp.restore()
    for x in chp.loop(Collatz(6)):
        tick()
        out.append(x)
    numbers = Collatz(5)
    for x in chp.loop(numbers):
        tick()
        numbers.n -= 4 * (numbers.n == 8)
        out.append(x)
    return out, numbers.seen


print(json.dumps(work()))
