# expect: equal-or-refused
"""A generator over a list that the body changes: skipping walks the list as it is now."""

import json

from ticks import tick

from resume import Checkpoint


def each(xs):
    yield from xs


def work():
    chp = Checkpoint(rate=0, fsync=False)
    xs = [1, 2, 3, 4, 5, 6]
    out = []
    chp.restore()
    for x in chp.loop(each(xs)):
        tick()
        out.append(x)
        if x % 2 == 0:
            xs.remove(x)
    return out, xs


print(json.dumps(work()))
