"""Arrays and memoryviews: raw memory outside the stream, views as views.

Plain pickle copies a view, so two windows onto one memory become two memories. Here an array that
owns its memory is saved as that memory, and a view as its base with the place in it. Memory from a
restore is marked (`Block`), or the next save would take the store's memory for a base.
"""

from __future__ import annotations

import array as arrays
import pickle
from typing import Any

import numpy as np

from resume.pickling import tensors
from resume.pickling.builders import builder
from resume.pickling.session import Reducer, Session, Unsavable

RAW_KINDS = "biufcmMSUV"
"""Kinds of dtype whose items are plain bytes."""
_EXPORTERS = (bytes, bytearray, memoryview, arrays.array)


class Block(np.ndarray[Any, Any]):
    """Memory that came from a restore: the array over it counts as its owner."""


class _Inner(np.ndarray[Any, Any]):
    """Lies below a `Block`: numpy skips a base whose own base is of the new array's type."""


class RawArray:
    """Stands in the stream for the items of an array that itself goes by reference."""

    __slots__ = ("held",)

    def __init__(self, held: Any) -> None:
        self.held = held


def is_owner(thing: Any) -> bool:
    """Whether the memory of the array *thing* is its own."""
    return thing.base is None or type(thing.base) is Block


def is_raw(thing: Any) -> bool:
    """Whether the array *thing* is plain bytes without gaps, as far as its memory is its own."""
    return _has_raw_items(thing) and _is_dense(thing)


def _is_dense(thing: Any) -> bool:
    return bool(thing.transpose(order_of(thing)).flags.c_contiguous)


def _has_raw_items(thing: Any) -> bool:
    return bool(_has_raw_kind(thing) and not thing.dtype.hasobject and thing.nbytes > 0)


def _has_raw_kind(thing: Any) -> bool:
    return thing.dtype.kind in RAW_KINDS + "O"


def order_of(thing: Any) -> tuple[int, ...]:
    """Axes of *thing* from the widest stride to the narrowest."""
    if thing.flags.c_contiguous:
        return tuple(range(thing.ndim))
    return tuple(sorted(range(thing.ndim), key=lambda axis: -thing.strides[axis]))


def _flat(thing: Any) -> Any:
    """The memory of the dense array *thing* as bytes, or as items where those are objects."""
    line = thing.transpose(order_of(thing)).reshape(-1)
    return line if thing.dtype.hasobject else line.view(np.uint8)


def address(thing: Any) -> int:
    """Where the memory of the array *thing* starts."""
    where: int = thing.__array_interface__["data"][0]
    return where


# ---------------------------------------------------------------- owners


@builder
def array(
    buffer: Any,
    dtype: Any,
    shape: tuple[int, ...],
    axes: tuple[int, ...],
    writeable: bool,  # noqa: FBT001
) -> Any:
    """An array over *buffer*, or of its own memory where *buffer* is small and of the stream."""
    if isinstance(buffer, memoryview):
        memory = np.frombuffer(buffer, np.uint8).view(_Inner).view(Block)
        strides = _strides(shape, axes, dtype.itemsize)
        made: Any = np.ndarray(shape, dtype, memory, 0, strides)
    else:
        made = blank(shape, dtype, axes)
        _flat(made)[:] = np.frombuffer(buffer, np.uint8)
    if not writeable:
        made.setflags(write=False)
    return made


@builder
def blank(shape: tuple[int, ...], dtype: Any, axes: tuple[int, ...]) -> Any:
    """An array of its own memory, its axes in that order of width."""
    if axes == tuple(range(len(shape))):
        return np.empty(shape, dtype)
    turned = np.empty(tuple(shape[a] for a in axes), dtype).transpose(np.argsort(axes))
    return np.empty_like(turned)  # keeps the order of the strides, and owns its memory


@builder
def empty(shape: tuple[int, ...], dtype: Any, writeable: bool) -> Any:  # noqa: FBT001
    """An array without items."""
    made = np.empty(shape, dtype)
    made.setflags(write=writeable)
    return made


@builder
def fill_objects(target: Any, state: tuple[list[Any], bool]) -> None:
    """Put the items into the array *target*."""
    items, writeable = state
    flat = _flat(target)
    for index, item in enumerate(items):
        flat[index] = item
    target.setflags(write=writeable)


def _strides(shape: tuple[int, ...], axes: tuple[int, ...], itemsize: int) -> tuple[int, ...]:
    strides = [0] * len(shape)
    step = itemsize
    for axis in reversed(axes):
        strides[axis] = step
        step *= shape[axis]
    return tuple(strides)


