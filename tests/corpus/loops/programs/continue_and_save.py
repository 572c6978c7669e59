# expect: equal
"""`continue` behind a save in the body: the save is made at the end of the item."""

import json

from ticks import tick

from resume import Checkpoint


def work():
    chp = Checkpoint(rate=1e6, fsync=False)
    out = []
    chp.restore()
    for a in chp.loop(range(8)):
        out.append(a)
        if a % 3 == 0:
            chp.save()
            out.append("saved")
            continue
        tick()
        out.append("went on")
    return out


print(json.dumps(work()))
