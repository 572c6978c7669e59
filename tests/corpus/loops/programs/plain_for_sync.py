# expect: warned
# says: beginning
"""A `sync()` in a plain `for`: a rerun starts the `for` anew, and a warning says so."""

import json

from resume import Checkpoint


def work():
    chp = Checkpoint(rate=0, fsync=False)
    total = []
    chp.restore()
    for i in range(4):
        total.append(i)
        chp.sync()
    return total


print(json.dumps(work()))
