# expect: equal
"""`return` out of two loops of a plain function; the caller goes on."""

import json

from ticks import tick

from resume import Checkpoint


def find(limit):
    chp = Checkpoint(rate=0, fsync=False)
    tried = []
    chp.restore()
    for a in chp.loop(range(1, limit)):
        for b in chp.loop(range(a, limit)):
            tick()
            tried.append((a, b))
            if a * a + b * b == 25:
                return a, b, len(tried)
    return None


print(json.dumps([find(6), "behind"]))
