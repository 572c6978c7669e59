# expect: equal
"""Loops over nothing, beside loops over something."""

import json

from ticks import tick

from resume import Checkpoint


def work():
    chp = Checkpoint(rate=0, fsync=False)
    out = []
    chp.restore()
    for x in chp.loop([]):
        out.append("never")
    for a in chp.loop(range(3)):
        for b in chp.loop(range(a)):
            tick()
            out.append((a, b))
        for c in chp.loop(()):
            out.append("never")
        else:
            out.append("else")
    return out


print(json.dumps(work()))
