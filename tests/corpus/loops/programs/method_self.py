# expect: equal
"""A method's `self` is an argument: the caller's object holds the result."""

import json
import random

from ticks import tick

from resume import Checkpoint


class Trainer:
    def __init__(self):
        random.seed(6)
        self.weights = [0.0] * 3
        self.log = {}

    def fit(self, epochs):
        chp = Checkpoint(rate=0, fsync=False)
        chp.restore()
        for epoch in chp.loop(range(epochs)):
            best = 0.0
            for i in chp.loop(range(len(self.weights))):
                tick()
                self.weights[i] += random.gauss(0, 1)
                best = max(best, self.weights[i])
            self.log[epoch] = best
        return best


trainer = Trainer()
weights = trainer.weights
last = trainer.fit(3)
print(json.dumps([last, trainer.weights, trainer.log, weights is trainer.weights]))
