"""Numbers of four random generators at once: of the module, of numpy, and two objects."""

# needs: numpy

import random

import numpy as np

SCALE = 3789


def estimate_pi(n):
    hits = 0
    for _ in range(n):
        x, y = random.random(), random.random()
        hits += x * x + y * y < 1
    return 4 * hits / n


def products(n, rng):
    total = 0.0
    for _ in range(n):
        total += rng.normal() * np.random.rand()
    return total


random.seed(1)
np.random.seed(2)
rng = np.random.default_rng(5)
mine = random.Random(9)
for k in range(5 * SCALE):
    print(estimate_pi(20), products(20, rng), mine.random(), random.gauss(0, 1))
