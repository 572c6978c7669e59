"""Train a small language model on Python's own sources. Kill it when you like, then run it again.

Run it:  python demo_program.py 1000
"""

from __future__ import annotations

import hashlib
import json
import random
import sys
import sysconfig
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from resume import Checkpoint

Net = dict[str, NDArray[np.float64]]
CONTEXT = 8  # characters that the model sees when it guesses the next one


def library_text() -> NDArray[np.uint8]:
    """The first million characters of the standard library, the same on every run."""
    files = sorted(Path(sysconfig.get_path("stdlib")).glob("*.py"))
    text = np.frombuffer(b"".join(f.read_bytes() for f in files), np.uint8)
    return text[text < 128][:1_000_000]


def new_net() -> Net:
    """Random weights, drawn from numpy's global generator."""
    shapes = {"letters": (128, 12), "inner": (CONTEXT * 12, 128), "outer": (128, 128)}
    return {name: np.random.normal(0, 0.2, shape) for name, shape in shapes.items()}  # noqa: NPY002


def improve(net: Net, seen: NDArray[np.uint8], wanted: NDArray[np.uint8], rate: float) -> float:
    """One step of gradient descent on *net*, in place; returns the loss before it."""
    rows = np.arange(len(wanted))
    x = net["letters"][seen].reshape(len(seen), -1)
    h = np.tanh(x @ net["inner"])
    p = np.exp(h @ net["outer"])
    p /= p.sum(axis=1, keepdims=True)
    loss = -np.log(p[rows, wanted]).mean()
    p[rows, wanted] -= 1
    dh = (p @ net["outer"].T) * (1 - h * h)
    dx = (dh @ net["inner"].T).reshape(*seen.shape, -1)
    scale = rate / len(wanted)
    net["outer"] -= scale * (h.T @ p)
    net["inner"] -= scale * (x.T @ dh)
    np.subtract.at(net["letters"], seen, scale * dx)
    return float(loss)


def train(steps: int) -> tuple[Net, float]:
    """The job: a loop over random batches, with random numbers of two libraries."""
    text = library_text()
    random.seed(1)
    np.random.seed(1)  # noqa: NPY002
    net, loss = new_net(), 0.0
    chp = Checkpoint(rate=0.25, exclude=["text"])
    chp.restore()
    for step in chp.loop(range(steps)):
        at = np.random.randint(CONTEXT, len(text), 384)  # noqa: NPY002
        seen = text[at[:, None] - np.arange(CONTEXT, 0, -1)]
        loss = improve(net, seen, text[at], rate=random.uniform(0.2, 0.8))  # noqa: S311
        print("step", step + 1, f"loss {loss:.4f}", flush=True)  # noqa: T201
    return net, loss


def digest(*parts: bytes) -> str:
    """Hex sha256 of all *parts* together."""
    return hashlib.sha256(b"".join(parts)).hexdigest()


if __name__ == "__main__":
    net, loss = train(int(sys.argv[1]))
    weights = digest(*(net[name].tobytes() for name in sorted(net)))
    luck = digest(repr(random.getstate()).encode(), np.random.bytes(16))  # noqa: NPY002
    print("result", json.dumps({"loss": loss, "weights": weights, "random": luck}))  # noqa: T201
