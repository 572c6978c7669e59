# expect: equal
"""A list and a dict come in as arguments and are changed in place; the caller prints its own."""

import json

from ticks import tick

from resume import Checkpoint


def collect(found, counts, limit):
    chp = Checkpoint(rate=0, fsync=False)
    chp.restore()
    while len(found) < limit:
        found.append(len(found) ** 2)
        counts[str(found[-1] % 3)] = counts.get(str(found[-1] % 3), 0) + 1
        tick()
        chp.sync()


found, counts = [7], {}
collect(found, counts, limit=7)
print(json.dumps([found, counts]))
