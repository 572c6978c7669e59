# expect: equal-or-refused
"""The way back passes by the loop it wants: the function ends before it found its place."""

import json

from ticks import tick

from resume import Checkpoint


def work():
    with Checkpoint("once", rate=0, fsync=False) as chp:
        todo = [4]
        out = []
        if todo:
            for b in chp.loop(range(todo.pop() if todo else 0)):
                tick()
                out.append(b)
        out.append("end")
    return out


print(json.dumps(work()))
