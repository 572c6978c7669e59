# expect: equal
"""`of=self` saves the object: its `while` reads nothing but the object's own attributes."""

import json

import numpy as np
from ticks import tick

from resume import Checkpoint


class Walk:
    def __init__(self, steps):
        self.steps = steps
        self.done = 0
        self.rng = np.random.default_rng(7)
        self.place = np.zeros(2)
        self.trail = []
        self.chp = Checkpoint("walk", of=self, rate=0, fsync=False)

    def go(self):
        self.chp.restore()
        while self.done < self.steps:
            tick()
            self.place += self.rng.normal(size=2)
            self.trail.append(float(self.place[0]))
            self.done += 1
            self.chp.sync()
        return self.place


walk = Walk(6)
place = walk.place
print(json.dumps([walk.go().tolist(), walk.trail, place.tolist(), place is walk.place]))
