"""The states that are saved: how each is made, how a step changes it, and how two are compared.

Every state is a plain value (`State.value`) that no contender has to know anything about. Its sizes
follow one number, so that a slow contender can be given a smaller one of the same kind.

`rewrite` stores every page again *without changing a byte*: what a program does to its memory right
after a save, which is when a fork copies the pages and a background writer competes for memory.
"""

from __future__ import annotations

import pickle
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import xxhash

GIB = 1 << 30
ROW_BYTES = 4096
MODEL_SHARE = 2  # the model with its optimizer is half as large as the arrays of the other states
LAYERS = 40


@dataclass
class Sample:
    """One of the many small objects."""

    name: str
    weight: float
    count: int


class State:
    """A value to save, and what the program does to it between two saves."""

    needs = "numpy"
    is_sized = True

    def __init__(self, size_bytes: int, seed: int = 0) -> None:
        self.size_bytes = size_bytes
        self.rng = np.random.default_rng(seed)
        self.value: dict[str, Any] = {}
        self.make()

    def make(self) -> None:
        """Fill `value`."""
        raise NotImplementedError

    def change(self) -> None:
        """Do one step."""
        raise NotImplementedError

    def rewrite(self) -> None:
        """Store into every page of the value, and change nothing."""
        for array in self.value.values():
            np.multiply(array, 1, out=array)


class Small(State):
    """20 scalars, a list of 1,000 floats, two random generators."""

    is_sized = False

    def make(self) -> None:
        self.value = {f"scalar_{k}": float(k) if k % 2 else k for k in range(20)}
        self.value["history"] = self.rng.random(1000).tolist()
        self.value["dice"] = random.Random(1)
        self.value["generator"] = np.random.default_rng(1)

    def change(self) -> None:
        self.value["scalar_0"] += 1
        self.value["history"][self.value["scalar_0"] % 1000] = self.rng.random()
        self.value["dice"].random()
        self.value["generator"].random()

    def rewrite(self) -> None:
        for name in self.value:
            self.value[name] = self.value[name]  # noqa: PLW0127 - the store is the point


