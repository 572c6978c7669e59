# expect: equal
"""Two blocks, one function, one name for the handle."""

import json

from ticks import tick

from resume import Checkpoint


def work():
    with Checkpoint("first", rate=0, fsync=False) as chp:
        numbers = []
        for i in chp.loop(range(4)):
            tick()
            numbers.append(i)
    numbers.append("between")
    with Checkpoint("second", rate=0, fsync=False) as chp:
        for i in chp.loop(range(3)):
            tick()
            numbers.append(-i)
    return numbers


print(json.dumps(work()))
