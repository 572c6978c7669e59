# expect: equal
"""`of=` an object made in the function: the frame's own counters are not part of it."""

import json
import types

from ticks import tick

from resume import Checkpoint


def work():
    state = types.SimpleNamespace(i=0, seen=[])
    chp = Checkpoint("state", of=state, rate=0, fsync=False)
    chp.restore()
    while state.i < 6:
        state.seen.append(state.i * 3)
        state.i += 1
        tick()
        chp.save()
    return state.seen


print(json.dumps(work()))