class Slices(State):
    """16 arrays of random float64; one contiguous hundredth of all bytes changes."""

    def make(self) -> None:
        length = max(self.size_bytes // 8 // 16, 128)
        for k in range(16):
            array = np.empty(length)
            self.rng.random(out=array)
            self.value[f"part_{k:02d}"] = array

    def change(self) -> None:
        array = self.value[f"part_{self.rng.integers(16):02d}"]
        length = max(len(array) * 16 // 100, 1)
        begin = int(self.rng.integers(len(array) - length + 1))
        self.rng.random(out=array[begin : begin + length])


class Rows(State):
    """One table of 4 KiB rows; a hundredth of the rows, scattered over all of it, changes."""

    def make(self) -> None:
        table = np.empty((max(self.size_bytes // ROW_BYTES, 100), ROW_BYTES // 8))
        self.rng.random(out=table)
        self.value["table"] = table

    def change(self) -> None:
        table = self.value["table"]
        for row in self.rng.choice(len(table), max(len(table) // 100, 1), replace=False):
            self.rng.random(out=table[row])


class ObjectsPlain(State):
    """A million entries of a dict and 100,000 instances (at 1 GiB; fewer at less)."""

    def make(self) -> None:
        self.entries = max(1_000_000 * self.size_bytes // GIB, 1000)
        dice = random.Random(0)
        self.value["table"] = {f"key-{k}": dice.random() for k in range(self.entries)}
        self.value["samples"] = [
            Sample(f"s{k}", dice.random(), k) for k in range(self.entries // 10)
        ]

    def change(self) -> None:
        table, samples = self.value["table"], self.value["samples"]
        for k in self.rng.integers(self.entries, size=self.entries // 100).tolist():
            table[f"key-{k}"] += 1.0
            samples[k // 10].count += 1

    def rewrite(self) -> None:
        table = self.value["table"]
        for name, weight in table.items():
            table[name] = weight  # noqa: PLE4703 - no key is added
        for sample in self.value["samples"]:
            sample.count += 0


class ObjectsSets(ObjectsPlain):
    """The same with a set of ten numbers for every hundredth entry."""

    def make(self) -> None:
        super().make()
        self.value["groups"] = [
            set(self.rng.integers(1 << 40, size=10).tolist()) for _ in range(self.entries // 100)
        ]


class ModelStep(State):
    """A torch model with AdamW, 512 MiB (at 1 GiB); a step changes all of it."""

    needs = "torch"
    freezes = False

    def make(self) -> None:
        import torch

        torch.manual_seed(int(self.rng.integers(1 << 30)))
        weights = self.size_bytes // MODEL_SHARE // 12  # float32: the weight and two moments
        width = max(int((weights / LAYERS) ** 0.5) // 64 * 64, 64)  # 1024 at 1 GiB
        layers = max(weights // (width * width), 2)
        self.model = torch.nn.Sequential(*(torch.nn.Linear(width, width) for _ in range(layers)))
        self.optimizer = torch.optim.AdamW(self.model.parameters(), lr=1e-3)
        self.batch = torch.randn(4, width)
        self.step()  # the moments exist from the first step on
        if self.freezes:
            for layer in list(self.model)[:-1]:
                layer.requires_grad_(False)  # noqa: FBT003 - torch's own
        # these dicts hold the live tensors: a step changes them in place
        self.value = {"model": self.model.state_dict(), "optimizer": self.optimizer.state_dict()}

    def step(self) -> None:
        self.model(self.batch).square().mean().backward()
        self.optimizer.step()
        self.optimizer.zero_grad()

    def change(self) -> None:
        self.step()

    def rewrite(self) -> None:
        for tensor in self.value["model"].values():
            tensor.mul_(1)
        for moments in self.value["optimizer"]["state"].values():
            for tensor in moments.values():
                tensor.mul_(1)


class ModelLayer(ModelStep):
    """The same with all layers but the last one frozen: fine-tuning."""

    freezes = True


class Smooth(State):
    """Data that compresses: sums of whole steps, a field of sines, a sensor with a coarse scale."""

    def make(self) -> None:
        length = max(self.size_bytes // 8 // 3, 128)
        self.value["counts"] = np.cumsum(self.rng.integers(0, 3, length))
        field = np.linspace(0.0, 50.0, length)
        self.value["field"] = np.sin(field, out=field)
        sensor = np.linspace(0.0, 2000.0, length)
        sensor += self.rng.integers(0, 3, length)
        self.value["sensor"] = np.round(sensor, out=sensor)

    def change(self) -> None:
        for array in self.value.values():
            array += 1


STATES: dict[str, type[State]] = {
    "small": Small,
    "slices": Slices,
    "rows": Rows,
    "objects-plain": ObjectsPlain,
    "objects-sets": ObjectsSets,
    "model-step": ModelStep,
    "model-layer": ModelLayer,
    "smooth": Smooth,
}


class _Canonical(pickle.Pickler):
    """Pickles equal values to equal bytes: no memo, sets in order, bulk as its digest."""

    def __init__(self, write: Callable[[Any], None]) -> None:
        super().__init__(_Sink(write), protocol=5)
        self.fast = True

    def persistent_id(self, thing: Any) -> Any:
        kind = type(thing)
        if kind is set:
            return ("set", sorted(thing))
        if kind is np.ndarray:
            bulk = np.ascontiguousarray(thing).reshape(-1).view(np.uint8)
            return ("array", str(thing.dtype), thing.shape, xxhash.xxh3_128_hexdigest(bulk))
        if kind.__module__.partition(".")[0] == "torch" and hasattr(thing, "detach"):
            array = thing.detach().numpy()
            return ("tensor", kind.__name__, self.persistent_id(np.asarray(array)))
        return None


@dataclass
class _Sink:
    write: Callable[[Any], None]


def digest(value: Any) -> str:
    """One text for all equal values, across processes: types, order of dicts, every byte."""
    hashed = xxhash.xxh3_128()
    _Canonical(hashed.update).dump(value)
    return hashed.hexdigest()
