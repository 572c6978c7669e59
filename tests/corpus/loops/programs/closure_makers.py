# expect: equal
"""Functions made in the loop keep their own cells; the list of them is state."""

import json

from ticks import tick

from resume import Checkpoint


def work():
    chp = Checkpoint(rate=0, fsync=False)
    counters = []
    chp.restore()
    for i in chp.loop(range(4)):
        tick()

        def counter(step=i, held=[i]):
            held.append(step)
            return sum(held)

        counters.append(counter)
        for c in counters:
            c()
    return [c() for c in counters], counter is counters[-1]


print(json.dumps(work()))
