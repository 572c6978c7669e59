# expect: refused ConfigError
# says: resumable
"""Two loops inside a plain `while`: the position says which loop, not which pass."""

import json

from resume import Checkpoint


def work():
    chp = Checkpoint(rate=0, fsync=False)
    n, out = 0, []
    chp.restore()
    while n < 3:
        for a in chp.loop(range(2)):
            out.append(("a", n, a))
        for b in chp.loop(range(2)):
            out.append(("b", n, b))
        n += 1
    return out


print(json.dumps(work()))
