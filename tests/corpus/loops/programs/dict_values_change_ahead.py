# expect: equal-or-refused
"""Values *ahead* of a loop over items change: a copy of the remaining items would be stale."""

import json

from ticks import tick

from resume import Checkpoint


def work():
    chp = Checkpoint(rate=0, fsync=False)
    prices = {"b": 2, "a": 1, "d": 4, "z": 100}
    out = []
    chp.restore()
    for name, price in chp.loop(prices.items()):
        tick()
        out.append((name, price))
        prices["z"] += 1
    for price in chp.loop(prices.values()):
        tick()
        out.append(price)
        prices["z"] += 1
    return out, prices


print(json.dumps(work()))
