# expect: equal
"""The loop's own target is changed in the body and read behind the loop."""

import json

from ticks import tick

from resume import Checkpoint


def work():
    chp = Checkpoint(rate=0, fsync=False)
    out = []
    chp.restore()
    for x in chp.loop([3, 4, 5]):
        tick()
        x *= 10
        for y in chp.loop(range(2)):
            tick()
            x += y
            out.append(x)
    out.append((x, y))
    tick()
    return out


print(json.dumps(work()))
