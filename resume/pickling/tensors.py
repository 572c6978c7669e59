"""Tensors: the only file here that knows torch, and only where the program has imported it.

Tensors over one storage come back over one storage, and so do a tensor and an array over one memory
(`torch.from_numpy`, `Tensor.numpy`). Storages of the CPU go out without a copy.
"""

from __future__ import annotations

import copyreg
import importlib
import logging
import pickle
import sys
from typing import Any

import numpy as np

from resume.pickling.builders import builder
from resume.pickling.session import Reducer, Session

_log = logging.getLogger("resume")


def _torch() -> Any:
    return sys.modules.get("torch")


def _import() -> Any:
    return importlib.import_module("torch")


class StorageRecord:
    """Stands in the stream for the memory of tensors."""

    __slots__ = ("held",)

    def __init__(self, held: Any) -> None:
        self.held = held


class _Memory:
    """Memory of the processor as numpy takes it.

    `Tensor.numpy` takes twice the time, and forbids the program for ever to resize the storage.
    """

    __slots__ = ("__array_interface__", "held")

    def __init__(self, held: Any) -> None:
        self.held = held
        self.__array_interface__ = {
            "version": 3,
            "typestr": "|u1",
            "shape": (held.nbytes(),),
            "data": (held.data_ptr(), False),
        }


class BlankStorage:
    """Stands in the stream for memory of that size, its contents still to come."""

    __slots__ = ("held",)

    def __init__(self, held: Any) -> None:
        self.held = held


class RawTensor:
    """Stands in the stream for the items of a tensor that itself goes by reference."""

    __slots__ = ("held",)

    def __init__(self, held: Any) -> None:
        self.held = held


# ---------------------------------------------------------------- what is a tensor


def is_tensor(thing: Any) -> bool:
    """Whether *thing* is a tensor of plain memory."""
    torch = _torch()
    return torch is not None and isinstance(thing, torch.Tensor) and _is_plain(thing)


def is_tensor_type(kind: type) -> bool:
    """Whether things of this type are tensors of whatever kind."""
    torch = _torch()
    return torch is not None and issubclass(kind, torch.Tensor)


def _is_plain(thing: Any) -> bool:
    torch = _torch()
    return (
        type(thing) in (torch.Tensor, torch.nn.Parameter)
        and thing.layout is torch.strided
        and not (thing.is_quantized or thing.is_meta or thing.is_conj() or thing.is_neg())
    )


def covers_storage(thing: Any) -> bool:
    """Whether the items of the tensor *thing* are all of its storage, each once.

    Only such a tensor can stand for its storage: filling another in place would leave the rest of
    the memory, which further tensors may look into, unfilled.
    """
    expected = 1
    for stride, size in sorted(zip(thing.stride(), thing.shape, strict=True)):
        if size > 1 and stride != expected:
            return False
        expected *= size
    size = thing.numel() * thing.element_size()
    return thing.storage_offset() == 0 and bool(thing.untyped_storage().nbytes() == size)


def owns(kind: type) -> bool:
    """Whether instances of *kind* are torch's modules or optimizers: their attributes are all."""
    torch = _torch()
    return torch is not None and issubclass(kind, (torch.nn.Module, torch.optim.Optimizer))


def reducer_of(kind: type) -> Reducer | None:
    """The reducer that also serves for putting contents in place."""
    torch = _torch()
    is_optimizer = torch is not None and issubclass(kind, torch.optim.Optimizer)
    return _optimizer if is_optimizer else None


def look(kind: type) -> Reducer | None:
    """The reducer for torch's own types."""
    torch = _torch()
    if torch is None:
        return None
    if issubclass(kind, torch.Tensor):
        return _tensor
    if issubclass(kind, torch.Generator):
        return _generator
    return reducer_of(kind)


# ---------------------------------------------------------------- graphs


