# expect: equal
"""`save()` before `break`: it takes effect at the next door, with what happened until there."""

import json
import random

from ticks import tick

from resume import Checkpoint


def work():
    random.seed(17)
    chp = Checkpoint(rate=1e6, fsync=False)
    out = []
    chp.restore()
    for a in chp.loop(range(4)):
        for b in chp.loop(range(4)):
            tick()
            out.append(random.randrange(50))
            if out[-1] > 30:
                chp.save()
                break
            chp.save()
        tick()
        out.append("below")
    for c in chp.loop(range(3)):
        tick()
        out.append(c)
        if c == 1:
            chp.save()
            break
    out.append("end")
    chp.save()
    tick()
    return out, random.random()


print(json.dumps(work()))
