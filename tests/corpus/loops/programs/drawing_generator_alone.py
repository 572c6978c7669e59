# expect: equal
"""A generator that draws as it goes, and nothing else draws: skipping draws the same."""

import json
import random

from ticks import tick

from resume import Checkpoint


def noisy(n):
    for _ in range(n):
        yield random.randrange(1000)


def work():
    random.seed(11)
    chp = Checkpoint(rate=0, fsync=False)
    seen = []
    chp.restore()
    for number in chp.loop(lambda: noisy(6)):
        tick()
        seen.append(number)
    return seen, random.random()


print(json.dumps(work()))
