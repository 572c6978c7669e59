"""What lies inside an anchor: how it is saved apart, made blank, and put back in place."""

from __future__ import annotations

import collections
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from resume.pickling import sets, tensors, views
from resume.pickling.anchors import Anchor, inherits, slots_of
from resume.pickling.builders import builder
from resume.pickling.session import Session

_LONG = 1000
_ATOMS = frozenset({int, float, complex, bool, str, bytes, type(None)})


@builder
@dataclass(frozen=True, slots=True)
class Place:
    """Stands in a blueprint for another anchor's object."""

    index: int


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
        covers = "" if tensors.covers_storage(thing) else " part"
        return f"{name} {thing.dtype} {tuple(thing.shape)} {thing.device}{covers}"
    if kind == "deque" and type(thing) is collections.deque:
        return f"{name} {thing.maxlen}"
    if kind == "bytearray" and type(thing) is bytearray:
        return f"{name} {len(thing)}"
    return name


def blueprint(  # noqa: PLR0911 - one line a kind
    anchor: Anchor, session: Session, places: Mapping[int, int]
) -> Any:
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


def _is_window(thing: Any, session: Session) -> bool:
    """Whether the array *thing* looks into the memory of another anchor, which brings the items."""
    reduced = NotImplemented if views.base_of(thing) is None else views.reduce_view(session, thing)
    return reduced is not NotImplemented and id(reduced[1][0]) in session.anchored


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


def contents(anchor: Anchor, session: Session) -> Any:  # noqa: PLR0911 - one line a kind
    """What has to be put into *anchor*, as plain data and references."""
    thing = anchor.thing
    match anchor.kind:
        case "list" | "bytearray" | "deque":
            return list(thing) if anchor.kind != "bytearray" else bytes(thing)
        case "dict":
            factory = getattr(thing, "default_factory", None)
            return (dict(thing), factory, dict(getattr(thing, "__dict__", {})))
        case "set":
            return (list(thing), sets.table_of(session, thing))
        case "array":
            return None if _is_window(thing, session) else views.RawArray(thing)
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


def is_flat(kind: str, content: Any) -> bool:
    """Whether a long *content* of an anchor holds numbers and text alone, and no set anywhere.

    To ask takes a tenth of what the hook for sets takes, which is asked about every item.
    """
    match kind, content:
        case ("list" | "deque", items):
            return len(items) >= _LONG and set(map(type, items)) <= _ATOMS
        case ("dict", (items, None, attributes)):
            return (
                len(items) >= _LONG
                and not attributes
                and set(map(type, items)) <= _ATOMS
                and set(map(type, items.values())) <= _ATOMS
            )
    return False


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


def put_set(live: set[Any], items: list[Any], table: Any) -> bool:
    """Make *live* hold *items*; True where they iterate in their saved order."""
    return sets.fill(live, items, table)


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
    is_elsewhere = views.address(live) != views.address(content)
    if not live.flags.writeable and (is_elsewhere or content.flags.writeable):
        live.setflags(write=True)
    if is_elsewhere:
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
        if inherits(type(live), "__getstate__"):
            held.clear()
        held.update(plain)
    for name, slot in slots_of(type(live)).items():
        if slots is not None and name in slots:
            slot.__set__(live, slots[name])
        elif inherits(type(live), "__getstate__"):
            try:
                slot.__delete__(live)
            except AttributeError:
                continue
