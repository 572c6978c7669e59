# expect: equal
"""`break` and the `else` of the loop it leaves, on two levels."""

import json

from ticks import tick

from resume import Checkpoint


def work():
    chp = Checkpoint(rate=0, fsync=False)
    out = []
    chp.restore()
    for a in chp.loop(range(2, 8)):
        for b in chp.loop(range(2, a)):
            tick()
            if a % b == 0:
                out.append((a, b))
                break
        else:
            out.append((a, "prime"))
            if a == 7:
                break
    else:
        out.append("never")
    return out


print(json.dumps(work()))
