# expect: equal
"""A block without a loop: its statements run again, and the final state is applied at its end."""

import json
import random

from ticks import tick

from resume import Checkpoint


def work():
    random.seed(15)
    with Checkpoint("block", rate=0, fsync=False):
        values = [random.random() for _ in range(3)]
        tick()
        values.sort()
    tick()
    return values, random.random()


print(json.dumps(work()))
