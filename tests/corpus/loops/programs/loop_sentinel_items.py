# expect: equal
"""Items that repeat: the last item alone does not tell the place."""

import json

from ticks import tick

from resume import Checkpoint


def beats():
    for i in range(6):
        yield "tick" if i % 4 else "tock"


def work():
    chp = Checkpoint(rate=0, fsync=False)
    out = []
    chp.restore()
    for beat in chp.loop(beats()):
        tick()
        out.append(beat)
    return out


print(json.dumps(work()))
