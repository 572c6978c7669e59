# expect: equal
"""A list that grows while it is looped over."""

import json

from ticks import tick

from resume import Checkpoint


def work():
    chp = Checkpoint(rate=0, fsync=False)
    xs = [1, 2, 3]
    out = []
    chp.restore()
    for x in chp.loop(xs):
        tick()
        out.append(x)
        if len(xs) < 8:
            xs.append(x * 2)
    return out, xs


print(json.dumps(work()))
