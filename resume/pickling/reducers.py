"""Which reducer an object gets: decided once per type, then one look into a table."""

from __future__ import annotations

import functools
from typing import Any

from resume.pickling import functions, holes, islands, iterators, tensors, views
from resume.pickling.session import Reducer, Session

_IMMUTABLE = 1 << 8
"""Of `type.__flags__`: a type written in C, which nothing changes and which does not end."""


class Table(dict[type, "Reducer | None"]):
    """Type to reducer; None stands for pickle's own way. An unknown type is looked at once."""

    def __init__(self, session: Session) -> None:
        super().__init__()
        self.session = session

    def __missing__(self, kind: type) -> Reducer | None:
        found = self._look(kind)
        self[kind] = found
        return found

    def _look(self, kind: type) -> Reducer | None:
        given = self.session.reducers
        user = next((b for b in kind.__mro__ if b in given), None) if given else None
        if user is not None:
            made = given[user]
            return lambda _session, thing: made(thing)
        # A class of the program's is not kept beyond one save: it may end before the next.
        reducer = _settled(kind) if kind.__flags__ & _IMMUTABLE else _ours(kind)
        special = self.session.look(kind) if self.session.look is not None else None
        if special is not None:
            reducer = _first(special, reducer)
        return _or_own(reducer) if kind in self.session.own_types else reducer


def _first(special: Reducer, reducer: Reducer | None) -> Reducer:
    def special_or(session: Session, thing: Any) -> Any:
        reduced = special(session, thing)
        if reduced is not NotImplemented or reducer is None:
            return reduced
        return reducer(session, thing)

    return special_or


def _or_own(reducer: Reducer | None) -> Reducer:
    def own_or(session: Session, thing: Any) -> Any:
        slot = session.own.get(id(thing))
        if slot is not None:
            return holes.own, (slot,)
        return NotImplemented if reducer is None else reducer(session, thing)

    return own_or


def _ours(kind: type) -> Reducer | None:
    for source in (functions, holes, views, iterators, tensors):
        exact: dict[type, Reducer] = source.REDUCERS
        if kind in exact:
            return exact[kind]
    for look in (tensors.look, views.look):
        found: Reducer | None = look(kind)
        if found is not None:
            return found
    for source in (functions, holes):
        bases: dict[type, Reducer] = source.SUBCLASSES
        for base, reducer in bases.items():
            if issubclass(kind, base):
                return reducer
    return holes.refusal(kind) or islands.look(kind)


_settled = functools.cache(_ours)
