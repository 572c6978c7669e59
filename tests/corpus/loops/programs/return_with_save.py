# expect: equal
"""`save()` before `return` in a loop: the save is not made, the result is the same."""

import json

from ticks import tick

from resume import Checkpoint


def find():
    chp = Checkpoint(rate=1e6, iterations=2, fsync=False)
    tried = []
    chp.restore()
    for a in chp.loop(range(9)):
        tick()
        tried.append(a)
        if a == 6:
            chp.save()
            return tried
    return None


print(json.dumps(find()))
