# expect: refused UnpicklableError
# says: chp.loop(lambda: ...
"""The same with numpy's global generator."""

import json

import numpy as np
from ticks import tick

from resume import Checkpoint


def batched(values, size):
    for start in range(0, len(values), size):
        yield values[start : start + size].tolist()


def work():
    np.random.seed(8)
    chp = Checkpoint(rate=0, fsync=False)
    seen = []
    chp.restore()
    for epoch in chp.loop(range(2)):
        for batch in chp.loop(batched(np.random.permutation(8), 2)):
            tick()
            seen.append((batch, np.random.rand()))
    return seen


print(json.dumps(work()))
