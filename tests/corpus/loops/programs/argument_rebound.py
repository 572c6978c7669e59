# expect: equal
"""Simple arguments are bound anew in the body; the same call gets the saved values back."""

import json

from ticks import tick

from resume import Checkpoint


def collatz(x, steps=0, *, longest=0):
    chp = Checkpoint(rate=0, fsync=False)
    chp.restore()
    while x != 1:
        x = x // 2 if x % 2 == 0 else 3 * x + 1
        steps += 1
        longest = max(longest, x)
        tick()
        chp.sync()
    return x, steps, longest


print(json.dumps(collatz(7)))
