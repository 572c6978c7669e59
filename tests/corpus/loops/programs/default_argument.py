# expect: equal
"""A mutable default argument is an object that the function itself holds."""

import json

from ticks import tick

from resume import Checkpoint


def work(n, memory=[]):
    chp = Checkpoint(rate=0, fsync=False)
    chp.restore()
    for i in chp.loop(range(n)):
        tick()
        memory.append(i * 3)
    return memory


print(json.dumps([work(5), work.__defaults__[0]]))
