"""A recurrent cell in numpy, an object that is called, with the state handed round."""

# needs: numpy

import numpy as np

SCALE = 1440
np.random.seed(0)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


class Cell:
    def __init__(self, n, h):
        self.weights = np.random.randn(4 * h, n + h) * 0.1
        self.h = h

    def __call__(self, x, state):
        h, c = state
        z = self.weights @ np.concatenate([x, h])
        i, f, o, g = [
            gate(z[k * self.h : (k + 1) * self.h])
            for k, gate in enumerate([sigmoid] * 3 + [np.tanh])
        ]
        for _ in range(2):
            c = f * c + i * g
        return o * np.tanh(c), c


cell = Cell(3, 4)
state = np.zeros(4), np.zeros(4)
for t in range(12 * SCALE):
    x = np.random.randn(3)
    state = cell(x, state)
    print(t, state[0].sum().round(10))
