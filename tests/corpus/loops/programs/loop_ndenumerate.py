# expect: equal
"""`np.ndenumerate` cannot be pickled: it is made anew and its items are skipped."""

import json

import numpy as np
from ticks import tick

from resume import Checkpoint


def work():
    chp = Checkpoint(rate=0, fsync=False)
    table = np.arange(6).reshape(2, 3)
    total = 0
    chp.restore()
    for (i, j), value in chp.loop(np.ndenumerate(table)):
        tick()
        total += i * 100 + j * 10 + int(value)
    return total


print(json.dumps(work()))
