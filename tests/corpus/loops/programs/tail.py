# expect: equal
"""Code behind a loop, between two loops and behind the last one."""

import json
import random

from ticks import tick

from resume import Checkpoint


def work():
    random.seed(12)
    chp = Checkpoint(rate=0, fsync=False)
    out = []
    chp.restore()
    total = 0
    for i in chp.loop(range(4)):
        tick()
        total += random.randrange(100)
    out.append(total)
    mean = total / 4
    tick()
    for i in chp.loop(range(3)):
        tick()
        out.append(mean + i * random.random())
    out.append("behind")
    mean = -1
    tick()
    return out, mean, random.random()


print(json.dumps(work()))
