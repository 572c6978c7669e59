# expect: equal
"""A checkpoint in a generator with a plain `while`; `sync()` behind the yield, last."""

import json

from ticks import tick

from resume import Checkpoint


def fibonacci(n):
    chp = Checkpoint(rate=0, fsync=False)
    values = [1, 1]
    chp.restore()
    while len(values) < n:
        values.append(values[-1] + values[-2])
        tick()
        yield values
        chp.sync()
    yield values


for values in fibonacci(9):
    pass
print(json.dumps(values))
