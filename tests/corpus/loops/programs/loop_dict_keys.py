# expect: equal
"""Loops over a dict and over its values; values behind the place of the loop change."""

import json

from ticks import tick

from resume import Checkpoint


def work():
    chp = Checkpoint(rate=0, fsync=False)
    prices = {"b": 2, "a": 1, "d": 4}
    out = []
    chp.restore()
    for name in chp.loop(prices):
        tick()
        out.append(name)
        prices["d"] += 1
    for price in chp.loop(prices.values()):
        tick()
        out.append(price)
        prices["b"] -= 1
    return out, prices


print(json.dumps(work()))
