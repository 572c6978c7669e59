# expect: equal
"""A loop over a set of ints that grew and shrank: the rest comes in the same order."""

import json

from ticks import tick

from resume import Checkpoint


def work():
    chp = Checkpoint(rate=0, fsync=False)
    numbers = {(i * 7919) % 1009 for i in range(60)}
    for i in range(0, 1009, 3):
        numbers.discard(i)
    numbers = set(sorted(numbers)[:12]) | {100003, 8, 16, 1024}
    out = []
    chp.restore()
    for n in chp.loop(numbers):
        tick()
        out.append(n)
    again = list(numbers)
    return out, again


print(json.dumps(work()))
