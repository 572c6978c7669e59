"""Anchors: objects that others hold too, so they keep their identity over a restore.

Their places in the pickler's memo are taken before the first root, so the graph only refers to
them; their contents are saved apart, and put into the living object in place. Mutable objects
inside an anchor are anchors as well, known by their way from it (`self.layers[0]`).
"""

from __future__ import annotations

import collections
import copyreg
import enum
import logging
import types
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np

from resume.pickling import functions, holes, tensors, views
from resume.pickling.reducers import Table
from resume.pickling.session import Session

Step: TypeAlias = "tuple[str, Any]"

WIDE = 1_000
"""Containers with more items are not descended into."""
NOT_FOUND = ("?", None)
"""The step of an anchor that no living object stands for."""
EMPTY = ("given", "external", "keep", "class")
"""Kinds without contents."""
DEEP = 12
"""Steps from a root at which the search for anchors ends: a chain is no structure."""
MOST = 5_000
"""Anchors of one save at most; what lies deeper is saved by value."""
_SIMPLE_KEYS = (str, int, float, bool, type(None))
_PLAIN: dict[Any, str] = {
    list: "list",
    dict: "dict",
    set: "set",
    bytearray: "bytearray",
    collections.deque: "deque",
}
_DICTS = (collections.OrderedDict, collections.Counter, collections.defaultdict)
_NEVER = (
    type,
    types.ModuleType,
    types.FunctionType,
    types.MethodType,
    types.BuiltinFunctionType,
    logging.Logger,
    enum.Enum,
    BaseException,
    str,
    bytes,
    int,
    float,
    complex,
    tuple,
    frozenset,
    type(None),
)
_OPAQUE = (logging.Logger, enum.Enum, type, types.ModuleType, types.FunctionType)
_HOLDERS = (list, tuple, collections.deque, dict)
_BARE = frozenset({list, tuple, dict})
"""Types whose instances hold their items, and nothing else."""


@dataclass
class Anchor:
    """One object that keeps its identity."""

    thing: Any
    root: str
    """Name of the first root that it was found under."""
    steps: tuple[Step, ...]
    path: str
    kind: str
    names: list[str] = field(default_factory=list)
    """Every root that is this object itself."""


def find_anchors(
    given: Mapping[str, Any], table: Table, shallow: Collection[str], taken: Collection[int]
) -> tuple[list[Anchor], dict[str, Any]]:
    """The anchors under *given*, breadth first, and the roots that can only go by value.

    Args:
        given: By name.
        table: Tells which types have a reducer of their own.
        shallow: Names under which no parts are looked for.
        taken: Ids of objects that stand for themselves already.
    """
    found: dict[int, Anchor] = {}
    by_value: dict[str, Any] = {}
    waiting: collections.deque[Anchor] = collections.deque()
    for name, thing in given.items():
        if id(thing) in found:
            found[id(thing)].names.append(name)
            continue
        if name not in shallow:
            waiting.append(Anchor(thing, name, (), name, ""))
        kind = None if id(thing) in taken else kind_of(thing, table)
        if kind is None:
            by_value[name] = thing
        else:
            found[id(thing)] = Anchor(thing, name, (), name, kind, [name])
    known: set[type] = set()
    for anchor in list(found.values()):
        _add_needed(found, anchor, taken, known)
    seen = {id(thing) for thing in given.values()} | set(taken)
    while waiting and len(found) < MOST:
        holder = waiting.popleft()
        for part in _parts_of(holder, seen):
            kind = kind_of(part.thing, table)
            if kind is not None and id(part.thing) not in found:
                part.kind = kind
                found[id(part.thing)] = part
                _add_needed(found, part, taken, known)
            if type(part.thing) not in table.session.own_types:  # a checkpoint: its files, its lock
                waiting.append(part)
    return list(found.values()), by_value


def _parts_of(holder: Anchor, seen: set[int]) -> Iterator[Anchor]:
    if len(holder.steps) >= DEEP:
        return
    for step, label, thing in parts(holder.thing):
        if id(thing) not in seen and not isinstance(thing, _SIMPLE_KEYS):
            seen.add(id(thing))
            yield Anchor(thing, holder.root, (*holder.steps, step), holder.path + label, "")


def externals(given: Mapping[str, Any]) -> list[Anchor]:
    """Anchors that are only referred to: the program brings them itself."""
    found: dict[int, Anchor] = {}
    for name, thing in given.items():
        if not isinstance(thing, _NEVER) or _is_local_class(thing):
            found.setdefault(id(thing), Anchor(thing, name, (), name, "external", [name]))
    return list(found.values())


def _is_local_class(thing: Any) -> bool:
    return isinstance(thing, type) and "<locals>" in thing.__qualname__


def _add_needed(
    found: dict[int, Anchor], anchor: Anchor, taken: Collection[int], known: set[type]
) -> None:
    """What a blank of *anchor* must share with the graph: the base of a view, local classes.

    Args:
        found: Anchors by id, and what is needed is put there too.
        anchor: One of them.
        taken: Ids of objects that stand for themselves already.
        known: Types whose classes are there; filled.
    """
    thing, name = anchor.thing, anchor.root
    if anchor.kind == "array":
        base = views.base_of(thing)
        if base is not None and id(base) not in found and id(base) not in taken:
            steps = (*anchor.steps, ("a", "base"))
            found[id(base)] = Anchor(base, name, steps, f"{anchor.path}.base", "array")
            _add_needed(found, found[id(base)], taken, known)
    if type(thing) is np.random.Generator and id(thing.bit_generator) not in found:
        inner = thing.bit_generator
        if id(inner) not in taken:
            steps = (*anchor.steps, ("a", "bit_generator"))
            found[id(inner)] = Anchor(inner, name, steps, f"{anchor.path}.bit_generator", "object")
    if anchor.kind == "object" and type(thing) not in known:
        known.add(type(thing))
        for index, base in enumerate(type(thing).__mro__):
            if id(base) not in found and id(base) not in taken and _is_local(base):
                path = f"{base.__module__}.{base.__qualname__}"
                found[id(base)] = Anchor(base, name, (*anchor.steps, ("c", index)), path, "class")


