# expect: refused ConfigError
# says: chp.loop(enumerate(
"""`enumerate` around `loop`: the error holds the rewrite."""

import json

from resume import Checkpoint


def work():
    chp = Checkpoint(rate=0, fsync=False)
    total = 0
    chp.restore()
    for i, x in enumerate(chp.loop([5, 6, 7])):
        total += i * x
    return total


print(json.dumps(work()))
