# expect: equal
"""A callable that draws with numpy's global generator and with `random.sample`."""

import json
import random

import numpy as np
from ticks import tick

from resume import Checkpoint


def batched(values, size):
    for start in range(0, len(values), size):
        yield list(values[start : start + size])


def work():
    np.random.seed(8)
    random.seed(9)
    chp = Checkpoint(rate=0, fsync=False)
    seen = []
    chp.restore()
    for epoch in chp.loop(range(2)):
        for batch in chp.loop(lambda: batched(np.random.permutation(6).tolist(), 2)):
            tick()
            seen.append((batch, np.random.rand()))
        for pick in chp.loop(lambda: iter(random.sample(range(9), 3))):
            tick()
            seen.append((pick, random.random()))
    return seen


print(json.dumps(work()))
