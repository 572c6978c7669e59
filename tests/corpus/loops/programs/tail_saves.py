# expect: equal
"""Saves in straight-line code, before, between and behind loops: each is its own door."""

import json
import random

from ticks import tick

from resume import Checkpoint


def work():
    random.seed(13)
    chp = Checkpoint(rate=0, fsync=False)
    out = []
    chp.restore()
    out.append(random.random())
    chp.save()
    tick()
    out.append(random.random())
    chp.sync()
    tick()
    for i in chp.loop(range(3)):
        tick()
        out.append(i * random.random())
    out.append("behind")
    chp.save()
    tick()
    out.append(random.random())
    for i in chp.loop(range(2)):
        tick()
        out.append(i)
    chp.save(answer=42)
    tick()
    return out, chp["answer"], random.random()


print(json.dumps(work()))
