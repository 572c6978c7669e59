# expect: equal
"""Two names for one list, a name into the middle of another, a swap of names."""

import json

from ticks import tick

from resume import Checkpoint


def work():
    chp = Checkpoint(rate=0, fsync=False)
    a = [[0], [1]]
    b = a
    inner = a[1]
    left, right = [1], [2]
    chp.restore()
    for i in chp.loop(range(5)):
        tick()
        b.append([i])
        inner.append(i)
        left, right = right, left
        left.append(i)
    return a, b is a, inner is a[1], left, right


print(json.dumps(work()))
