# expect: equal
"""A checkpoint in a generator: what it yields last holds all."""

import json

from ticks import tick

from resume import Checkpoint


def running_sums(n):
    chp = Checkpoint(rate=0, fsync=False)
    sums = [0]
    chp.restore()
    for i in chp.loop(range(n)):
        tick()
        sums.append(sums[-1] + i)
        yield sums
    yield sums


for sums in running_sums(7):
    last = sums
print(json.dumps(last))
