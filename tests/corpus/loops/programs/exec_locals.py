# expect: equal
"""Code in `exec` with globals and locals apart, and a function made by `exec`."""

import json

from ticks import tick

from resume import Checkpoint

SOURCE = """
def work(n):
    chp = Checkpoint(rate=0, fsync=False)
    total = []
    chp.restore()
    for i in chp.loop(range(n)):
        tick()
        total.append(i * i)
    return total
result = work(5)
"""
names = {}
exec(SOURCE, {"Checkpoint": Checkpoint, "tick": tick, "__name__": "__main__"}, names)
print(json.dumps(names["result"]))
