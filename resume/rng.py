"""The table of random generators: the global ones of the libraries that the program has imported.

Generators that the program itself made are ordinary objects of the graph; these here are state of
the process. Nothing is imported to save; what a saved state names is imported to apply it.
"""

from __future__ import annotations

import importlib
import random
import sys
from typing import Any


def capture() -> dict[str, Any]:
    """State of every global generator, as plain data; `apply` takes it."""
    state: dict[str, Any] = {"random": random.getstate()}
    for name, (take, _put) in _LIBRARIES.items():
        library = sys.modules.get(name)
        if library is not None and not _is_being_imported(library):
            state[name] = take(library)
    return state


def _is_being_imported(library: Any) -> bool:
    """Whether another thread is amid the import: the program cannot have drawn from it."""
    return bool(getattr(getattr(library, "__spec__", None), "_initializing", False))


def apply(state: dict[str, Any]) -> None:
    """Put every generator that *state* names where it was; others stay as they are.

    Raises:
        ImportError: A library whose generator *state* holds is not installed; the others are set.
    """
    missing = []
    for name, held in state.items():
        if name == "random":
            continue
        try:
            library = importlib.import_module(name)
        except ImportError as why:
            missing.append(str(why))
        else:
            _LIBRARIES[name][1](library, held)
    # Last: an import above may have drawn from it.
    random.setstate(state["random"])
    if missing:
        raise ImportError(
            "the saved state holds the random generator of a library that is not installed: "
            + "; ".join(missing)
        )


def _take_numpy(library: Any) -> Any:
    return library.get_state(legacy=False)


def _put_numpy(library: Any, held: Any) -> None:
    library.set_state(held)


def _take_torch(torch: Any) -> Any:
    # As bytes, not tensors: the state must read without torch, and never lie on a device.
    held = {"cpu": torch.get_rng_state().numpy().tobytes(), "cuda": []}
    if torch.cuda.is_available() and torch.cuda.is_initialized():
        held["cuda"] = [s.numpy().tobytes() for s in torch.cuda.get_rng_state_all()]
    return held


def _put_torch(torch: Any, held: Any) -> None:
    def tensor(data: bytes) -> Any:
        return torch.frombuffer(bytearray(data), dtype=torch.uint8)

    torch.set_rng_state(tensor(held["cpu"]))
    if held["cuda"] and torch.cuda.is_available():
        for device, data in zip(range(torch.cuda.device_count()), held["cuda"], strict=False):
            torch.cuda.set_rng_state(tensor(data), device)


def _take_cupy(cupy: Any) -> Any:
    # cupy's own generators are opaque; their pickled form holds the state of each device.
    held = []
    for device in range(cupy.cuda.runtime.getDeviceCount()):
        with cupy.cuda.Device(device):
            generator = cupy.random.get_random_state()
            held.append(generator)
    return held


def _put_cupy(cupy: Any, held: Any) -> None:
    for device, generator in enumerate(held):
        with cupy.cuda.Device(device):
            cupy.random.set_random_state(generator)


_LIBRARIES: dict[str, tuple[Any, Any]] = {
    "numpy.random": (_take_numpy, _put_numpy),
    "torch": (_take_torch, _put_torch),
    "cupy": (_take_cupy, _put_cupy),
}
