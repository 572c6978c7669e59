# expect: equal
"""`chp["k"] = v` and `save(k=v)` are one thing, beside the names."""

import json

from ticks import tick

from resume import Checkpoint


def work():
    chp = Checkpoint(rate=0, fsync=False)
    total = 0
    if not chp.restore():
        chp["best"] = -1
    for i in chp.loop([3, 1, 4, 1, 5]):
        tick()
        total += i
        chp["best"] = max(chp["best"], i * total % 7)
    chp.save(total=total)
    return total, chp["best"], chp["total"]


print(json.dumps(work()))
