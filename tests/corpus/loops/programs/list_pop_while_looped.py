# expect: equal
"""A list that shrinks from both ends while it is looped over."""

import json

from ticks import tick

from resume import Checkpoint


def work():
    chp = Checkpoint(rate=0, fsync=False)
    xs = list(range(16))
    out = []
    chp.restore()
    for x in chp.loop(xs):
        tick()
        out.append(x)
        xs.pop()
        if x % 3 == 0:
            xs.pop(0)
    return out, xs


print(json.dumps(work()))
