# expect: equal
"""A drawn list pickles at its position: eager is exact where the iterator is state."""

import json
import random

from ticks import tick

from resume import Checkpoint


def work():
    random.seed(10)
    chp = Checkpoint(rate=0, fsync=False)
    seen = []
    chp.restore()
    for epoch in chp.loop(range(2)):
        for item in chp.loop(random.sample(range(20), 4)):
            tick()
            seen.append((item, random.random()))
    return seen


print(json.dumps(work()))
