# expect: equal
"""Generators seeded in the body, above an inner loop: done again on the way back, and undone."""

import json
import random

import numpy as np
from ticks import tick

from resume import Checkpoint


def work():
    chp = Checkpoint(rate=0, fsync=False)
    out = []
    chp.restore()
    for epoch in chp.loop(range(3)):
        random.seed(epoch)
        rng = np.random.default_rng(epoch)
        for step in chp.loop(range(3)):
            tick()
            out.append(random.random() + rng.random())
    return out


print(json.dumps(work()))