def _is_local(kind: type) -> bool:
    return functions.find(kind.__module__, kind.__qualname__) is not kind


def can_anchor(thing: Any) -> bool:
    """Whether *thing* can keep its identity over a restore, its contents put back in place."""
    return kind_of(thing, Table(Session())) is not None


def kind_of(thing: Any, table: Table) -> str | None:  # noqa: PLR0911 - one line a kind
    """How the contents of *thing* can be put back in place; None where they cannot."""
    kind = type(thing)
    if kind in _PLAIN:
        return _PLAIN[kind]
    if kind in _DICTS:
        return "dict"
    if isinstance(thing, _NEVER) or id(thing) in table.session.own:
        return None
    if kind is np.ndarray:
        return _kind_of_array(thing)
    if kind is np.random.Generator:
        return "keep"
    if tensors.is_tensor(thing):
        return "tensor" if tensors.covers_storage(thing) else None
    if kind in holes.KEPT or isinstance(thing, holes.KEPT_SUBCLASSES):
        return "keep"
    return _kind_of_instance(thing, kind, table)


def _kind_of_array(thing: Any) -> str | None:
    if thing.dtype.kind not in views.RAW_KINDS + "O":
        return None
    # What looks into another object's memory (a bytearray, a tensor) is made again as such a view.
    base = views.base_of(thing)
    while type(base) is np.ndarray:
        base = views.base_of(base)
    return "array" if base is None else None


def _kind_of_instance(thing: Any, kind: type, table: Table) -> str | None:
    session = table.session
    is_taken = kind in session.reducers or kind in copyreg.dispatch_table
    if is_taken or holes.is_global(thing):
        return None
    if table[kind] is not None and kind not in holes.GENERATORS and not tensors.owns(kind):
        return None
    if hasattr(kind, "__next__") and not hasattr(thing, "__dict__"):
        return None  # iterators of the interpreter are made over what they walk, never filled
    if hasattr(kind, "__setstate__") or kind is types.SimpleNamespace:
        return "object"
    default = inherits(kind, "__reduce_ex__") and inherits(kind, "__reduce__")
    has_state = hasattr(thing, "__dict__") or bool(slots_of(kind))
    return "object" if default and has_state else None


def inherits(kind: type, name: str) -> bool:
    """Whether *kind* has the method *name* from `object`."""
    return getattr(kind, name) is getattr(object, name)


def parts(thing: Any) -> Iterator[tuple[Step, str, Any]]:
    """What *thing* holds, each with the step that leads there and how a person writes it."""
    if isinstance(thing, _HOLDERS) and len(thing) <= WIDE:
        yield from _items(thing)
    kind = type(thing)
    if kind in _BARE:
        return
    named = _NAMED.get(kind)
    if named is not None:
        yield ("a", named), f".{named}", getattr(thing, named)
    elif tensors.is_tensor(thing):
        if thing.is_leaf and thing.grad is not None:
            yield ("a", "grad"), ".grad", thing.grad
    elif kind is not np.ndarray and not isinstance(thing, _OPAQUE) and not _is_closed(kind):
        for name, item in attributes(thing).items():
            yield ("a", name), f".{name}", item


_NAMED: dict[Any, str] = {np.random.Generator: "bit_generator", types.MethodType: "__self__"}


def _items(thing: Any) -> Iterator[tuple[Step, str, Any]]:
    if isinstance(thing, dict):
        for key, item in thing.items():
            if type(key) in _SIMPLE_KEYS:
                yield ("k", key), f"[{key!r}]", item
    else:
        yield from ((("i", i), f"[{i}]", item) for i, item in enumerate(thing))


def _is_closed(kind: type) -> bool:
    # What its own __getstate__ gives need not be its attributes; with torch's classes it is.
    return not inherits(kind, "__getstate__") and not tensors.owns(kind)


def attributes(thing: Any) -> dict[str, Any]:
    """Attributes of *thing* in its dict and its slots, read without properties."""
    found = dict(getattr(thing, "__dict__", None) or {})
    for name, slot in slots_of(type(thing)).items():
        try:
            found[name] = slot.__get__(thing)
        except AttributeError:
            continue
    return found


def slots_of(kind: type) -> dict[str, Any]:
    """The descriptors of all slots of *kind*, by name."""
    return {
        name: value
        for base in kind.__mro__
        if "__slots__" in vars(base)
        for name, value in vars(base).items()
        if isinstance(value, types.MemberDescriptorType)
    }


def follow(thing: Any, steps: tuple[Step, ...]) -> Any:
    """The part of *thing* at the end of *steps*.

    Raises:
        LookupError: There is no such part.
    """
    for how, key in steps:
        if how == NOT_FOUND[0]:
            raise LookupError("it has no place of its own")
        if how == "c":
            thing = type(thing).__mro__[key]
        elif how == "a":
            held = getattr(thing, "__dict__", None) or {}
            if key == "base" and type(thing) is np.ndarray:
                thing = views.base_of(thing)
                continue
            thing = held[key] if key in held else _plain_attribute(thing, key)
        else:
            try:
                thing = thing[key]
            except (TypeError, ValueError) as why:
                raise LookupError(str(why)) from why
    return thing


def _plain_attribute(thing: Any, name: str) -> Any:
    try:
        return object.__getattribute__(thing, name)
    except AttributeError as why:
        raise LookupError(str(why)) from why
