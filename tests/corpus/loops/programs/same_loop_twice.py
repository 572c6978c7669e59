# expect: equal
"""Two inner loops side by side: a finished one is forgotten when the outer takes its next item."""

import json
import random

from ticks import tick

from resume import Checkpoint


def work():
    random.seed(26)
    chp = Checkpoint(rate=0, fsync=False)
    out = []
    chp.restore()
    for a in chp.loop(range(3)):
        first = 0
        for b in chp.loop(range(2)):
            tick()
            first += random.randrange(9)
        second = first * 2
        for b in chp.loop(range(2)):
            tick()
            second -= random.randrange(9)
            out.append((a, b, first, second))
    return out


print(json.dumps(work()))
