# expect: equal
"""`chp.resuming` is true on the way back and false behind the door: effects are not repeated."""

import json

from ticks import tick

from resume import Checkpoint


def work():
    chp = Checkpoint(rate=0, fsync=False)
    out = []
    wrong = 0
    chp.restore()
    for a in chp.loop(range(3)):
        if not chp.resuming:
            out.append(("start", a))
        for b in chp.loop(range(2)):
            tick()
            wrong += chp.resuming
            out.append((a, b))
        wrong += chp.resuming
    return out, wrong


print(json.dumps(work()))
