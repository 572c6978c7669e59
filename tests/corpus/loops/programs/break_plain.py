# expect: equal
"""`break` out of the inner loop in each pass: the next pass starts the inner loop anew."""

import json

from ticks import tick

from resume import Checkpoint


def work():
    chp = Checkpoint(rate=0, fsync=False)
    out = []
    chp.restore()
    for a in chp.loop(range(3)):
        for b in chp.loop(range(5)):
            tick()
            if b > a:
                break
            out.append((a, b))
        out.append(("left at", b))
    return out


print(json.dumps(work()))
