# expect: refused ConfigError
"""`loop` called by a function that does not own the checkpoint."""

import json

from resume import Checkpoint


def inner(chp, out):
    for x in chp.loop(range(4)):
        out.append(x)


def work():
    chp = Checkpoint(rate=0, fsync=False)
    out = []
    chp.restore()
    inner(chp, out)
    return out


print(json.dumps(work()))
