# expect: equal
"""A plain `while` at module level, a global counter changed by a function."""

import json

from ticks import tick

from resume import Checkpoint

calls = 0


def count():
    global calls
    calls += 1
    return calls


chp = Checkpoint(rate=0, fsync=False)
seen = []
chp.restore()
while len(seen) < 6:
    seen.append(count() * 10)
    tick()
    chp.sync()
print(json.dumps([calls, seen]))
