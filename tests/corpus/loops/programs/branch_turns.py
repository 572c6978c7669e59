# expect: equal-or-refused
# refuses: RestoreError
"""The branch to the loop depends on a name that the loop changes: the way back turns elsewhere."""

import json

from ticks import tick

from resume import Checkpoint


def work():
    chp = Checkpoint(rate=0, fsync=False)
    total = 0
    out = []
    chp.restore()
    for a in chp.loop(range(3)):
        if total % 2 == 0:
            for b in chp.loop(range(3)):
                tick()
                total += b + 1
                out.append(("even", total))
        else:
            for b in chp.loop(range(2)):
                tick()
                total += 3
                out.append(("odd", total))
    return out


print(json.dumps(work()))
