"""Iterators at their place."""

from __future__ import annotations

import itertools
import warnings
from typing import Any

from resume.pickling.builders import bound, builder
from resume.pickling.session import Rebuild, Reducer, Session


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


REDUCERS: dict[type, Reducer] = {
    type(iter([])): _sequence,
    type(iter(bytearray())): _sequence,
    **{
        kind: _itertool
        for kind in vars(itertools).values()
        if isinstance(kind, type) and hasattr(kind, "__next__")
    },
}
