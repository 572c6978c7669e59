# expect: equal
"""`Checkpoint()` at module level: the namespace is the owner."""

import json
import random

import numpy as np
from ticks import tick

from resume import Checkpoint

random.seed(18)
rng = np.random.default_rng(19)


def draw():
    return random.random() + rng.random()


chp = Checkpoint(rate=0, fsync=False)
total = 0.0
values = []
chp.restore()
for a in chp.loop(range(3)):
    row = []
    for b in chp.loop(range(2)):
        tick()
        row.append(draw())
        total += row[-1]
    values.append(row)
print(json.dumps([total, values, draw()]))
