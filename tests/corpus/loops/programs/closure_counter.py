# expect: equal
"""Closures that count in names of the owner, made before and after `restore()`."""

import json

from ticks import tick

from resume import Checkpoint


def work():
    chp = Checkpoint(rate=0, fsync=False)
    count = 0
    seen = []

    def up(by):
        nonlocal count
        count += by
        seen.append(count)

    chp.restore()

    def down(by):
        nonlocal count
        count -= by

    for i in chp.loop(range(6)):
        tick()
        up(i * i)
        down(1)
    return count, seen


print(json.dumps(work()))
