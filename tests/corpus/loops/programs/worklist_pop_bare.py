# expect: equal-or-refused
"""The same without a guard: on the way back the pop meets an empty list."""

import json

from ticks import tick

from resume import Checkpoint


def work():
    with Checkpoint("jobs", rate=0, fsync=False) as chp:
        jobs = [3, 1, 2, 2]
        done = []
        for _ in chp.loop(range(4)):
            job = jobs.pop()
            part = 0
            for piece in chp.loop(range(job)):
                tick()
                part += piece + 1
            done.append((job, part))
    return done, jobs


print(json.dumps(work()))
