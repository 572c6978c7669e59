# expect: equal
"""`sync()` is called by a closure and by a helper: the owner's names are saved."""

import json

from ticks import tick

from resume import Checkpoint


def save_soon(chp):
    chp.sync()


def work():
    chp = Checkpoint(rate=0, fsync=False)
    n = 0
    seen = []

    def step():
        nonlocal n
        n += 1
        seen.append(n * n)

    chp.restore()
    while n < 6:
        step()
        tick()
        save_soon(chp)
    return n, seen


print(json.dumps(work()))
