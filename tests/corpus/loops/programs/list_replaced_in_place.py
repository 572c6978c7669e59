# expect: equal
"""Items ahead are changed, the list sorted and turned, while the loop stands in it."""

import json
import random

from ticks import tick

from resume import Checkpoint


def work():
    random.seed(20)
    chp = Checkpoint(rate=0, fsync=False)
    xs = [5, 3, 8, 1, 9, 2]
    out = []
    chp.restore()
    for x in chp.loop(xs):
        tick()
        out.append(x)
        if x % 2:
            xs.reverse()
        random.shuffle(xs)
        xs[-1] += 1
    return out, xs


print(json.dumps(work()))
