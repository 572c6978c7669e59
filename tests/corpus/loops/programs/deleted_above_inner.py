# expect: equal-or-refused
"""A name is bound above an inner loop and deleted in it: bound again on the way back, undone."""

import json

from ticks import tick

from resume import Checkpoint


def work():
    chp = Checkpoint(rate=0, fsync=False)
    out = []
    chp.restore()
    for a in chp.loop(range(2)):
        scratch = [a]
        for b in chp.loop(range(4)):
            tick()
            if b == 1:
                del scratch
            try:
                scratch.append(b)
                out.append(list(scratch))
            except UnboundLocalError:
                out.append("none")
    return out


print(json.dumps(work()))
