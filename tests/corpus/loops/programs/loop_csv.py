# expect: equal
"""A csv reader over a file."""

import csv
import json

from ticks import tick

from resume import Checkpoint


def work(path):
    chp = Checkpoint(rate=0, fsync=False)
    totals = {}
    chp.restore()
    for name, amount in chp.loop(lambda: csv.reader(open(path, newline=""))):
        tick()
        totals[name] = totals.get(name, 0) + int(amount)
    return totals


with open("amounts.csv", "w") as table:
    table.write("".join(f"{'abc'[i % 3]},{i * i}\n" for i in range(7)))
print(json.dumps(work("amounts.csv")))