def has_open_graph(thing: Any) -> bool:
    """Whether `backward()` on the tensor *thing* could still reach what it was computed of.

    The nearest node that kept values for it tells: `backward()` lets them go. Where none has kept
    any, as in a sum, the graph may be gone through any number of times.
    """
    nodes = [] if thing.grad_fn is None else [thing.grad_fn]
    seen = {None, *nodes}
    while nodes:
        kept = [_is_kept(each) for node in nodes for each in _saved_by(node)]
        if any(each is not None for each in kept):
            return True in kept
        inner = {inner for node in nodes for inner, _ in node.next_functions} - seen
        seen |= inner
        nodes = list(inner)
    return thing.grad_fn is not None


def _saved_by(node: Any) -> list[Any]:
    """What a node of a graph keeps for `backward()`, as it keeps it: nothing is computed anew."""
    kind = type(node)
    names = _RAW.get(kind)
    if names is None:
        names = _RAW[kind] = [name for name in dir(kind) if name.startswith("_raw_saved_")]
    found: list[Any] = []
    for name in names:
        try:
            kept = getattr(node, name)
        except RuntimeError:  # a function of the program's: gone through, if it kept any or not
            continue
        found += kept if isinstance(kept, tuple) else [kept]
    return found


_RAW: dict[type, list[str]] = {}
"""By type of a node: attributes that hold what it keeps."""


def _is_kept(saved: Any) -> bool | None:
    """Whether what a node keeps is still there; None where there never was anything."""
    if not hasattr(saved, "unpack_hook"):
        return True  # torch before 2.8 does not tell
    if saved.data is not None or saved.unpack_hook is not None:
        return True
    try:
        saved.unpack()  # without a hook: nothing of the program's runs
    except RuntimeError:
        return False
    return None


# ---------------------------------------------------------------- memory


def _record(session: Session, held: Any, kind: type) -> Any:
    """The one record of the storage *held* in this encode."""
    if not held.nbytes():
        return kind(held)
    key = (kind, held.device, held.data_ptr())
    found = session.records.get(key)
    if found is None:
        found = session.records[key] = kind(held)
    return found


def _bytes_of(held: Any) -> Any:
    torch = _torch()
    return torch.empty(0, dtype=torch.uint8, device=held.device).set_(held)


def memory_of(base: Any) -> Any:
    """The memory of a tensor or a storage, as an array of bytes."""
    torch = _import()
    held = base.untyped_storage() if isinstance(base, torch.Tensor) else base
    return _bytes_of(held).numpy()


def lender_of(session: Session, where: int, size: int) -> Any:
    """A record of tensor memory that starts at *where* and holds *size* bytes, or None."""
    torch = _torch()
    if torch is None:
        return None
    lender = session.memory.get(where)
    if lender is not None and not isinstance(lender, np.ndarray):
        return lender
    found = session.records.get((StorageRecord, torch.device("cpu"), where))
    return found if found is not None and found.held.nbytes() >= size else None


def note_array(session: Session, where: int, thing: Any) -> None:
    """Remember that the array *thing* owns the memory at *where*: a tensor may lie over it."""
    if _torch() is not None:
        session.memory[where] = thing


def note_tensor(session: Session, thing: Any) -> None:
    """Remember whose memory the tensor *thing*, which goes by reference, uses."""
    held = thing.untyped_storage()
    if held.device.type == "cpu" and held.nbytes():
        session.memory.setdefault(held.data_ptr(), thing)


def _lent(held: Any) -> pickle.PickleBuffer:
    memory: Any = np.asarray(_Memory(held))
    return pickle.PickleBuffer(memory)


def _storage_record(session: Session, thing: StorageRecord) -> Any:
    held, device = thing.held, str(thing.held.device)
    lender = session.memory.get(held.data_ptr()) if device == "cpu" else None
    if isinstance(lender, np.ndarray) and lender.nbytes >= held.nbytes() > 0:
        return storage_of_array, (lender,)
    if lender is not None and not isinstance(lender, np.ndarray):
        return storage_of_tensor, (lender,)
    if not held.nbytes():
        return blank_storage, (0, device)
    session.kind = "storage"
    here = held if device == "cpu" else _bytes_of(held).cpu().untyped_storage()
    return storage, (_lent(here), device)


