# expect: equal
"""A loop over the items of a dict."""

import json

from ticks import tick

from resume import Checkpoint


def work():
    chp = Checkpoint(rate=0, fsync=False)
    prices = {"b": 2, "a": 1, "d": 4, "c": 3}
    out = []
    chp.restore()
    for name, price in chp.loop(prices.items()):
        tick()
        out.append(name * price)
        prices[name] = 0
    return out, prices


print(json.dumps(work()))
