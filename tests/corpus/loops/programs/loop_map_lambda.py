# expect: equal
"""`map` over a closure that counts its calls in a name of the owner."""

import json

from ticks import tick

from resume import Checkpoint


def work():
    chp = Checkpoint(rate=0, fsync=False)
    calls = 0
    factor = 3

    def scaled(x):
        nonlocal calls
        calls += 1
        return x * factor + calls

    out = []
    chp.restore()
    for x in chp.loop(map(scaled, range(6))):
        tick()
        out.append(x)
        factor += 1
    return out, calls, factor


print(json.dumps(work()))
