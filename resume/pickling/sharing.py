"""Which objects a saved graph holds, by identity."""

from __future__ import annotations

import collections
import contextlib
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
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from itertools import islice
from typing import Any

import numpy as np

from resume.pickling import views
from resume.pickling.stream import Writer

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


class Memo:
    """Where a pickler keeps which object, without a copy of its memo.

    The memo's own `copy()` makes a tuple for each object of the state: twice the time of the save.
    So the pickler is asked: it writes a reference for an object that it knows, and for another it
    begins a pickle, which ends at the first part of it, so that the question costs nothing.
    """

    def __init__(self, pickler: Any, writer: Writer) -> None:
        self._pickler = pickler
        self._writer = writer

    def place_of(self, thing: Any) -> int:
        """Number of *thing* in the memo, -1 where the pickler has not met it."""

        def only_thing(other: Any) -> None:
            if other is not thing:
                raise _NotMetError

        try:
            return _reference(self._answer(thing, only_thing))
        except _NotMetError:
            return -1

    def note(self, things: Sequence[Any]) -> bool:
        """Give *things* the first places of an empty memo, as if they had gone through.

        The pickler notes a container before it turns to its first part, where it is stopped, and
        another object once it has been told by what it is made: by nothing, it is told here.

        Returns:
            Whether they have them; else nothing is sure about the memo.
        """

        def no_part(other: Any) -> int | None:
            if other is thing:
                return None
            if other is list or other is _NO_ARGUMENTS:
                return 0  # what `_nothing` says, without a place of its own
            raise _NotMetError

        for thing in things:
            with contextlib.suppress(_NotMetError):
                self._answer(thing, no_part)
        return not things or self.place_of(things[-1]) == len(things) - 1

    def _answer(self, thing: Any, hook: Callable[[Any], int | None]) -> bytes:
        """What the pickler writes for *thing*, where *hook* is asked about all its parts."""
        self._pickler.persistent_id = hook
        self._pickler.reducer_override = _nothing
        self._writer.answer = b""
        try:
            self._pickler.dump(thing)
            return self._writer.answer
        finally:
            self._writer.answer = None
            self._pickler.persistent_id = self._pickler.reducer_override = _nothing


class _NotMetError(Exception):
    """The pickler looks into an object, so it did not know it; it has noted it before."""


_NO_ARGUMENTS = ()


def _nothing(_thing: Any) -> tuple[type, tuple[()]]:
    return list, _NO_ARGUMENTS


def _reference(said: bytes) -> int:
    """The memo place that a pickle consists of (BINGET, LONG_BINGET), else -1."""
    said = said[2:]  # PROTO
    if said[:1] == b"\x95":  # FRAME
        said = said[9:]
    if said[:1] == b"h":
        return said[1]
    return int.from_bytes(said[1:5], "little") if said[:1] == b"j" else -1


class Graph:
    """The saved objects, as the pickler's memo and the order of the roots tell them."""

    def __init__(
        self,
        memo: Memo,
        ends: Sequence[tuple[Any, str]],
        anchors: Sequence[Any],
        stand_ins: Mapping[int, Any],
        own: Collection[int],
    ) -> None:
        self._memo = memo
        self._ends = ends
        self._anchors = anchors
        self._stand_ins = stand_ins
        self._own = own

    @functools.cached_property
    def _last(self) -> list[int]:
        # A root is dumped in a tuple of its own, which takes its place in the memo after the root.
        return [self._memo.place_of(wrapped) for wrapped, _ in self._ends]

    def owner(self, thing: Any) -> str | None:
        """Name of the first root or anchor that holds *thing*; None where none does."""
        last = self._last
        place = self._memo.place_of(self._stand_ins.get(id(thing), thing))
        if place < 0:
            return None
        if place < len(self._anchors):
            anchor = self._anchors[place]
            return None if anchor.kind in _FOREIGN else str(anchor.root)
        root = bisect_left(last, place)
        # beyond the last root lie the objects that were only asked about
        return self._ends[root][1] if root < len(last) else None

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
            for part in islice(_held_by(thing), LIMIT):
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


def _held_by(thing: Any) -> Iterable[Any]:
    if type(thing) in (list, dict) and len(thing) > LIMIT:  # no copy of what is not looked at
        return thing if type(thing) is list else thing.values()
    if isinstance(thing, types.FunctionType):
        return [thing.__closure__, thing.__defaults__, thing.__kwdefaults__, thing.__dict__]
    if type(thing) is np.ndarray:
        base = views.base_of(thing)
        items = thing.reshape(-1).tolist() if thing.dtype.kind == "O" else []
        return items if base is None else [*items, base]
    if isinstance(thing, memoryview):
        return [thing.obj]
    return gc.get_referents(thing)
