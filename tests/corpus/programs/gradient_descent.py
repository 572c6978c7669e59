"""A linear model trained by gradient descent on the batches of a generator."""

# needs: numpy

import numpy as np

SCALE = 1440


class Linear:
    def __init__(self, width, rng):
        self.w, self.b = rng.normal(size=width), 0.0

    def forward(self, x):
        return x @ self.w + self.b

    def step(self, x, y, rate):
        error = self.forward(x) - y
        self.w -= rate * x.T @ error / len(y)
        self.b -= rate * error.mean()
        return float((error**2).mean())


def batches(x, y, size, rng):
    order = rng.permutation(len(x))
    for i in range(0, len(x), size):
        yield x[order[i : i + size]], y[order[i : i + size]]


def train(epochs):
    rng = np.random.default_rng(1)
    x = rng.normal(size=(60, 4))
    y = x @ [1, -2, 3, 0.5] + 1
    model = Linear(4, rng)
    losses = []
    for epoch in range(epochs):
        total = 0.0
        for some_x, some_y in batches(x, y, 10, rng):
            total += model.step(some_x, some_y, 0.1)
        losses.append(total)
        print(epoch, f"{total:.9e}")
    return model, losses


if __name__ == "__main__":
    model, losses = train(6 * SCALE)
    print(model.w.round(9), round(model.b, 9), len(losses))
