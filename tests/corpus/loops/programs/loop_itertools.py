# expect: equal
"""Iterators of itertools at their positions."""

import itertools
import json

from ticks import tick

from resume import Checkpoint


def work():
    chp = Checkpoint(rate=0, fsync=False)
    out = []
    chp.restore()
    for x in chp.loop(itertools.chain([1, 2], "ab")):
        tick()
        out.append(x)
    for x in chp.loop(itertools.islice(itertools.count(5, 3), 1, 4)):
        tick()
        out.append(x)
    for x in chp.loop(itertools.product([0, 1], "xy")):
        tick()
        out.append(x)
    for x in chp.loop(itertools.combinations(range(3), 2)):
        tick()
        out.append(x)
    for x in chp.loop(itertools.accumulate([1, 2, 3], max)):
        tick()
        out.append(x)
    return out


print(json.dumps(work()))
