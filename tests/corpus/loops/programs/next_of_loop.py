# expect: refused ConfigError
"""`next(chp.loop(...))` would ask for an item outside of a `for`."""

import json

from resume import Checkpoint


def work():
    chp = Checkpoint(rate=0, fsync=False)
    chp.restore()
    return next(iter(chp.loop(range(5))))


print(json.dumps(work()))
