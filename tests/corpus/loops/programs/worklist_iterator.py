# expect: equal
"""The worklist as the loop's own iterable: appended to while it is walked."""

import json

from ticks import tick

from resume import Checkpoint


def work():
    chp = Checkpoint(rate=0, fsync=False)
    jobs = [4]
    order = []
    chp.restore()
    for job in chp.loop(jobs):
        order.append(job)
        for smaller in chp.loop(range(job)):
            tick()
            if smaller and len(jobs) < 8:
                jobs.append(smaller)
    return order, jobs


print(json.dumps(work()))
