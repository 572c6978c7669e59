# expect: equal
"""The iterator stands beyond the end of its list when it is saved, and the list grows again."""

import json

from ticks import tick

from resume import Checkpoint


def work():
    chp = Checkpoint(rate=0, fsync=False)
    xs = [0, 1, 2, 3, 4, 5]
    out = []
    chp.restore()
    for x in chp.loop(xs):
        out.append(x)
        if x == 3:
            del xs[1:]
        for y in chp.loop(range(2)):
            tick()
            out.append(-y)
        if len(xs) == 1:
            xs.extend([11, 12, 13, 14, 15])
    return out, xs


print(json.dumps(work()))
