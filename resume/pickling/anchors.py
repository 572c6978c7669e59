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
import random
import threading
import types
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np

from resume.pickling import functions, holes, sets, tensors, views
from resume.pickling.builders import builder
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
_PLAIN = {
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


@builder
@dataclass(frozen=True, slots=True)
class Place:
    """Stands in a blueprint for another anchor's object."""

    index: int


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
    waiting: collections.deque[tuple[Any, str, tuple[Step, ...], str]] = collections.deque()
    for name, thing in given.items():
        if id(thing) in found:
            found[id(thing)].names.append(name)
            continue
        if name not in shallow:
            waiting.append((thing, name, (), name))
        kind = None if id(thing) in taken else kind_of(thing, table)
        if kind is None:
            by_value[name] = thing
        else:
            found[id(thing)] = Anchor(thing, name, (), name, kind, [name])
    for anchor in list(found.values()):
        _add_needed(found, anchor, taken)
    seen = {id(thing) for thing in given.values()} | set(taken)
    while waiting and len(found) < MOST:
        holder, name, steps, path = waiting.popleft()
        if len(steps) >= DEEP:
            continue
        for step, label, thing in parts(holder):
            if id(thing) in seen or isinstance(thing, _SIMPLE_KEYS):
                continue
            seen.add(id(thing))
            here = (*steps, step)
            kind = kind_of(thing, table)
            if kind is not None and id(thing) not in found:
                found[id(thing)] = Anchor(thing, name, here, path + label, kind)
                _add_needed(found, found[id(thing)], taken)
            waiting.append((thing, name, here, path + label))
    return list(found.values()), by_value


def externals(given: Mapping[str, Any]) -> list[Anchor]:
    """Anchors that are only referred to: the program brings them itself."""
    found: dict[int, Anchor] = {}
    for name, thing in given.items():
        if not isinstance(thing, _NEVER) or _is_local_class(thing):
            found.setdefault(id(thing), Anchor(thing, name, (), name, "external", [name]))
    return list(found.values())


def _is_local_class(thing: Any) -> bool:
    return isinstance(thing, type) and "<locals>" in thing.__qualname__


def _add_needed(found: dict[int, Anchor], anchor: Anchor, taken: Collection[int]) -> None:
    """What a blank of *anchor* must share with the graph: the base of a view, local classes."""
    thing, name = anchor.thing, anchor.root
    if anchor.kind == "array":
        base = views.base_of(thing)
        if base is not None and id(base) not in found and id(base) not in taken:
            steps = (*anchor.steps, ("a", "base"))
            found[id(base)] = Anchor(base, name, steps, f"{anchor.path}.base", "array")
            _add_needed(found, found[id(base)], taken)
    if type(thing) is np.random.Generator and id(thing.bit_generator) not in found:
        inner = thing.bit_generator
        if id(inner) not in taken:
            steps = (*anchor.steps, ("a", "bit_generator"))
            found[id(inner)] = Anchor(inner, name, steps, f"{anchor.path}.bit_generator", "object")
    if anchor.kind == "object":
        for index, base in enumerate(type(thing).__mro__):
            if id(base) not in found and id(base) not in taken and _is_local(base):
                path = f"{base.__module__}.{base.__qualname__}"
                found[id(base)] = Anchor(base, name, (*anchor.steps, ("c", index)), path, "class")


def _is_local(kind: type) -> bool:
    return functions.find(kind.__module__, kind.__qualname__) is not kind


def can_anchor(thing: Any) -> bool:
    """Whether *thing* can keep its identity over a restore, its contents put back in place."""
    return kind_of(thing, Table(Session())) is not None


def kind_of(thing: Any, table: Table) -> str | None:
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
        return "tensor"
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
    if is_taken or thing is getattr(random, "_inst", None) or thing is _global_state():
        return None
    if table[kind] is not None and kind is not random.Random and not tensors.owns(kind):
        return None
    if hasattr(kind, "__next__") and not hasattr(thing, "__dict__"):
        return None  # iterators of the interpreter are made over what they walk, never filled
    if hasattr(kind, "__setstate__") or kind is types.SimpleNamespace:
        return "object"
    default = kind.__reduce_ex__ is object.__reduce_ex__ and kind.__reduce__ is object.__reduce__
    has_state = hasattr(thing, "__dict__") or bool(_slots(kind))
    return "object" if default and has_state else None


def _global_state() -> Any:
    return np.random.mtrand._rand  # type: ignore[attr-defined]  # noqa: SLF001


def parts(thing: Any) -> Iterator[tuple[Step, str, Any]]:
    """What *thing* holds, each with the step that leads there and how a person writes it."""
    kind = type(thing)
    if isinstance(thing, list | tuple | collections.deque):
        if len(thing) <= WIDE:
            yield from ((("i", i), f"[{i}]", item) for i, item in enumerate(thing))
    elif isinstance(thing, dict) and len(thing) <= WIDE:
        for key, item in thing.items():
            if type(key) in _SIMPLE_KEYS:
                yield ("k", key), f"[{key!r}]", item
    if kind is np.ndarray:
        return
    if kind is np.random.Generator:
        yield ("a", "bit_generator"), ".bit_generator", thing.bit_generator
    elif tensors.is_tensor(thing):
        if thing.is_leaf and thing.grad is not None:
            yield ("a", "grad"), ".grad", thing.grad
    elif kind is types.MethodType:
        yield ("a", "__self__"), ".__self__", thing.__self__
    elif not isinstance(thing, _OPAQUE) and not _is_closed(kind):
        for name, item in attributes(thing).items():
            yield ("a", name), f".{name}", item


def _is_closed(kind: type) -> bool:
    # What its own __getstate__ gives need not be its attributes; torch's modules and optimizers are.
    own_state = getattr(kind, "__getstate__", None) is not object.__getstate__
    return own_state and not tensors.owns(kind)


def attributes(thing: Any) -> dict[str, Any]:
    """Attributes of *thing* in its dict and its slots, read without properties."""
    found = dict(getattr(thing, "__dict__", None) or {})
    for name, slot in _slots(type(thing)).items():
        try:
            found[name] = slot.__get__(thing)
        except AttributeError:
            continue
    return found


def _slots(kind: type) -> dict[str, Any]:
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


# ---------------------------------------------------------------- contents


def shape_of(thing: Any, kind: str) -> str:
    """What must be the same for contents to go in place: type, and for arrays dtype and shape."""
    if isinstance(thing, type):
        return f"{thing.__module__}.{thing.__qualname__}"
    name = f"{type(thing).__module__}.{type(thing).__qualname__}"
    if kind == "array" and type(thing) is np.ndarray:
        is_view = views.base_of(thing) is not None
        window = f" {thing.strides} {views.offset_of(thing)}" if is_view else ""
        return f"{name} {thing.dtype} {thing.shape}{window}"
    if kind == "tensor" and tensors.is_tensor(thing):
        return f"{name} {thing.dtype} {tuple(thing.shape)} {thing.device}"
    if kind == "deque" and type(thing) is collections.deque:
        return f"{name} {thing.maxlen}"
    if kind == "bytearray" and type(thing) is bytearray:
        return f"{name} {len(thing)}"
    return name


def blueprint(anchor: Anchor, session: Session, places: Mapping[int, int]) -> Any:
    """What makes a blank like *anchor* where no living object is given: (callable, args)."""
    thing = anchor.thing
    match anchor.kind:
        case "list" | "dict" | "set":
            return (type(thing), ())
        case "bytearray":
            return (bytearray, (len(thing),))  # windows onto it are made before its contents
        case "deque":
            return (collections.deque, ((), thing.maxlen))
        case "array":
            return _array_blueprint(thing, session, places)
        case "tensor":
            return _tensor_blueprint(thing, session, places)
        case "keep":
            return _kept_blueprint(thing, places)
        case "class":
            return (same, (thing,))
        case "given" | "external":
            return None
    maker, args = _reduce(thing, session)[:2]
    return (maker, tuple(_placed(arg, places) for arg in args))


def _placed(arg: Any, places: Mapping[int, int]) -> Any:
    return Place(places[id(arg)]) if isinstance(arg, type) and id(arg) in places else arg


def _array_blueprint(thing: Any, session: Session, places: Mapping[int, int]) -> Any:
    base = views.base_of(thing)
    if base is not None:
        reduced = views.reduce_view(session, thing)
        if reduced is not NotImplemented and id(reduced[1][0]) in places:
            return (views.view, (Place(places[id(reduced[1][0])]), *reduced[1][1:]))
    return (views.blank, (thing.shape, thing.dtype, views.order_of(thing)))


def _tensor_blueprint(thing: Any, session: Session, places: Mapping[int, int]) -> Any:
    array = tensors.lent_by(session, thing)
    if array is None:
        return tensors.blueprint(session, thing)
    return tensors.blueprint_over(Place(places[id(array)]), thing)


def _kept_blueprint(thing: Any, places: Mapping[int, int]) -> Any:
    if type(thing) is np.random.Generator:
        inner = thing.bit_generator
        return (np.random.Generator, (Place(places[id(inner)]) if id(inner) in places else inner,))
    if type(thing) is threading.Condition:
        inner = thing._lock  # type: ignore[attr-defined]  # noqa: SLF001
        return (threading.Condition, (Place(places[id(inner)]) if id(inner) in places else inner,))
    return (same, (thing,))


@builder
def same(thing: Any) -> Any:
    """*thing* itself."""
    return thing


def contents(anchor: Anchor, session: Session) -> Any:
    """What has to be put into *anchor*, as plain data and references."""
    thing = anchor.thing
    match anchor.kind:
        case "list" | "bytearray" | "deque":
            return list(thing) if anchor.kind != "bytearray" else bytes(thing)
        case "dict":
            factory = getattr(thing, "default_factory", None)
            return (dict(thing), factory, dict(getattr(thing, "__dict__", {})))
        case "set":
            return (list(thing), sets.table_size(thing))
        case "array":
            return None if id(views.base_of(thing)) in session.anchored else views.contents(thing)
        case "tensor":
            return tensors.contents(session, thing)
        case "keep" | "given" | "external":
            return None
    reduced = (*_reduce(thing, session), None, None, None, None)
    _, _, state, items, pairs, setter = reduced[:6]
    return (
        state,
        None if items is None else list(items),
        None if pairs is None else list(pairs),
        setter,
    )


def _reduce(thing: Any, session: Session) -> tuple[Any, ...]:
    reducer = tensors.reducer_of(type(thing))
    reduced = NotImplemented if reducer is None else reducer(session, thing)
    if reduced is NotImplemented:
        reduced = thing.__reduce_ex__(5)
    if not isinstance(reduced, tuple):
        raise TypeError(f"{type(thing).__qualname__}.__reduce__ gave a name, not its parts")
    return reduced


def put(live: Any, kind: str, content: Any) -> None:
    """Make *live* hold *content*, as it did when it was saved."""
    match kind:
        case "list" | "bytearray":
            live[:] = content
        case "deque":
            live.clear()
            live.extend(content)
        case "dict":
            _put_dict(live, *content)
        case "set":
            put_set(live, *content)
        case "array":
            if content is not None:
                _put_array(live, content)
        case "tensor":
            tensors.put(live, content)
        case "object":
            _put_state(live, *content)
        case _:
            return


def put_set(live: set[Any], items: list[Any], size: int) -> bool:
    """Make *live* hold *items*; True where they iterate in their saved order."""
    return sets.fill(live, items, size)


def _put_dict(live: Any, items: dict[Any, Any], factory: Any, attributes: dict[str, Any]) -> None:
    base: Any = collections.OrderedDict if isinstance(live, collections.OrderedDict) else dict
    base.clear(live)
    for key, value in items.items():
        base.__setitem__(live, key, value)
    if isinstance(live, collections.defaultdict):
        live.default_factory = factory
    if attributes:
        vars(live).update(attributes)


def _put_array(live: Any, content: Any) -> None:
    if views.address(live) != views.address(content):
        if not live.flags.writeable:
            live.setflags(write=True)
        np.copyto(live, content, casting="no")
    if not content.flags.writeable:
        live.setflags(write=False)


def _put_state(live: Any, state: Any, items: Any, pairs: Any, setter: Any) -> None:
    if items is not None:
        list.__setitem__(live, slice(None), items) if isinstance(live, list) else live.extend(items)
    if pairs is not None:
        if isinstance(live, dict):
            dict.clear(live)
        for key, value in pairs:
            live[key] = value
    if setter is not None:
        setter(live, state)
    elif hasattr(live, "__setstate__"):
        if state is not None:
            live.__setstate__(state)
    elif state is not None:
        _put_attributes(live, state)


def _put_attributes(live: Any, state: Any) -> None:
    plain, slots = state if isinstance(state, tuple) and len(state) == 2 else (state, None)
    if plain is not None:
        held = vars(live)
        if type(live).__getstate__ is object.__getstate__:
            held.clear()
        held.update(plain)
    for name, slot in _slots(type(live)).items():
        if slots is not None and name in slots:
            slot.__set__(live, slots[name])
        elif type(live).__getstate__ is object.__getstate__:
            try:
                slot.__delete__(live)
            except AttributeError:
                continue
