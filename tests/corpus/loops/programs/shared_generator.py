# expect: equal-or-refused
"""The body takes items from the loop's own generator: the items handed out cannot be counted."""

import json

from ticks import tick

from resume import Checkpoint


def count(n):
    yield from range(n)


def work():
    chp = Checkpoint(rate=0, fsync=False)
    out = []
    chp.restore()
    numbers = count(14)
    for n in chp.loop(numbers):
        tick()
        out.append(n)
        if n % 3 == 0:
            out.append(("taken", next(numbers)))
    return out


print(json.dumps(work()))
