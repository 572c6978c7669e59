"""Eigenvectors by power iteration with deflation, and a random walk, on numpy generators."""

# needs: numpy

import numpy as np

SCALE = 2160


def largest(matrix, rng, steps=30):
    vector = rng.normal(size=len(matrix))
    value = 0.0
    for step in range(steps):
        vector = matrix @ vector
        norm = np.sqrt((vector**2).sum())
        vector /= norm
        if abs(norm - value) < 1e-9:
            break
        value = norm
    return value, vector, step


def eigen(matrix, count, rng):
    matrix = matrix.copy()
    for k in range(count):
        value, vector, steps = largest(matrix, rng)
        yield k, value, steps
        matrix -= value * np.outer(vector, vector)


class Walk:
    def __init__(self, rng):
        self.rng, self.place = rng, np.zeros(2, int)
        self.seen = {(0, 0)}

    def step(self):
        moves = np.array([(1, 0), (0, 1), (-1, 0), (0, -1)])
        self.place += moves[self.rng.integers(4)]
        self.seen.add(tuple(int(x) for x in self.place))
        return len(self.seen)


rng = np.random.default_rng(8)
legacy = np.random.RandomState(4)
walk = Walk(np.random.Generator(np.random.PCG64(3)))
for run in range(SCALE):
    data = rng.normal(size=(20, 5)) * [5, 3, 1, 0.5, 0.1]
    for k, value, steps in eigen(data.T @ data, 3, rng):
        print(run, k, f"{value:.4f}", steps < 30)
    print([walk.step() for _ in range(5)], legacy.randint(100), walk.place.tolist())
