"""Which objects a saved graph holds, by identity."""

from __future__ import annotations

import collections
import datetime as dt
import enum
import functools
import gc
import logging
import numbers
import os
import re
import sys
import types
import uuid
from bisect import bisect_left
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np

from resume.pickling import views

LIMIT = 100_000
"""Objects looked at for one question."""
_LEAVES = (
    type,
    types.ModuleType,
    types.CodeType,
    types.BuiltinFunctionType,
    logging.Logger,
    logging.Handler,
    enum.Enum,
    numbers.Number,
    str,
    bytes,
    range,
    type(None),
    os.PathLike,
    uuid.UUID,
    re.Pattern,
    dt.date,
    dt.time,
    dt.timedelta,
    dt.tzinfo,
    np.dtype,
    np.generic,
)
_SHELLS = (
    tuple,
    frozenset,
    types.FunctionType,
    types.MethodType,
    types.CellType,
    functools.partial,
)
_CONTAINERS = (list, dict, set, bytearray, collections.deque, np.ndarray, np.random.Generator)
_FOREIGN = ("given", "external", "class")


class Graph:
    """The saved objects; the table of them is made when it is first asked for."""

    def __init__(
        self,
        pickler: Any,
        ends: Sequence[tuple[Any, str]],
        anchors: Sequence[Any],
        stand_ins: Mapping[int, Any],
        own: Collection[int],
    ) -> None:
        self._pickler = pickler
        self._ends = ends
        self._anchors = anchors
        self._stand_ins = stand_ins
        self._own = own

    @functools.cached_property
    def _memo(self) -> dict[int, tuple[int, Any]]:
        found: dict[int, tuple[int, Any]] = self._pickler.memo.copy()
        return found

    @functools.cached_property
    def _last(self) -> list[int]:
        # A root is dumped in a tuple of its own, which takes its place in the memo after the root.
        return [self._memo[id(wrapped)][0] for wrapped, _ in self._ends]

    def owner(self, thing: Any) -> str | None:
        """Name of the first root or anchor that holds *thing*; None where none does."""
        stand_in = self._stand_ins.get(id(thing), thing)
        place, held = self._memo.get(id(stand_in), (-1, None))
        if place < 0 or held is not stand_in:
            return None
        if place < len(self._anchors):
            anchor = self._anchors[place]
            return None if anchor.kind in _FOREIGN else str(anchor.root)
        return self._ends[bisect_left(self._last, place)][1]

    def shared_with(self, value: Any) -> str | None:
        """Name of a root that holds a mutable object of *value* too; None where none does."""
        spaces = {id(vars(module)) for module in list(sys.modules.values())}
        seen = {id(value)}
        waiting: collections.deque[Any] = collections.deque([value])
        while waiting and len(seen) < LIMIT:
            thing = waiting.popleft()
            if isinstance(thing, _LEAVES) or id(thing) in spaces or id(thing) in self._own:
                continue
            if _is_mutable(thing):
                name = self.owner(thing)
                if name is not None:
                    return name
            for part in _held_by(thing):
                if id(part) not in seen:
                    seen.add(id(part))
                    waiting.append(part)
        return None


def _is_mutable(thing: Any) -> bool:
    if isinstance(thing, _CONTAINERS):
        return True
    if isinstance(thing, _SHELLS):
        return False
    parameters = getattr(type(thing), "__dataclass_params__", None)
    if parameters is not None and parameters.frozen:
        return False
    return hasattr(thing, "__dict__") or any("__slots__" in vars(b) for b in type(thing).__mro__)


def _held_by(thing: Any) -> list[Any]:
    if isinstance(thing, types.FunctionType):
        return [thing.__closure__, thing.__defaults__, thing.__kwdefaults__, thing.__dict__]
    if type(thing) is np.ndarray:
        base = views.base_of(thing)
        items = thing.reshape(-1).tolist() if thing.dtype.kind == "O" else []
        return items if base is None else [*items, base]
    if isinstance(thing, memoryview):
        return [thing.obj]
    return gc.get_referents(thing)
