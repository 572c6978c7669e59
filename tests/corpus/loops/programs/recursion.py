# expect: refused CheckpointBusyError
"""A function that calls itself while its checkpoint is live: two calls would share one state."""

import json

from resume import Checkpoint


def depth(n):
    chp = Checkpoint("depth", rate=0, fsync=False)
    total = n
    chp.restore()
    for i in chp.loop(range(2)):
        if n:
            total += depth(n - 1)
    return total


print(json.dumps(depth(2)))
