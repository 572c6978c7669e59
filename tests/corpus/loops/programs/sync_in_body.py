# expect: equal
"""`sync()` and `save()` in the middle of an item are put off to its end; they return false."""

import json

from ticks import tick

from resume import Checkpoint


def work():
    chp = Checkpoint(rate=0, fsync=False)
    out = []
    chp.restore()
    for a in chp.loop(range(5)):
        out.append(a)
        truth = bool(chp.save()) or bool(chp.sync())
        tick()
        out.append(truth)
    return out


print(json.dumps(work()))
