# expect: equal
"""Star arguments and keyword arguments are names like others."""

import json

from ticks import tick

from resume import Checkpoint


def gather(*numbers, scale=1, **named):
    chp = Checkpoint(rate=0, fsync=False)
    sums = []
    chp.restore()
    for number in chp.loop(numbers):
        sums.append(number * scale + sum(named.values()))
        named["more"] = named.get("more", 0) + number
        tick()
    return sums, named


print(json.dumps(gather(3, 1, 4, 1, 5, scale=2, a=9, b=2)))
