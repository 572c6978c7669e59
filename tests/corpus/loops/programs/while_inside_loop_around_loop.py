# expect: refused ConfigError
"""A plain `while` between two levels of `chp.loop`."""

import json

from resume import Checkpoint


def work():
    chp = Checkpoint(rate=0, fsync=False)
    out = []
    chp.restore()
    for a in chp.loop(range(2)):
        n = 2
        while n:
            for b in chp.loop(range(2)):
                out.append((a, n, b))
            n -= 1
    return out


print(json.dumps(work()))
