# expect: equal
"""`zip`, `enumerate`, `map` and `filter` inside the loop, over lists that change meanwhile."""

import json

from ticks import tick

from resume import Checkpoint


def double(x):
    return x * 2


def work():
    chp = Checkpoint(rate=0, fsync=False)
    xs, ys = [1, 2, 3, 4], [10, 20, 30]
    out = []
    chp.restore()
    for x, y in chp.loop(zip(xs, ys)):
        tick()
        out.append((x, y))
        ys[-1] += 1
    for i, x in chp.loop(enumerate(xs, start=5)):
        tick()
        out.append((i, x))
        xs[-1] += 1
    for x in chp.loop(map(double, xs)):
        tick()
        out.append(x)
        xs[-1] += 1
    for x in chp.loop(filter(None, [0, 3, 0, 4, 5])):
        tick()
        out.append(x)
    return out, xs, ys


print(json.dumps(work()))
