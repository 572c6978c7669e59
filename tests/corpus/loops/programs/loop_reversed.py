# expect: equal
"""`reversed(list)` keeps its list and its place."""

import json

from ticks import tick

from resume import Checkpoint


def work():
    chp = Checkpoint(rate=0, fsync=False)
    xs = list(range(6))
    out = []
    chp.restore()
    for x in chp.loop(reversed(xs)):
        tick()
        out.append(x)
        xs[0] += 10
    return out, xs


print(json.dumps(work()))
