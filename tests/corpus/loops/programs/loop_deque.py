# expect: equal
"""Loops over a deque, a string, bytes, a range with a step and a memoryview."""

import collections
import json

from ticks import tick

from resume import Checkpoint


def work():
    chp = Checkpoint(rate=0, fsync=False)
    out = []
    line = collections.deque([1, 2, 3], maxlen=5)
    chp.restore()
    for x in chp.loop(line):
        tick()
        out.append(x)
    for x in chp.loop("héé"):
        tick()
        out.append(x)
    for x in chp.loop(b"ab"):
        tick()
        out.append(x)
    for x in chp.loop(range(10, 0, -4)):
        tick()
        out.append(x)
    for x in chp.loop(memoryview(b"xyz")[::2]):
        tick()
        out.append(x)
    return out


print(json.dumps(work()))
