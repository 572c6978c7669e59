"""Whether two graphs of objects are the same: equal objects, and the same ones shared."""

from __future__ import annotations

import collections
import enum
import math
import random
import types

import numpy as np

ATOMS = (type(None), bool, int, complex, str, bytes, type, enum.Enum)


class Differs(AssertionError):
    """Two graphs are not the same; the text says where."""


def assert_same_graph(one, other, *, ordered_sets=True):
    """Walk both in step; each object of one has exactly one partner in the other."""
    Walk(ordered_sets).run(one, other)


class Walk:
    def __init__(self, ordered_sets):
        self.ordered_sets = ordered_sets
        self.partner = {}
        self.back = {}
        self.alive = []
        self.arrays = []

    def run(self, one, other):
        waiting = [(one, other, "graph")]
        while waiting:
            a, b, path = waiting.pop()
            if type(a) is not type(b):
                raise Differs(f"{path}: {type(a)} and {type(b)}")
            if isinstance(a, float | np.floating):
                if not (a == b or (math.isnan(a) and math.isnan(b))):
                    raise Differs(f"{path}: {a} and {b}")
            elif isinstance(a, ATOMS) or isinstance(a, np.generic):
                if a != b:
                    raise Differs(f"{path}: {a!r} and {b!r}")
            elif not self.met(a, b, path):
                waiting += [(x, y, f"{path}{label}") for x, y, label in self.inside(a, b, path)]
        self.compare_sharing()

    def met(self, a, b, path):
        if type(a) in (tuple, frozenset) and not a and not b:  # there is only one
            return True
        if (id(a) in self.partner) != (id(b) in self.back):
            raise Differs(f"{path}: shared on one side only")
        if id(a) in self.partner:
            if self.partner[id(a)] != id(b):
                raise Differs(f"{path}: shared with another object")
            return True
        self.partner[id(a)], self.back[id(b)] = id(b), id(a)
        self.alive += [a, b]
        return False

    def inside(self, a, b, path):
        if isinstance(a, list | tuple | collections.deque):
            yield from self.pairs(a, b, path)
        if isinstance(a, dict):
            yield from self.pairs(list(a), list(b), path)
            yield from ((a[k], b[m], f"[{k!r}]") for k, m in zip(a, b))
        elif isinstance(a, set | frozenset):
            if self.ordered_sets:
                yield from self.pairs(list(a), list(b), path)
            elif a != b:
                raise Differs(f"{path}: {a} and {b}")
        elif isinstance(a, bytearray):
            self.equal(bytes(a), bytes(b), path)
        elif isinstance(a, memoryview):
            for what in ("format", "shape", "strides", "readonly"):
                self.equal(getattr(a, what), getattr(b, what), f"{path}.{what}")
            self.equal(a.tobytes(), b.tobytes(), path)
            yield a.obj, b.obj, ".obj"
        elif isinstance(a, np.ndarray):
            yield from self.array(a, b, path)
        elif isinstance(a, np.random.Generator):
            yield a.bit_generator, b.bit_generator, ".bit_generator"
        elif isinstance(a, np.random.BitGenerator):
            yield a.state, b.state, ".state"
        elif isinstance(a, random.Random):
            self.equal(a.getstate(), b.getstate(), path)
        elif isinstance(a, types.FunctionType):
            self.equal(a.__code__, b.__code__, path)
            for what in ("__defaults__", "__kwdefaults__", "__dict__"):
                yield getattr(a, what), getattr(b, what), f".{what}"
            yield from self.pairs(a.__closure__ or (), b.__closure__ or (), path)
        elif isinstance(a, types.CellType):
            yield a.cell_contents, b.cell_contents, ".cell"
        elif type(a).__module__.startswith("pandas"):
            assert a.equals(b), path
            self.equal(list(a.columns), list(b.columns), path)
            return  # what else it holds is its own affair
        elif isinstance(a, types.BuiltinFunctionType):
            self.equal(a.__name__, b.__name__, path)
            if not isinstance(a.__self__, types.ModuleType):
                yield a.__self__, b.__self__, ".__self__"
        elif isinstance(a, types.MethodType):
            yield a.__self__, b.__self__, ".__self__"
        for name in ("__dict__", *getattr(type(a), "__slots__", ())):
            if (
                name == "__dict__"
                and hasattr(a, "__dict__")
                and not isinstance(a, types.FunctionType)
            ):
                x, y = vars(a), vars(b)
                self.equal(set(x), set(y), f"{path}.__dict__")
                yield from ((x[k], y[k], f".{k}") for k in x if not k.startswith("_"))
            elif name != "__dict__" and hasattr(a, name):
                yield getattr(a, name), getattr(b, name), f".{name}"

    def pairs(self, a, b, path):
        self.equal(len(a), len(b), f"len({path})")
        for index, (x, y) in enumerate(zip(a, b)):
            yield x, y, f"[{index}]"

    def array(self, a, b, path):
        for what in ("dtype", "shape"):
            self.equal(getattr(a, what), getattr(b, what), f"{path}.{what}")
        if a.size:
            self.equal(a.strides, b.strides, f"{path}.strides")
        self.equal(a.flags.writeable, b.flags.writeable, f"{path}.writeable")
        self.arrays.append((a, b, path))
        if a.dtype.hasobject:
            yield from self.pairs(a.ravel().tolist(), b.ravel().tolist(), path)
        else:
            self.equal(a.tobytes(), b.tobytes(), path)

    def compare_sharing(self):
        for index, (a, b, path) in enumerate(self.arrays):
            for c, d, beside in self.arrays[:index]:
                if np.may_share_memory(a, c) != np.may_share_memory(b, d):
                    raise Differs(f"{path} and {beside}: one memory on one side only")

    def equal(self, a, b, path):
        if a != b:
            raise Differs(f"{path}: {a!r} and {b!r}")