@builder
def storage(buffer: Any, device: str) -> Any:
    """Tensor memory over *buffer*, or a copy where that is small; on *device* where it is here."""
    torch = _import()
    if isinstance(buffer, memoryview) and not buffer.readonly:
        memory = torch.frombuffer(buffer, dtype=torch.uint8)
    else:
        memory = torch.empty(len(memoryview(buffer)), dtype=torch.uint8)
        memory.numpy()[:] = np.frombuffer(buffer, np.uint8)
    return memory.to(_present(device)).untyped_storage()


@builder
def blank_storage(size: int, device: str) -> Any:
    """Tensor memory of *size* bytes."""
    torch = _import()
    return torch.empty(size, dtype=torch.uint8, device=_present(device)).untyped_storage()


@builder
def storage_of_array(held: Any) -> Any:
    """The memory of the array *held*, as tensor memory."""
    torch = _import()
    flat = held.transpose(np.argsort([-stride for stride in held.strides], kind="stable"))
    return torch.from_numpy(flat.reshape(-1).view(np.uint8)).untyped_storage()


@builder
def storage_of_tensor(held: Any) -> Any:
    """The memory of the tensor *held*."""
    return held.untyped_storage()


def _present(device: str) -> str:
    torch = _import()
    try:
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError, NotImplementedError):
        _log.warning("⚠ tensors of %s: the device is not here, they come back on the CPU", device)
        return "cpu"
    return device


# ---------------------------------------------------------------- tensors


def _layout(thing: Any) -> tuple[Any, ...]:
    return (thing.dtype, tuple(thing.shape), thing.stride(), thing.storage_offset())


def _tensor(session: Session, thing: Any) -> Any:
    if not _is_plain(thing):
        return NotImplemented
    torch = _torch()
    session.lost_graph |= has_open_graph(thing)
    record = _record(session, thing.untyped_storage(), StorageRecord)
    args = (record, _layout(thing), type(thing) is torch.nn.Parameter, thing.requires_grad)
    state = _state(thing)
    return (tensor, args) if state is None else (tensor, args, state, None, None, fill_tensor)


def _state(thing: Any) -> dict[str, Any] | None:
    grad = thing.grad if thing.is_leaf else None
    hooks = thing._backward_hooks  # noqa: SLF001
    attributes = thing.__dict__
    if grad is None and not attributes and not hooks:
        return None
    return {"grad": grad, "hooks": hooks, "dict": dict(attributes)}


def _refuse_beyond(held: Any, item: int, shape: Any, stride: Any, offset: int) -> None:
    # `Tensor.set_` lets the storage grow where it is too small, with whatever lies in the memory.
    last = offset + sum((size - 1) * step for size, step in zip(shape, stride, strict=True))
    if 0 not in shape and (last + 1) * item > held.nbytes():
        raise ValueError(f"a tensor reaches beyond its memory of {held.nbytes()} bytes")


@builder
def tensor(held: Any, layout: tuple[Any, ...], parameter: bool, requires_grad: bool) -> Any:  # noqa: FBT001
    """A tensor over the storage *held*."""
    torch = _import()
    dtype, shape, stride, offset = layout
    _refuse_beyond(held, dtype.itemsize, shape, stride, offset)
    with torch.no_grad():
        made = torch.empty(0, dtype=dtype, device=held.device).set_(held, offset, shape, stride)
    if parameter:
        return torch.nn.Parameter(made, requires_grad)
    return made.requires_grad_(requires_grad)


@builder
def fill_tensor(target: Any, state: dict[str, Any]) -> None:
    """Give *target* its gradient and attributes."""
    target.__dict__.update(state["dict"])
    if target.is_leaf:
        target.grad = state["grad"]
    if state["hooks"]:
        target._backward_hooks = state["hooks"]  # noqa: SLF001


def blueprint(session: Session, thing: Any) -> Any:
    """What makes a blank tensor like *thing*, its memory shared as that of *thing* is."""
    torch = _torch()
    record = _record(session, thing.untyped_storage(), BlankStorage)
    is_parameter = type(thing) is torch.nn.Parameter
    return (tensor, (record, _layout(thing), is_parameter, thing.requires_grad))


