# Run: python examples/digits_sgd.py [800]. Kill: pkill -9 -f digits_sgd. Run it again.
"""Softmax regression on scikit-learn's digits by SGD: two loops, shuffled anew in each epoch."""

import sys

import numpy as np
from sklearn.datasets import load_digits

from resume import Checkpoint


def batches(rng, n, size=64):
    order = rng.permutation(n)
    for start in range(0, n, size):
        yield order[start : start + size]


def train(epochs):
    pixels, digits = load_digits(return_X_y=True)
    pixels = pixels / 16
    wanted = np.eye(10)[digits]
    rng = np.random.default_rng(0)
    weights = rng.normal(scale=0.01, size=(64, 10))
    losses = []
    with Checkpoint("digits", exclude=["pixels", "digits", "wanted"]) as chp:
        for _ in chp.loop(range(epochs)):
            loss = 0.0
            for rows in chp.loop(lambda: batches(rng, len(pixels))):
                scores = np.exp(pixels[rows] @ weights)
                scores /= scores.sum(axis=1, keepdims=True)
                loss -= np.log(scores[wanted[rows] == 1]).sum()
                weights -= 0.02 * pixels[rows].T @ (scores - wanted[rows]) / len(rows)
            losses.append(loss / len(pixels))
    right = np.mean((pixels @ weights).argmax(axis=1) == digits)
    return losses[-1].item(), right, weights


loss, right, weights = train(int(sys.argv[1]) if sys.argv[1:] else 800)
print(f"loss {loss!r}, {right:.2%} right, weights {weights.std().item()!r}")
