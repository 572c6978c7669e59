# expect: equal
"""`random.Random` in a name, numpy's RandomState, bound methods of global generators."""

import json
import random

import numpy as np
from ticks import tick

from resume import Checkpoint


def work():
    random.seed(21)
    np.random.seed(22)
    own = random.Random(23)
    old = np.random.RandomState(24)
    draw = random.random
    normal = np.random.normal
    chp = Checkpoint(rate=0, fsync=False)
    out = []
    chp.restore()
    for i in chp.loop(range(5)):
        tick()
        out.append([own.random(), old.rand(), draw(), normal(), random.random()])
        own.shuffle(out)
    return out, random.random(), own.random()


print(json.dumps(work()))
