# expect: equal
"""Iterators of itertools that share: cycles, groups, pairs, a tee."""

import itertools
import json

from ticks import tick

from resume import Checkpoint


def work():
    chp = Checkpoint(rate=0, fsync=False)
    out = []
    chp.restore()
    for x in chp.loop(itertools.islice(itertools.cycle("abc"), 5)):
        tick()
        out.append(x)
    for key, group in chp.loop(itertools.groupby([1, 1, 2, 3, 3])):
        tick()
        out.append((key, list(group)))
    for pair in chp.loop(itertools.pairwise([3, 1, 4])):
        tick()
        out.append(pair)
    for x in chp.loop(itertools.takewhile(lambda x: x < 3, [1, 2, 3, 1])):
        tick()
        out.append(x)
    for x in chp.loop(itertools.zip_longest("ab", [1], fillvalue="-")):
        tick()
        out.append(x)
    return out


print(json.dumps(work()))
