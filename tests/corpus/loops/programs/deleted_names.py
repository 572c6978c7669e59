# expect: equal-or-refused
"""Names deleted and bound late in the body: what did not exist at the save does not come back."""

import json

from ticks import tick

from resume import Checkpoint


def work():
    chp = Checkpoint(rate=0, fsync=False)
    start = [1]
    out = []
    chp.restore()
    for i in chp.loop(range(6)):
        tick()
        if i == 2:
            del start
            late = [i]
        try:
            start.append(i)
        except UnboundLocalError:
            out.append("no start")
        try:
            late.append(i)
        except UnboundLocalError:
            out.append("no late")
    return out, late


print(json.dumps(work()))
