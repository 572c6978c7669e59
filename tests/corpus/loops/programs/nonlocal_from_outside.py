# expect: equal
"""The checkpoint lives in an inner function; a cell of the outer one counts."""

import json

from ticks import tick

from resume import Checkpoint


def outer():
    total = 0
    table = []

    def inner(n):
        nonlocal total
        chp = Checkpoint("inner", rate=0, fsync=False)
        chp.restore()
        for i in chp.loop(range(n)):
            tick()
            total += i
            table.append(total)
        return total

    last = inner(5)
    return last, total, table


print(json.dumps(outer()))
