# expect: refused ConfigError
# says: chp.loop(
"""A `chp.loop` inside a plain `for`: which pass of the outer loop was it?"""

import json

from resume import Checkpoint


def work():
    chp = Checkpoint(rate=0, fsync=False)
    total = 0
    chp.restore()
    for a in range(3):
        for b in chp.loop(range(3)):
            total += a * b
    return total


print(json.dumps(work()))