def reduce_owner(session: Session, thing: Any) -> Any:
    """The reduce value of *thing* as an array of its own memory."""
    if thing.dtype.hasobject and thing.size and _is_dense(thing):
        # numpy gives such an array its memory with its items; views made before would hang loose.
        how = (thing.shape, thing.dtype, order_of(thing))
        state = (_flat(thing).tolist(), thing.flags.writeable)
        return blank, how, state, None, None, fill_objects
    if not thing.nbytes and _has_raw_kind(thing):
        return empty, (thing.shape, thing.dtype, thing.flags.writeable)
    if not is_raw(thing):
        return thing.__reduce__()  # gaps, nothing, text outside: numpy's own way, which copies
    session.kind = thing.dtype.str
    tensors.note_array(session, address(thing), thing)
    buffer = pickle.PickleBuffer(_open_memory(thing))
    return array, (buffer, thing.dtype, thing.shape, order_of(thing), thing.flags.writeable)


def _open_memory(thing: Any) -> Any:
    """The memory of the owner *thing*, writable though it is locked: its owner may unlock it."""
    if thing.flags.writeable:
        return _flat(thing)
    try:
        thing.setflags(write=True)
    except ValueError:  # the memory is another's, and locked there
        return _flat(thing)
    try:
        return _flat(thing)
    finally:
        thing.setflags(write=False)


def memory_to_fill(thing: Any, size: int) -> memoryview | None:
    """The *size* bytes of the living array *thing*, writable; None where they cannot be had."""
    if type(thing) is not np.ndarray or thing.nbytes != size or not is_owner(thing):
        return None
    memory = _open_memory(thing) if is_raw(thing) else None
    if memory is None or not memory.flags.writeable:
        return None
    found: memoryview = memory.data
    return found


def lies_alike(one: Any, other: Any) -> bool:
    """Whether two arrays over one memory mean the same by it."""
    return bool(
        one.dtype == other.dtype and one.shape == other.shape and one.strides == other.strides
    )


def moved(thing: Any, memory: memoryview) -> Any:
    """An array like *thing* over *memory*."""
    made: Any = np.ndarray(thing.shape, thing.dtype, memory, 0, thing.strides)
    made.setflags(write=thing.flags.writeable)
    return made


# ---------------------------------------------------------------- views


