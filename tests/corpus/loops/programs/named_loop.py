# expect: refused ConfigError
"""A loop kept in a name and handed to `for` later is not the iterable of the `for` statement."""

import json

from resume import Checkpoint


def work():
    chp = Checkpoint(rate=0, fsync=False)
    total = 0
    chp.restore()
    items = chp.loop(range(5))
    for x in items:
        total += x
    return total


print(json.dumps(work()))
