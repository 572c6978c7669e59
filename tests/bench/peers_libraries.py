"""The peers that are libraries of their own; each is imported where it is used."""

from __future__ import annotations

import pickle
import types
from pathlib import Path
from typing import Any

import numpy as np
from peers_contenders import CannotHoldError, Contender
from peers_states import State


class Dill(Contender):
    """`dill.dump`."""

    name = "dill"
    needs = ("dill",)

    def write(self, value: Any, path: Path) -> None:
        import dill

        with open(path, "wb") as out:
            dill.dump(value, out, protocol=5)

    def read(self, path: Path, template: Any) -> Any:
        import dill

        with open(path, "rb") as source:
            return dill.load(source)


class DillModule(Contender):
    """`dill.dump_module`: the names of a whole module."""

    name = "dill.dump_module"
    needs = ("dill",)

    def write(self, value: Any, path: Path) -> None:
        import dill

        module = types.ModuleType("state_of_the_program")
        module.state = value  # type: ignore[attr-defined]
        dill.settings["protocol"], before = 5, dill.settings["protocol"]
        try:
            dill.dump_module(path, module=module)
        finally:
            dill.settings["protocol"] = before

    def read(self, path: Path, template: Any) -> Any:
        import dill

        return dill.load_module(path).state


class Cloudpickle(Contender):
    """`cloudpickle.dump`."""

    name = "cloudpickle"
    needs = ("cloudpickle",)

    def write(self, value: Any, path: Path) -> None:
        import cloudpickle

        with open(path, "wb") as out:
            cloudpickle.dump(value, out, protocol=5)

    def read(self, path: Path, template: Any) -> Any:
        with open(path, "rb") as source:
            return pickle.load(source)


class Joblib(Contender):
    """`joblib.dump`, not compressed."""

    name = "joblib"
    needs: tuple[str, ...] = ("joblib",)
    compress: Any = 0

    def write(self, value: Any, path: Path) -> None:
        import joblib

        joblib.dump(value, path, compress=self.compress, protocol=5)

    def read(self, path: Path, template: Any) -> Any:
        import joblib

        return joblib.load(path)


class JoblibLz4(Joblib):
    """`joblib.dump`, lz4."""

    name = "joblib, lz4"
    needs = ("joblib", "lz4")
    compress = ("lz4", 3)
    shrink = 8


class JoblibZlib(Joblib):
    """`joblib.dump`, zlib."""

    name = "joblib, zlib"
    compress = ("zlib", 3)
    shrink = 16


class TorchSave(Contender):
    """`torch.save`."""

    name = "torch.save"
    needs = ("torch",)

    def write(self, value: Any, path: Path) -> None:
        import torch

        torch.save(value, path, pickle_protocol=5)

    def read(self, path: Path, template: Any) -> Any:
        import torch

        return torch.load(path, weights_only=False)


class NumpySavez(Contender):
    """`numpy.savez`: arrays and nothing else."""

    name = "numpy.savez"

    def write(self, value: Any, path: Path) -> None:
        if not all(isinstance(array, np.ndarray) for array in value.values()):
            raise CannotHoldError("holds arrays only")
        with open(path, "wb") as out:
            np.savez(out, **value)

    def read(self, path: Path, template: Any) -> Any:
        with np.load(path) as archive:
            return {name: archive[name] for name in archive}


class Diskcache(Contender):
    """`diskcache.Cache`, one key; the call that replaces the value removes the old one, too."""

    name = "diskcache"
    needs = ("diskcache",)

    def __init__(self) -> None:
        super().__init__()
        self.cache: Any = None

    def save(self) -> None:
        import diskcache

        if self.cache is None:
            self.cache = diskcache.Cache(str(self.folder), eviction_policy="none")
        self.cache.set("state", self.value)

    def close(self) -> None:
        if self.cache is not None:
            self.cache.close()
        self.cache = None

    def restore(self, folder: Path, template: Any) -> Any:
        import diskcache

        with diskcache.Cache(str(folder), eviction_policy="none") as cache:
            return cache["state"]


class TorchDcp(Contender):
    """`torch.distributed.checkpoint.save` in one process."""

    name = "torch DCP"
    needs = ("torch", "torch.distributed.checkpoint")
    needs_template = True
    shrink = 8

    def shrink_for(self, kind: type[State]) -> int:
        # it pickles what is no tensor by protocol 2, at a fiftieth of the speed
        return 1 if kind.needs == "torch" else super().shrink_for(kind)

    def write(self, value: Any, path: Path) -> None:
        import torch.distributed.checkpoint as dcp

        dcp.save(value, checkpoint_id=path, no_dist=True)

    def read(self, path: Path, template: Any) -> Any:
        import torch.distributed.checkpoint as dcp

        dcp.load(template, checkpoint_id=path, no_dist=True)
        return template


class TorchDcpAsync(TorchDcp):
    """`torch.distributed.checkpoint.async_save`: copies the state, a thread writes the copy."""

    name = "torch DCP, async"
    goes_on = True

    def __init__(self) -> None:
        super().__init__()
        self.future: Any = None

    def write(self, value: Any, path: Path) -> None:
        import torch.distributed.checkpoint as dcp

        self.future = dcp.async_save(value, checkpoint_id=path, no_dist=True)

    def is_writing(self) -> bool:
        return not self.future.done()

    def settle(self) -> None:
        self.future.result()


LIBRARIES: tuple[type[Contender], ...] = (
    Cloudpickle,
    Dill,
    DillModule,
    Joblib,
    JoblibLz4,
    JoblibZlib,
    TorchSave,
    TorchDcp,
    TorchDcpAsync,
    NumpySavez,
    Diskcache,
)
