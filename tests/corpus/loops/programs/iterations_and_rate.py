# expect: equal
"""Every third safe point; between them nothing is saved."""

import json

from ticks import tick

from resume import Checkpoint


def work():
    chp = Checkpoint(rate=1e6, iterations=3, at_start=True, fsync=False)
    out = []
    chp.restore()
    for a in chp.loop(range(3)):
        total = 0
        for b in chp.loop(range(4)):
            tick()
            total += a * b
            out.append(total)
    return out


print(json.dumps(work()))
