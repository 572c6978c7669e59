# expect: equal
"""A plain `while` with its `sync()`, and code behind it that changes what the `while` left."""

import json

from ticks import tick

from resume import Checkpoint


def work():
    chp = Checkpoint(rate=0, fsync=False)
    terms = []
    chp.restore()
    while len(terms) < 5:
        terms.append(1 / (len(terms) + 1))
        tick()
        chp.sync()
    total = sum(terms)
    tick()
    terms.append(total)
    return terms


print(json.dumps(work()))
