# expect: equal-or-refused
"""A helper that cannot be saved holds a list that is: two views of one list must stay one."""

import json
import socket

from ticks import tick

from resume import Checkpoint


class Pool:
    def __init__(self, table):
        self.table = table
        self.socket = socket.socket()

    def add(self, value):
        self.table.append(value)


def work():
    table = []
    pool = Pool(table)
    chp = Checkpoint(rate=0, fsync=False)
    chp.restore()
    for i in chp.loop(range(5)):
        tick()
        pool.add(i)
        table.append(-i)
    pool.socket.close()
    return table, pool.table, pool.table is table


print(json.dumps(work()))
