# expect: equal
"""`at_start=True` saves at `restore()`, before the first statement of the work."""

import json
import random

from ticks import tick

from resume import Checkpoint


def work():
    random.seed(25)
    with Checkpoint("start", at_start=True, rate=0, fsync=False) as chp:
        first = random.random()
        tick()
        for i in chp.loop(range(3)):
            tick()
            first += random.random()
    return first


print(json.dumps(work()))