def lent_by(session: Session, thing: Any) -> Any:
    """The array whose memory the tensor *thing* uses, where it is known; else None."""
    held = thing.untyped_storage()
    lender = session.memory.get(held.data_ptr()) if held.device.type == "cpu" else None
    return lender if isinstance(lender, np.ndarray) and lender.nbytes >= held.nbytes() > 0 else None


@builder
def tensor_over_array(held: Any, layout: Any, parameter: bool, requires_grad: bool) -> Any:  # noqa: FBT001
    """A tensor over the memory of the array *held*."""
    return tensor(storage_of_array(held), layout, parameter, requires_grad)


def blueprint_over(array: Any, thing: Any) -> Any:
    """What makes a blank tensor like *thing* over *array*."""
    torch = _torch()
    is_parameter = type(thing) is torch.nn.Parameter
    return (tensor_over_array, (array, _layout(thing), is_parameter, thing.requires_grad))


def contents(session: Session, thing: Any) -> Any:
    """What has to be put into the tensor *thing*."""
    session.lost_graph |= has_open_graph(thing)
    data = None if lent_by(session, thing) is not None else RawTensor(thing)
    return (data, thing.requires_grad, _state(thing))


def _raw_tensor(session: Session, thing: RawTensor) -> Any:
    held = thing.held.detach()
    session.kind = str(held.dtype)
    if not held.numel():
        return raw_items, (b"",)
    return raw_items, (_lent(held.cpu().contiguous().untyped_storage()),)


@builder
def raw_items(buffer: Any) -> Any:
    """The memory of a tensor's items, in their order."""
    return buffer


def memory_to_fill(thing: Any, size: int) -> memoryview | None:
    """The *size* bytes of the tensor *thing*, in the order of `RawTensor`; None without such."""
    is_row = is_tensor(thing) and thing.device.type == "cpu" and thing.is_contiguous()
    if not is_row or not size or not covers_storage(thing):
        return None
    held = thing.untyped_storage()
    memory: Any = np.asarray(_Memory(held))
    found: memoryview = memory.data
    return found if held.nbytes() == size else None


def put(live: Any, content: Any) -> None:
    """Make the tensor *live* hold *content*."""
    torch = _import()
    data, requires_grad, state = content
    with torch.no_grad():
        memory = None if data is None else np.frombuffer(data, np.uint8)
        is_elsewhere = memory is not None and memory.ctypes.data != live.data_ptr()
        if memory is not None and live.numel() and is_elsewhere:
            memory = memory if memory.flags.writeable else memory.copy()
            items = torch.from_numpy(memory).view(live.dtype).reshape(live.shape)
            live.data.copy_(items)
    if live.is_leaf:
        live.requires_grad_(requires_grad)
    fill_tensor(live, state or {"grad": None, "hooks": None, "dict": {}})


# ---------------------------------------------------------------- generators, optimizers


def _generator(_session: Session, thing: Any) -> Any:
    torch = _torch()
    if thing is torch.default_generator:
        return default_generator, ()
    return generator, (str(thing.device), thing.get_state().numpy().tobytes())


@builder
def default_generator() -> Any:
    """The CPU's own generator."""
    return _import().default_generator


@builder
def generator(device: str, state: bytes) -> Any:
    """A generator of its own at *state*."""
    torch = _import()
    made = torch.Generator(_present(device))
    made.set_state(torch.frombuffer(bytearray(state), dtype=torch.uint8))
    return made


def _optimizer(_session: Session, thing: Any) -> Any:
    # Its own __getstate__ leaves out `step` as a scheduler has wrapped it on the instance: without
    # it the first scheduler.step() after a restore warns that optimizer.step() was overridden.
    return copyreg.__newobj__, (type(thing),), dict(vars(thing)), None, None, fill_optimizer  # type: ignore[attr-defined]


@builder
def fill_optimizer(target: Any, state: dict[str, Any]) -> None:
    """Give *target* all its attributes."""
    vars(target).clear()
    vars(target).update(state)
    patch = getattr(target, "_patch_step_function", None)
    if patch is not None:
        patch()


REDUCERS: dict[type, Reducer] = {
    StorageRecord: _storage_record,
    BlankStorage: lambda _s, t: (blank_storage, (t.held.nbytes(), str(t.held.device))),
    RawTensor: _raw_tensor,
}
