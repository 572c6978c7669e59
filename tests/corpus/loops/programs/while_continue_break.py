# expect: equal
"""A `while` with `continue` past the `sync()` and `break` before it."""

import json
import random

from ticks import tick

from resume import Checkpoint


def work():
    random.seed(28)
    chp = Checkpoint(rate=0, fsync=False)
    out = []
    n = 0
    chp.restore()
    while True:
        n += 1
        tick()
        draw = random.randrange(10)
        if draw < 3:
            continue
        out.append((n, draw))
        if len(out) > 6:
            break
        chp.sync()
    else:
        out.append("never")
    return out, n, random.random()


print(json.dumps(work()))