@builder
def view(
    base: Any,
    dtype: Any,
    shape: Any,
    strides: Any,
    offset: int,
    writeable: bool,  # noqa: FBT001
) -> Any:
    """A view of *base*, *offset* bytes into its memory."""
    memory = _memory(base)
    low, high = _reach(dtype.itemsize, shape, strides)
    if offset + low < 0 or offset + high > memory.nbytes:
        raise ValueError("the array's base is not as large as it was")
    must_open = writeable and not memory.flags.writeable and isinstance(base, np.ndarray)
    if must_open:  # the view was made before its base was locked
        base.setflags(write=True)
        memory = _memory(base)
    if memory.dtype.hasobject:
        first = _fields(memory, dtype, offset)[offset // memory.dtype.itemsize :]
        made = np.lib.stride_tricks.as_strided(first, shape, strides)
    else:
        made = np.ndarray(shape, dtype, memory, offset, strides)
    if must_open:
        base.setflags(write=False)
    if not writeable:
        made.setflags(write=False)
    return made


def _fields(memory: Any, dtype: Any, offset: int) -> Any:
    """The items of *memory*, or of each the field of *dtype* that lies at *offset*."""
    return memory if memory.dtype == dtype else memory.getfield(dtype, offset % memory.itemsize)


def _memory(base: Any) -> Any:
    """The memory behind *base*, whatever lends it: bytes in one row."""
    if isinstance(base, np.ndarray):
        return _flat(base.view(np.ndarray))
    if isinstance(base, _EXPORTERS):
        return np.frombuffer(memoryview(base).cast("B"), np.uint8)
    return tensors.memory_of(base)


def base_of(thing: Any) -> Any:
    """What the array *thing* is a view of; None where its memory is its own."""
    base = thing.base
    if type(base).__name__ == "DummyArray":  # numpy's as_strided puts one between
        base = base.base
    return None if type(base) is Block else base


def offset_of(thing: Any) -> int:
    """How far into its base's memory the array *thing* starts."""
    base = base_of(thing)
    return address(thing) - address(base) if isinstance(base, np.ndarray) else 0


def reduce_view(session: Session, thing: Any) -> Any:
    """The reduce value of *thing* as a view; NotImplemented where it has to be copied."""
    del session
    base = base_of(thing)
    while isinstance(base, np.ndarray) and not _covers(base, thing):
        base = base_of(base)  # a view of a view with gaps, as as_strided makes them
    if not isinstance(base, np.ndarray) and not _covers(base, thing):
        return NotImplemented
    memory = _memory(base)
    offset = address(thing) - address(memory)
    if memory.dtype.hasobject:
        _fields(memory, thing.dtype, offset)  # refuses what it could not make again
    return view, (base, thing.dtype, thing.shape, thing.strides, offset, thing.flags.writeable)


def _covers(base: Any, thing: Any) -> bool:
    """Whether all of the array *thing* lies in the memory of *base*, and that is in one row."""
    if isinstance(base, np.ndarray):
        if not base.nbytes or not _has_raw_kind(base) or not _is_dense(base):
            return False
    elif not isinstance(base, _EXPORTERS) and not tensors.is_tensor(base):
        return False
    memory = _memory(base)
    offset = address(thing) - address(memory)
    low, high = _reach(thing.itemsize, thing.shape, thing.strides)
    return bool(thing.nbytes and offset + low >= 0 and offset + high <= memory.nbytes)


def _reach(itemsize: int, shape: Any, strides: Any) -> tuple[int, int]:
    """How far items lie before and behind the first one, in bytes."""
    low = high = 0
    for length, stride in zip(shape, strides, strict=True):
        reach = (length - 1) * stride
        low, high = (low + reach, high) if reach < 0 else (low, high + reach)
    return low, high + itemsize


def _array(session: Session, thing: Any) -> Any:
    base = base_of(thing)
    if base is None:
        lent = tensors.lender_of(session, address(thing), thing.nbytes)
        if lent is not None:
            how = (thing.dtype, thing.shape, thing.strides, 0, thing.flags.writeable)
            return view, (lent, *how)
        return reduce_owner(session, thing)
    reduced = reduce_view(session, thing)
    return reduce_owner(session, thing) if reduced is NotImplemented else reduced


# ---------------------------------------------------------------- memoryviews


@builder
def window(
    exporter: Any,
    cut: tuple[int, int, int],
    form: str,
    shape: Any,
    readonly: bool,  # noqa: FBT001
) -> memoryview:
    """The memoryview of *exporter* from byte `cut[0]`, of `cut[1]` items, `cut[2]` items apart."""
    whole = memoryview(exporter)
    start, count, step = cut
    size = np.dtype(form).itemsize
    if step == 1:
        made = whole.cast("B")[start : start + count * size]
        made = made if form == "B" and len(shape) == 1 else made.cast(form, shape)  # type: ignore[call-overload]
    else:
        lead, first = start % size, start // size
        line = whole.cast("B")[lead : lead + (whole.nbytes - lead) // size * size].cast(form)  # type: ignore[call-overload]
        end = first + step * count
        made = line[first : end if end >= 0 else None : step]
    return made.toreadonly() if readonly and not made.readonly else made


@builder
def whole_window(exporter: Any, readonly: bool) -> memoryview:  # noqa: FBT001
    """The memoryview of all of *exporter*, as it shows itself."""
    made = memoryview(exporter)
    return made.toreadonly() if readonly and not made.readonly else made


def _memoryview(_session: Session, thing: memoryview) -> Any:
    exporter = thing.obj
    if exporter is None:
        raise Unsavable("nobody owns the memory behind this memoryview")
    whole = memoryview(exporter)
    here, start = np.asarray(thing), np.asarray(whole)
    if _layout(thing) == _layout(whole) and address(here) == address(start):
        return whole_window, (exporter, thing.readonly)
    offset = address(here) - address(start)
    if thing.c_contiguous and whole.c_contiguous:
        cut = (offset, thing.nbytes // thing.itemsize, 1)
        return window, (exporter, cut, thing.format, thing.shape, thing.readonly)
    if thing.ndim == 1 and whole.c_contiguous and thing.strides:
        cut = (offset, len(thing), thing.strides[0] // thing.itemsize)
        return window, (exporter, cut, thing.format, thing.shape, thing.readonly)
    raise Unsavable("a memoryview with gaps in several dimensions has no recipe", "use an array")


def _layout(thing: memoryview) -> Any:
    return thing.format, thing.shape, thing.strides


# ---------------------------------------------------------------- pandas


def _pandas_block(_session: Session, thing: Any) -> Any:
    # Copy on write: frames that share a block are independent as long as the block knows of it. A
    # restored block would not, so what is shared only until somebody writes is copied here.
    reduced = thing.__reduce__()
    if not thing.refs.has_reference():
        return reduced
    maker, (values, *rest) = reduced
    copied = np.array(values, order="K") if type(values) is np.ndarray else values.copy()
    return maker, (copied, *rest)


def _raw_array(session: Session, thing: RawArray) -> Any:
    return reduce_owner(session, thing.held)


REDUCERS: dict[type, Reducer] = {
    np.ndarray: _array,
    RawArray: _raw_array,
    memoryview: _memoryview,
}


def look(kind: type) -> Reducer | None:
    """The reducer for pandas' blocks."""
    for base in kind.__mro__:
        if base.__module__ == "pandas.core.internals.blocks" and base.__name__ == "Block":
            return _pandas_block
    return None
