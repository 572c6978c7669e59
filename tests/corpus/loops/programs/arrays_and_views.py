# expect: equal
"""Arrays and views of them: what is written through one is seen through the other."""

import json

import numpy as np
from ticks import tick

from resume import Checkpoint


def work():
    chp = Checkpoint(rate=0, fsync=False)
    grid = np.zeros((40, 300))
    inside = grid[1:-1, 1:-1]
    column = grid[:, 7]
    chp.restore()
    for i in chp.loop(range(5)):
        tick()
        inside += 1 + i
        column *= 0.5
        grid[0] = grid.sum() % 7
    return grid.sum().item(), inside.sum().item(), column.tolist()[:3], column.base is grid


print(json.dumps(work()))
