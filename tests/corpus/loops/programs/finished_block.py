# expect: equal
"""A `with` block: its end is a door, code behind it runs from the final state."""

import json
import random

from ticks import tick

from resume import Checkpoint


def work():
    random.seed(14)
    with Checkpoint("block", rate=0, fsync=False) as chp:
        total = 0
        for i in chp.loop(range(5)):
            tick()
            total += random.randrange(50)
        total = -total
    after = [total, random.random()]
    tick()
    return after


print(json.dumps(work()))
