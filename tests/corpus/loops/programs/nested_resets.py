# expect: equal
"""Nested loops: names reset above the inner loop, draws by three generators, in and between."""

import json
import random

import numpy as np
from ticks import tick

from resume import Checkpoint


def work():
    chp = Checkpoint(rate=0, fsync=False)
    random.seed(1)
    np.random.seed(2)
    rng = np.random.default_rng(3)
    history = []
    chp.restore()
    for epoch in chp.loop(range(3)):
        total = 0.0
        seen = []
        noise = rng.normal()
        for step in chp.loop(range(3)):
            tick()
            total += random.random() + np.random.rand() + rng.random() + noise
            seen.append(random.randrange(100))
        history.append((epoch, total, seen))
    return history, random.random(), float(np.random.rand()), float(rng.random())


print(json.dumps(work()))
