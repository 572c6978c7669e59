# expect: equal
"""A set and a frozenset of ints, walked and thinned out: their order is part of the result."""

import json

from ticks import tick

from resume import Checkpoint


def work():
    chp = Checkpoint(rate=0, fsync=False)
    numbers = {(i * 7919) % 10007 for i in range(200)}
    for i in range(0, 10007, 2):
        numbers.discard(i)
    frozen = frozenset(numbers)
    out = []
    chp.restore()
    for i in chp.loop(range(5)):
        tick()
        out.append(list(numbers)[i])
        numbers.discard(list(numbers)[-i])
        out.append(list(frozen)[i])
    return out, list(numbers)


print(json.dumps(work()))
