# expect: equal
"""Loops with names of their own, at two levels."""

import json

from ticks import tick

from resume import Checkpoint


def work():
    chp = Checkpoint(rate=0, fsync=False)
    out = []
    chp.restore()
    for a in chp.loop(range(3), name="outer"):
        for b in chp.loop(range(3), name="inner"):
            tick()
            out.append(a * b)
    return out


print(json.dumps(work()))
