# expect: equal
"""The body takes items from the loop's own iterator: one object, one position."""

import json

from ticks import tick

from resume import Checkpoint


def work():
    chp = Checkpoint(rate=0, fsync=False)
    out = []
    chp.restore()
    numbers = iter(range(14))
    for n in chp.loop(numbers):
        tick()
        out.append(n)
        if n % 3 == 0:
            out.append(("taken", next(numbers)))
    return out


print(json.dumps(work()))
