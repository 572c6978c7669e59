# expect: equal
"""Plain loops before, inside and behind `chp.loop`s, with a save in the body of one."""

import json
import random

from ticks import tick

from resume import Checkpoint


def work():
    random.seed(27)
    chp = Checkpoint(rate=0, fsync=False)
    out = []
    chp.restore()
    for i in range(3):
        out.append(random.random())
    for a in chp.loop(range(3)):
        n = 3
        while n:
            tick()
            out.append(random.randrange(a + n))
            chp.sync()
            n -= 1
        for i in range(2):
            out.append(i)
    while len(out) < 30:
        out.append(random.random())
    tick()
    return out


print(json.dumps(work()))
