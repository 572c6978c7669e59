# expect: equal
"""A module-level `with` block whose functions read and write the module's own globals."""

import json

from ticks import tick

from resume import Checkpoint

cache = {}
calls = 0


def square(n):
    global calls
    if n not in cache:
        calls += 1
        cache[n] = n * n
    return cache[n]


with Checkpoint("table", rate=0, fsync=False) as chp:
    rows = []
    for i in chp.loop([1, 2, 1, 3, 2, 4]):
        tick()
        rows.append(square(i) + calls)
print(json.dumps([rows, calls, sorted(cache.items())]))
