# expect: refused UnpicklableError
# says: chp.loop(lambda: ...
"""A permutation drawn while the expression is evaluated: a rerun would draw another one."""

import json

import numpy as np
from ticks import tick

from resume import Checkpoint


def batched(values, size):
    for start in range(0, len(values), size):
        yield values[start : start + size].tolist()


def work():
    rng = np.random.default_rng(8)
    chp = Checkpoint(rate=0, fsync=False)
    total, seen = 0.0, []
    chp.restore()
    for epoch in chp.loop(range(2)):
        for batch in chp.loop(batched(rng.permutation(12), 4)):
            tick()
            total = total * 0.9 + sum(i * x for i, x in enumerate(batch)) * rng.random()
            seen.append(batch)
    return total, seen


print(json.dumps(work()))
