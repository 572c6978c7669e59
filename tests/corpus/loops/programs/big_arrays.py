# expect: equal
"""Arrays of many pieces, changed in one place at a time, resized, and one that never changes."""

import json

import numpy as np
from ticks import tick

from resume import Checkpoint


def work():
    chp = Checkpoint(rate=0, fsync=False)
    fixed = np.arange(200_000.0)
    moving = np.zeros(150_000)
    grown = np.ones(10)
    chp.restore()
    for i in chp.loop(range(4)):
        tick()
        moving[i * 30_000] = fixed[i]
        grown = np.concatenate([grown, grown + i])
    return moving.sum().item(), grown.sum().item(), len(grown), fixed[-1].item()


print(json.dumps(work()))
