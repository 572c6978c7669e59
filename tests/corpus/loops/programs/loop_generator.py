# expect: equal
"""Generators as iterables: made anew, the items done are skipped."""

import json

from ticks import tick

from resume import Checkpoint


def countdown(n):
    while n:
        yield n
        n -= 1


def work():
    chp = Checkpoint(rate=0, fsync=False)
    out = []
    chp.restore()
    for a in chp.loop(countdown(3)):
        for b in chp.loop(countdown(a)):
            tick()
            out.append((a, b))
    for c in chp.loop(x * x for x in range(4)):
        tick()
        out.append(c)
    return out


print(json.dumps(work()))
