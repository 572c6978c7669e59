# expect: equal-or-refused
"""A generator over a list that loses items behind the loop's place; the last item occurs twice."""

import json

from ticks import tick

from resume import Checkpoint


def each(xs):
    yield from xs


def work():
    chp = Checkpoint(rate=0, fsync=False)
    xs = [1, 7, 7, 5, 7, 7, 4, 4, 2]
    out = []
    chp.restore()
    for x in chp.loop(each(xs)):
        tick()
        out.append(x)
        if len(out) == 3:
            xs.pop(0)
    return out, xs


print(json.dumps(work()))
