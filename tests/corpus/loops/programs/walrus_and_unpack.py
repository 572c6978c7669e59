# expect: equal
"""Targets of all shapes: a tuple, a star, an attribute, an item; a walrus in the body."""

import json
import types

from ticks import tick

from resume import Checkpoint


def work():
    chp = Checkpoint(rate=0, fsync=False)
    spot = types.SimpleNamespace(x=0)
    table = {}
    out = []
    chp.restore()
    for a, (b, *c) in chp.loop([(1, (2, 3, 4)), (5, "xyz"), (6, [7])]):
        tick()
        if (n := len(c)) > 1:
            out.append((a, b, c, n))
    for spot.x in chp.loop(range(3)):
        tick()
        out.append(spot.x)
    for table["k"] in chp.loop("ab"):
        tick()
        out.append(dict(table))
    return out, n, spot.x


print(json.dumps(work()))
