# expect: refused ConfigError
# says: chp.loop(
"""`zip` around `loop` is refused like `enumerate`."""

import json

from resume import Checkpoint


def work():
    chp = Checkpoint(rate=0, fsync=False)
    total = 0
    chp.restore()
    for x, y in zip(chp.loop([5, 6, 7]), "abc"):
        total += x * len(y)
    return total


print(json.dumps(work()))
