# expect: refused UnpicklableError
# says: chp.loop(lambda: ...
"""An eager permutation of three: a digest of the last item would fit by chance."""

import json

import numpy as np
from ticks import tick

from resume import Checkpoint


def each(values):
    for value in values:
        yield int(value)


def work():
    rng = np.random.default_rng(8)
    chp = Checkpoint(rate=0, fsync=False)
    seen = []
    chp.restore()
    for epoch in chp.loop(range(8)):
        for item in chp.loop(each(rng.permutation(3))):
            tick()
            seen.append(item)
    return seen


print(json.dumps(work()))
