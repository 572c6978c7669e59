# expect: equal
"""Two loops written on one line each: told apart by their place in the code, not by the line."""

import json

from ticks import tick

from resume import Checkpoint


# fmt: off
# ruff: noqa: E701, E702
def work():
    chp = Checkpoint(rate=0, fsync=False); out = []; chp.restore()
    for a in chp.loop(range(3)): tick(); out.append(a)
    for a in chp.loop(range(2)): tick(); out.append([-a, *(x for x in range(a))])
    return out
# fmt: on


print(json.dumps(work()))
