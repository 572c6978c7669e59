# expect: equal
"""A `with` block inside a method, its loop, and the return of the method inside the block."""

import json

from ticks import tick

from resume import Checkpoint


class Count:
    def __init__(self):
        self.total = 0

    def run(self, n):
        with Checkpoint("count", rate=0, fsync=False) as chp:
            for i in chp.loop(range(n)):
                tick()
                self.total += i
            return self.total * 10


count = Count()
print(json.dumps([count.run(6), count.total]))
