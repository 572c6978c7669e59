# Run: python examples/trainer_class.py [1000]. Kill: pkill -9 -f trainer_class. Run it again.
"""A class that saves itself with `of=self`: an Ising model cooled down by Metropolis steps."""

import sys

import numpy as np

from resume import Checkpoint


class Ising:
    def __init__(self, size, sweeps):
        self.rng = np.random.default_rng(1)
        self.spins = self.rng.choice([-1, 1], size=(size, size))
        self.sweeps = sweeps
        self.done = 0
        self.energies = []
        self.chp = Checkpoint("ising", of=self)

    def run(self):
        self.chp.restore()
        while self.done < self.sweeps:
            self.sweep(temperature=4 - 3.5 * self.done / self.sweeps)
            self.done += 1
            self.chp.sync()

    def sweep(self, temperature):
        for colour in (0, 1):
            near = sum(np.roll(self.spins, by, axis) for by in (-1, 1) for axis in (0, 1))
            odds = np.exp(-2 * self.spins * near / temperature)
            flip = self.rng.random(self.spins.shape) < odds
            flip &= np.indices(flip.shape).sum(axis=0) % 2 == colour
            self.spins[flip] *= -1
        self.energies.append(float(-(self.spins * near).mean() / 2))


ising = Ising(size=256, sweeps=int(sys.argv[1]) if sys.argv[1:] else 1000)
ising.run()
print(f"energy {ising.energies[-1]!r}, sum {sum(ising.energies)!r}, {ising.spins.sum()} up")
