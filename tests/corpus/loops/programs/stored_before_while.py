# expect: warned
# says: total
"""A saved name is stored between `restore()` and the `while` that holds the safe point."""

import json

from resume import Checkpoint


def work():
    chp = Checkpoint(rate=0, fsync=False)
    n = 0
    chp.restore()
    total = 0
    while n < 4:
        total += n
        n += 1
        chp.sync()
    return total


print(json.dumps(work()))
