# expect: warned
# says: loop
"""A second plain loop with safe points behind a first one."""

import json

from resume import Checkpoint


def work():
    chp = Checkpoint(rate=0, fsync=False)
    n = m = 0
    chp.restore()
    while n < 3:
        n += 1
        chp.sync()
    while m < 3:
        m += 1
        n -= 1
        chp.sync()
    return n, m


print(json.dumps(work()))
