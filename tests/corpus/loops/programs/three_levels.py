# expect: equal
"""Three levels, with work above, between and below the loops of each level."""

import json
import random

from ticks import tick

from resume import Checkpoint


def work():
    random.seed(4)
    chp = Checkpoint(rate=0, fsync=False)
    path = []
    chp.restore()
    for a in chp.loop("xy"):
        path.append(a)
        inner = 0
        for b in chp.loop(range(2)):
            weight = random.random()
            for c in chp.loop([1, 2]):
                tick()
                inner += c * weight
                path.append(f"{a}{b}{c}")
            inner *= 2
            path.append("b")
        path.append(inner)
    path.append("end")
    return path


print(json.dumps(work()))
