# expect: refused ConfigError
"""`list(chp.loop(...))` is no `for` statement."""

import json

from resume import Checkpoint


def work():
    chp = Checkpoint(rate=0, fsync=False)
    chp.restore()
    return list(chp.loop(range(3)))


print(json.dumps(work()))
