# expect: equal
"""A loop over the rows of an array: the item is a view, what is written to it is in the array."""

import json

import numpy as np
from ticks import tick

from resume import Checkpoint


def work():
    chp = Checkpoint(rate=0, fsync=False)
    table = np.arange(12.0).reshape(4, 3)
    chp.restore()
    for row in chp.loop(table):
        tick()
        row *= 2
        table[-1] += row
    row += 1
    return table.tolist(), row.base is table or row.base is table.base


print(json.dumps(work()))
