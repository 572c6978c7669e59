# expect: equal
"""A plain `for` over calls with another argument each, in a `with` block each."""

import json

from ticks import tick

from resume import Checkpoint


def fold(k, *, data):
    with Checkpoint("fold-{k}", rate=0, fsync=False) as chp:
        total = 0
        for value in chp.loop(data):
            tick()
            total += value * (k + 1)
    return total


data = [3, 1, 4]
scores = []
for k in range(3):
    scores.append(fold(k, data=data))
print(json.dumps(scores))
