# expect: equal
"""The same helper made after `restore()`: it holds the restored list."""

import json
import threading

from ticks import tick

from resume import Checkpoint


class Pool:
    def __init__(self, table):
        self.table = table
        self.lock = threading.Lock()

    def add(self, value):
        with self.lock:
            self.table.append(value)


def work():
    table = []
    chp = Checkpoint(rate=0, fsync=False)
    chp.restore()
    pool = Pool(table)
    for i in chp.loop(range(5)):
        tick()
        pool.add(i)
        table.append(-i)
    return table, pool.table, pool.table is table


print(json.dumps(work()))
