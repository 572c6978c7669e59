"""The way to the object that cannot be saved: `loader.workers[0].socket`."""

from __future__ import annotations

import pickle
import types
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from resume.pickling import functions
from resume.pickling.reducers import Table
from resume.pickling.session import Session, Unsavable

LIMIT = 300_000
"""Objects looked at on the search for one culprit."""
ATOMS = frozenset({type(None), bool, int, float, complex, str, bytes, bytearray})
TOO_DEEP = "its parts are nested too deeply for pickle"
_FLATTEN = "keep them in a list instead of a chain, or leave the variable out with exclude="
_CONTAINERS = frozenset({list, tuple, set, frozenset, dict})


@dataclass(frozen=True, slots=True)
class Culprit:
    """What stands in the way."""

    path: str
    type: str
    why: str
    remedy: str


def type_name(thing: Any) -> str:
    """The type of *thing* as a person writes it: `list`, `numpy.ndarray`."""
    kind = type(thing)
    if kind.__module__ == "builtins":
        return kind.__qualname__
    return f"{kind.__module__}.{kind.__qualname__}"


def find(thing: Any, path: str, why: Exception, session: Session) -> Culprit:
    """Who is behind *why*, which came up when *thing* was saved."""
    if isinstance(why, RecursionError):
        return Culprit(path, type_name(thing), TOO_DEEP, _FLATTEN)
    probe = session.again()
    for _, (here, part) in zip(range(LIMIT), walk(thing, path, probe), strict=False):
        if isinstance(part, Broken):
            return Culprit(here, part.type, part.why, part.remedy)
    return Culprit(path, type_name(thing), _text(why), _remedy(why))


@dataclass(frozen=True, slots=True)
class Broken:
    """Comes out of `walk` where an object cannot be taken apart."""

    type: str
    why: str
    remedy: str


def walk(thing: Any, path: str, session: Session) -> Iterator[tuple[str, Any]]:
    """All that pickle meets under *thing*, in its order, each with its path."""
    table = Table(session)
    seen: set[int] = set()
    kept: list[Any] = []  # what reducers make must not give its id to the next
    waiting = [(path, thing)]
    while waiting:
        here, part = waiting.pop()
        if type(part) in ATOMS or id(part) in seen:
            continue
        seen.add(id(part))
        kept.append(part)
        yield here, part
        try:
            inside = list(children(here, part, table))
        except Exception as why:  # noqa: BLE001 - the user's code runs here
            yield here, Broken(type_name(part), _text(why), _remedy(why))
            return
        waiting += reversed(inside)


def children(path: str, thing: Any, table: Table) -> Iterator[tuple[str, Any]]:
    """What pickle meets right inside *thing*, each with its path."""
    kind = type(thing)
    if kind is dict:
        for key, value in thing.items():
            yield path, key
            yield f"{path}[{key!r}]" if type(key) in ATOMS else f"{path}[...]", value
    elif kind in (list, tuple):
        yield from ((f"{path}[{i}]", item) for i, item in enumerate(thing))
    elif kind in (set, frozenset):
        yield from ((path, item) for item in thing)
    else:
        yield from _reduced(path, thing, table)


def _reduced(path: str, thing: Any, table: Table) -> Iterator[tuple[str, Any]]:
    reducer = table[type(thing)]
    reduced = NotImplemented if reducer is None else reducer(table.session, thing)
    if reduced is NotImplemented:
        if isinstance(thing, type | types.FunctionType):
            pickle.dumps(thing)  # by name: this is where a missing name comes up
            return
        reduced = thing.__reduce_ex__(5)
    if isinstance(reduced, str):
        if functions.find(getattr(thing, "__module__", None), reduced) is not thing:
            raise Unsavable(f"{reduced} cannot be found in its module")
        return
    filled: list[Any] = [*reduced, None, None, None]
    maker, args, state, items, pairs = filled[:5]
    yield path, maker
    if isinstance(thing, types.FunctionType) and isinstance(state, dict):
        yield from _closure(path, thing, state)
        return
    yield from ((path, arg) for arg in args if type(arg) is not pickle.PickleBuffer)
    yield from _state(path, state)
    yield from ((f"{path}[{i}]", item) for i, item in enumerate(items or ()))
    for key, value in pairs or ():
        yield path, key
        yield f"{path}[{key!r}]" if type(key) in ATOMS else f"{path}[...]", value


def _closure(
    path: str, thing: types.FunctionType, state: dict[str, Any]
) -> Iterator[tuple[str, Any]]:
    names = dict(zip(map(id, thing.__closure__ or ()), thing.__code__.co_freevars, strict=True))
    for cell, contents in state["cells"]:
        yield from ((f"{path}.<{names[id(cell)]}>", item) for item in contents)
    for key in ("defaults", "kwdefaults", "annotations"):
        yield path, state[key]
    yield from _state(path, state["dict"])
    if not isinstance(functions.home_of(thing), str):
        yield f"{path}.__globals__", thing.__globals__


def _state(path: str, state: Any) -> Iterator[tuple[str, Any]]:
    parts = state if isinstance(state, tuple) and len(state) == 2 else (state,)
    for part in parts:
        if type(part) is dict and all(type(key) is str for key in part):
            yield from ((f"{path}.{key}", value) for key, value in part.items())
        else:
            yield path, part


def _text(why: Exception) -> str:
    return str(why) if isinstance(why, Unsavable) else f"{type(why).__name__}: {why}"


def _remedy(why: Exception) -> str:
    return why.remedy if isinstance(why, Unsavable) else ""
