"""Iterators at their place, over the very container that they walk.

Plain pickle makes a copy of what is left of a dict or deque, and a copy does not see what the
program changes ahead of the loop. So these are saved as their container and how far they have come,
and brought back as a `Walk` that goes there when it is first asked, when the container is whole.
"""

from __future__ import annotations

import collections
import gc
import itertools
import operator
import warnings
from collections.abc import Callable, Iterator
from typing import Any

from resume.pickling.builders import bound, builder
from resume.pickling.session import Rebuild, Reducer, Session, Unsavable


@bound
def sequence_iterator(rebuild: Rebuild, items: Any, index: int) -> Any:
    """An iterator over *items* that goes on at *index*, even beyond a shrunken end."""
    made = iter(items)
    rebuild.last.append(lambda: _place(made, items, index))
    return made


def _place(made: Any, items: Any, index: int) -> None:
    # __setstate__ cuts an index beyond the end, so the end is moved out of the way meanwhile.
    missing = max(0, index - len(items))
    items.extend([0] * missing)
    made.__setstate__(index)
    if missing:
        del items[-missing:]


def _sequence(_session: Session, thing: Any) -> Any:
    reduced = thing.__reduce__()
    if len(reduced) < 3 or not isinstance(reduced[1][0], list | bytearray):
        return reduced  # it has come to its end, and will stay there
    return sequence_iterator, (reduced[1][0], reduced[2])


@bound
def reverse_iterator(rebuild: Rebuild, items: Any, index: int) -> Any:
    """An iterator over *items* from behind that goes on at *index*."""
    made = reversed(items)
    rebuild.last.append(lambda: _place(made, items, index))
    return made


def _reverse(_session: Session, thing: Any) -> Any:
    reduced = thing.__reduce__()
    if len(reduced) < 3:
        return reduced  # it has come to its end
    return reverse_iterator, (reduced[1][0], reduced[2])


@builder
def set_quietly(target: Any, state: Any) -> None:
    """`__setstate__` of an itertools object."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        target.__setstate__(state)


def _itertool(_session: Session, thing: Any) -> Any:
    # 3.12 and 3.13 warn that itertools stop pickling in 3.14.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        reduced = thing.__reduce__()
    if isinstance(reduced, tuple) and len(reduced) == 3 and reduced[2] is not None:
        return (*reduced, None, None, set_quietly)
    return reduced


_WALKS: dict[str, Callable[[Any], Iterator[Any]]] = {
    "keys": iter,
    "values": lambda held: iter(held.values()),
    "items": lambda held: iter(held.items()),
    "keys back": reversed,
    "values back": lambda held: reversed(held.values()),
    "items back": lambda held: reversed(held.items()),
    "deque": iter,
    "deque back": reversed,
}
_EMPTY: dict[Any, Any] = {}
_DICT_KINDS = {
    type(walk(_EMPTY)): kind for kind, walk in _WALKS.items() if not kind.startswith("deque")
}
_CHANGED = "changed"


class Walk:
    """An iterator that goes on where another one stood, in another process."""

    __slots__ = ("_held", "_inner", "_kind", "_taken")

    def __init__(self, held: Any, kind: str, taken: int) -> None:
        self._held = held
        self._kind = kind
        self._taken = taken
        self._inner: Iterator[Any] | None = None

    def __iter__(self) -> Walk:
        return self

    def __next__(self) -> Any:
        if self._inner is None:
            if self._kind == _CHANGED:
                raise RuntimeError("dictionary changed size during iteration")
            self._inner = _WALKS[self._kind](self._held)
            for _ in range(self._taken):
                next(self._inner)
        return next(self._inner)

    def __reduce__(self) -> Any:
        if self._inner is None:
            return walk, (self._held, self._kind, self._taken)
        return (
            _dict_iterator(None, self._inner)
            if self._kind in _DICT_KINDS.values()
            else (_deque_iterator(None, self._inner))
        )


@builder
def walk(held: Any, kind: str, taken: int) -> Walk:
    """A walk over *held* with *taken* items behind it."""
    return Walk(held, kind, taken)


def _dict_iterator(_session: Session | None, thing: Any) -> Any:
    held = next((part for part in gc.get_referents(thing) if isinstance(part, dict)), None)
    if held is None:
        return iter, ((),)  # it has come to its end, and will stay there
    left = operator.length_hint(thing)
    kind = _DICT_KINDS[type(thing)]
    if left == 0:
        try:
            thing.__reduce__()
        except RuntimeError:  # the next step would say so; 3.11 to 3.13 count nothing as left then
            kind = _CHANGED
    return walk, (held, kind, len(held) - left)


def _deque_iterator(_session: Session | None, thing: Any) -> Any:
    kind = "deque" if type(thing) is type(iter(collections.deque())) else "deque back"
    held, taken = thing.__reduce__()[1]
    return walk, (held, kind, taken)


def _ordered_iterator(_session: Session, _thing: Any) -> Any:
    raise Unsavable("the iterator of an OrderedDict cannot be saved at its place")


@builder
def dict_view(held: dict[Any, Any], kind: str) -> Any:
    """`held.keys()`, `held.values()` or `held.items()`."""
    return getattr(held, kind)()


def _dict_view(_session: Session, thing: Any) -> Any:
    held = next(part for part in gc.get_referents(thing) if isinstance(part, dict))
    return dict_view, (held, type(thing).__name__.rpartition("_")[2])


REDUCERS: dict[type, Reducer] = {
    type(iter([])): _sequence,
    type(iter(bytearray())): _sequence,
    type(reversed([])): _reverse,
    **dict.fromkeys(_DICT_KINDS, _dict_iterator),
    type(_EMPTY.keys()): _dict_view,
    type(_EMPTY.values()): _dict_view,
    type(_EMPTY.items()): _dict_view,
    type(iter(collections.deque())): _deque_iterator,
    type(reversed(collections.deque())): _deque_iterator,
    type(iter(collections.OrderedDict())): _ordered_iterator,
    **{
        kind: _itertool
        for kind in vars(itertools).values()
        if isinstance(kind, type) and hasattr(kind, "__next__")
    },
}
