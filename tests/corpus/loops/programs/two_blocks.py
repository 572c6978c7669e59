# expect: equal
"""Two blocks in one script at module level, and work between them."""

import json
import random

from ticks import tick

from resume import Checkpoint

random.seed(16)
with Checkpoint("first", rate=0, fsync=False) as chp:
    squares = []
    for i in chp.loop(range(4)):
        tick()
        squares.append(i * i + random.random())
middle = sum(squares) + random.random()
with Checkpoint("second", rate=0, fsync=False) as chp:
    halves = []
    for s in chp.loop(squares):
        tick()
        halves.append(s / 2 + random.random())
print(json.dumps([squares, middle, halves, random.random()]))
