"""Arrays and memoryviews: raw memory outside the stream, views as views."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np

from resume.pickling.builders import builder
from resume.pickling.session import Reducer, Session

RAW_KINDS = "biufcmMSUV"
"""Kinds of dtype whose items are plain bytes."""


class Block(np.ndarray[Any, Any]):
    """Memory that came from a restore: an array over it owns it, as far as a later save cares."""


def _is_owner(thing: Any) -> bool:
    return thing.base is None or type(thing.base) is Block


def _is_raw(thing: Any) -> bool:
    return thing.dtype.kind in RAW_KINDS and not thing.dtype.hasobject and thing.nbytes > 0


def order_of(thing: Any) -> tuple[int, ...]:
    """Axes of *thing* from the widest stride to the narrowest."""
    return tuple(sorted(range(thing.ndim), key=lambda axis: -thing.strides[axis]))


@builder
def array(
    buffer: Any,
    dtype: Any,
    shape: tuple[int, ...],
    axes: tuple[int, ...],
    writeable: bool,  # noqa: FBT001
) -> Any:
    """An array over *buffer*, or over a copy of it where it is small and read from the stream."""
    if isinstance(buffer, memoryview):
        memory: Any = np.frombuffer(buffer, np.uint8).view(Block)
        made = np.ndarray(tuple(shape[a] for a in axes), dtype, memory)
        made = made.transpose(np.argsort(axes)) if axes != tuple(range(len(shape))) else made
        if made.base is not memory:
            made = np.ndarray(shape, dtype, memory, 0, made.strides)
    else:
        made = blank(shape, dtype, axes)
        flat = _flat(made)
        flat[:] = np.frombuffer(buffer, np.uint8)
    if not writeable:
        made.setflags(write=False)
    return made


@builder
def blank(shape: tuple[int, ...], dtype: Any, axes: tuple[int, ...]) -> Any:
    """An array of its own memory, its axes in that order of width."""
    if axes == tuple(range(len(shape))):
        return np.empty(shape, dtype)
    like = np.empty(tuple(shape[a] for a in axes), dtype).transpose(np.argsort(axes))
    return np.empty_like(like)  # keeps the order of strides, and owns its memory


def _flat(thing: Any) -> Any:
    return thing.transpose(order_of(thing)).reshape(-1).view(np.uint8)


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
    raise NotImplementedError


def reduce_view(session: Session, thing: Any) -> Any:
    raise NotImplementedError


def contents(thing: Any) -> Any:
    """The items of *thing*, for `numpy.copyto`."""
    return np.array(thing, order="K", copy=True)


def _array(session: Session, thing: Any) -> Any:
    if not _is_owner(thing) or not _is_raw(thing):
        return NotImplemented
    axes = order_of(thing)
    session.kind = thing.dtype.str
    flat = thing.transpose(axes).reshape(-1).view(np.uint8)
    return array, (pickle.PickleBuffer(flat), thing.dtype, thing.shape, axes, thing.flags.writeable)


REDUCERS: dict[type, Reducer] = {np.ndarray: _array}


def look(_kind: type) -> Reducer | None:
    """Nothing yet."""
    return None
