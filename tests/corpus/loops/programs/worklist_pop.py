# expect: equal-or-refused
"""A worklist popped above an inner loop: popped again on the way back, undone at the door.

The last job leaves the list empty, so popping again would raise: the pop is guarded.
"""

import json

from ticks import tick

from resume import Checkpoint


def work():
    chp = Checkpoint(rate=0, fsync=False)
    jobs = [3, 1, 2, 2]
    done = []
    chp.restore()
    for _ in chp.loop(range(4)):
        job = jobs.pop() if jobs else 1
        part = 0
        for piece in chp.loop(range(job)):
            tick()
            part += piece + 1
        done.append((job, part))
    return done, jobs


print(json.dumps(work()))
