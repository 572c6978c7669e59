# expect: equal
"""A model comes in as an argument; the caller prints its own object, its parts and its alias."""

import json

import numpy as np
from ticks import tick

from resume import Checkpoint


class Layer:
    def __init__(self, n):
        self.weights = np.arange(float(n))
        self.history = []


class Model:
    def __init__(self):
        self.layers = [Layer(3), Layer(2)]
        self.first = self.layers[0]
        self.steps = 0


def fit(model, steps):
    chp = Checkpoint(rate=0, fsync=False)
    chp.restore()
    for step in chp.loop(range(steps)):
        for layer in model.layers:
            layer.weights += 0.5 * step
            layer.history.append(step)
        tick()
        model.steps += 1
    model.layers.append(Layer(1))


model = Model()
first = model.layers[0]
weights = first.weights
fit(model, 5)
print(
    json.dumps(
        [
            model.steps,
            [layer.weights.tolist() for layer in model.layers],
            [layer.history for layer in model.layers],
            model.first is first is model.layers[0],
            weights.tolist(),
        ]
    )
)
