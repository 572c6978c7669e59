# expect: equal
"""`return` out of a loop in a `with` block: the block is complete."""

import json

from ticks import tick

from resume import Checkpoint


def find(limit):
    with Checkpoint("find", rate=0, fsync=False) as chp:
        tried = []
        for a in chp.loop(range(1, limit)):
            for b in chp.loop(range(a, limit)):
                tick()
                tried.append((a, b))
                if a * a + b * b == 25:
                    return a, b, len(tried)
    return None


print(json.dumps([find(6), "behind"]))
