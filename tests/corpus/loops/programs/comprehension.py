# expect: refused ConfigError
# says: for
"""A comprehension around `loop` cannot be led back to its place."""

import json

from resume import Checkpoint


def work():
    chp = Checkpoint(rate=0, fsync=False)
    chp.restore()
    return [x * x for x in chp.loop(range(5))]


print(json.dumps(work()))
