"""Functions, cells, code and classes that no import finds: by value, in the same graph.

What an import finds goes by reference, as in plain pickle. The rest is taken apart here: code
through marshal, globals by their module's name, closures by their cells, so that two functions over
one variable still share it. Order matters for recursion: cells are made empty, then the function,
then the cells are filled from the function's state, when the function is in the memo already.
"""

from __future__ import annotations

import functools
import gc
import importlib
import inspect
import marshal
import sys
import types
from typing import Any

from resume.pickling.builders import bound, builder
from resume.pickling.session import Rebuild, Reducer, Session

TAG = f"{sys.implementation.cache_tag}"
_EMPTY = "empty"


def find(module: str | None, qualname: str) -> Any:
    """What stands under *qualname* in the loaded *module*; None where nothing does."""
    found: Any = sys.modules.get(module or "")
    if found is None or "<locals>" in qualname:
        return None
    for part in qualname.split("."):
        found = getattr(found, part, None)
    return found


# ---------------------------------------------------------------- code and cells


@builder
def code(tag: str, packed: bytes) -> types.CodeType:
    """Code that was marshalled by the interpreter *tag*."""
    if tag != TAG:
        raise ValueError(
            f"it holds the code of a function as {tag} compiles it, and this is {TAG}: "
            "run it with the Python that saved it, or define the function in a module"
        )
    unpacked: types.CodeType = marshal.loads(packed)  # noqa: S302 - as trusted as the pickle
    return unpacked


@builder
def cell() -> types.CellType:
    """An empty cell."""
    return types.CellType()


@builder
def fill_cell(target: types.CellType, contents: tuple[Any, ...]) -> None:
    """Put the one item of *contents* into *target*; nothing where it is empty."""
    if contents:
        target.cell_contents = contents[0]


@bound
def frame_cell(rebuild: Rebuild, name: str) -> types.CellType:
    """The cell of the variable *name* of the frame that is restored."""
    found = None if rebuild.cells is None else rebuild.cells(name)
    return types.CellType() if found is None else found


def contents_of(target: types.CellType) -> tuple[Any, ...]:
    """What the cell holds, as one item; nothing where its variable is not bound."""
    try:
        return (target.cell_contents,)
    except ValueError:  # the variable is not bound yet
        return ()


def _code(_session: Session, thing: types.CodeType) -> Any:
    return code, (TAG, marshal.dumps(thing))


def _cell(session: Session, thing: types.CellType) -> Any:
    if id(thing) in session.frame_cells:
        return frame_cell, (session.frame_cells[id(thing)],)
    if id(thing) in session.filled:
        return cell, ()
    session.filled.add(id(thing))
    return cell, (), contents_of(thing), None, None, fill_cell


# ---------------------------------------------------------------- functions


@bound
def function(
    rebuild: Rebuild,
    packed: types.CodeType,
    home: Any,
    closure: tuple[types.CellType, ...] | None,
    name: tuple[str, str, bool],
) -> types.FunctionType:
    """A function over *packed* code; the rerun's own where `__main__` defines it again."""
    module_name, qualname, is_defined_again = name
    if is_defined_again:
        again = find(module_name, qualname)
        if isinstance(again, types.FunctionType):
            rebuild.found.add(id(again))
            return again
    scope = home if isinstance(home, dict) else module_scope(home)
    made = types.FunctionType(packed, scope, packed.co_name, None, closure)
    made.__module__, made.__qualname__ = module_name, qualname
    return made


def module_scope(name: str) -> dict[str, Any]:
    """The globals of the module *name*, imported where it is not yet."""
    if name not in sys.modules:
        importlib.import_module(name)
    return vars(sys.modules[name])


@bound
def fill_function(rebuild: Rebuild, target: types.FunctionType, state: dict[str, Any]) -> None:
    """Give *target* its cells' contents, defaults and attributes."""
    for target_cell, contents in state["cells"]:
        fill_cell(target_cell, contents)
    if id(target) in rebuild.found:
        return
    target.__defaults__ = state["defaults"]
    target.__kwdefaults__ = state["kwdefaults"]
    target.__name__ = state["name"]
    target.__doc__ = state["doc"]
    target.__dict__.update(state["dict"])
    if state["annotations"]:
        target.__annotations__ = state["annotations"]
    if state.get("type_params"):
        target.__type_params__ = state["type_params"]  # type: ignore[attr-defined]


def _function(session: Session, thing: types.FunctionType) -> Any:
    module_name, qualname = thing.__module__, thing.__qualname__
    importable = find(module_name, qualname) is thing
    if importable and module_name != "__main__":
        return NotImplemented
    closure = thing.__closure__
    fills = [] if closure is None else fills_of(session, thing)
    name = (module_name, qualname, importable and closure is None)
    args = (thing.__code__, home_of(thing), closure, name)
    return function, args, state_of(thing, fills), None, None, fill_function


def state_of(thing: types.FunctionType, fills: list[tuple[Any, Any]]) -> dict[str, Any]:
    """What `fill_function` gives a function back: *fills* are cells with what they hold."""
    return {
        "cells": fills,
        "defaults": thing.__defaults__,
        "kwdefaults": thing.__kwdefaults__,
        "name": thing.__name__,
        "doc": thing.__doc__,
        "dict": dict(thing.__dict__),
        "annotations": _annotations(thing),
        "type_params": getattr(thing, "__type_params__", None),
    }


def _annotations(thing: types.FunctionType) -> dict[str, Any]:
    try:
        return dict(thing.__annotations__)
    except NameError:  # 3.14 evaluates them when asked, and a name may be missing then
        return {}


def fills_of(session: Session, thing: types.FunctionType) -> list[tuple[Any, Any]]:
    """The cells of *thing* that nobody else brings, each with what it holds; they are taken now."""
    fills = []
    for variable, target in zip(thing.__code__.co_freevars, thing.__closure__ or (), strict=True):
        if id(target) in session.filled:
            continue
        name = session.owner_cell(target, variable) if session.owner_cell is not None else None
        if name is not None:
            session.frame_cells[id(target)] = name
            continue
        session.filled.add(id(target))
        fills.append((target, contents_of(target)))
    return fills


def home_of(thing: types.FunctionType) -> Any:
    """Name of the module whose globals *thing* uses, or those globals where no module owns them."""
    scope = thing.__globals__
    name = scope.get("__name__")
    owner = sys.modules.get(name) if isinstance(name, str) else None
    if owner is not None and vars(owner) is scope:
        return name
    return scope


@builder
def method(target: Any, held: Any) -> types.MethodType:
    """The function *target* bound to *held*."""
    return types.MethodType(target, held)


def _method(_session: Session, thing: types.MethodType) -> Any:
    # pickle asks the instance for the name, which is another method where the instance has one of
    # that name itself (torch's schedulers wrap `optimizer.step` so).
    held, name = thing.__self__, getattr(thing.__func__, "__name__", "")
    kind = held if isinstance(held, type) else type(held)
    static = inspect.getattr_static(kind, name, None)
    if isinstance(static, classmethod):
        static = static.__func__
    if static is thing.__func__ and (
        isinstance(held, type) or name not in getattr(held, "__dict__", ())
    ):
        return NotImplemented
    return method, (thing.__func__, held)


# ---------------------------------------------------------------- descriptors


@builder
def cached_function(target: Any, maxsize: int | None, typed: bool) -> Any:  # noqa: FBT001
    """An `lru_cache` over *target*, empty."""
    return functools.lru_cache(maxsize=maxsize, typed=typed)(target)


def _cached(_session: Session, thing: Any) -> Any:
    if find(thing.__module__, thing.__qualname__) is thing:
        return NotImplemented
    how = thing.cache_parameters()
    return cached_function, (thing.__wrapped__, how["maxsize"], how["typed"])


@builder
def mapping_proxy(mapping: Any) -> Any:
    """A read-only view of *mapping*."""
    return types.MappingProxyType(mapping)


def _mapping_proxy(_session: Session, thing: Any) -> Any:
    return mapping_proxy, (gc.get_referents(thing)[0],)


def _property(_session: Session, thing: property) -> Any:
    return property, (thing.fget, thing.fset, thing.fdel, thing.__doc__)


# ---------------------------------------------------------------- classes

_NOT_COPIED = {"__dict__", "__weakref__", "__module__", "__qualname__", "__slots__", "__doc__"}
_NOT_COPIED |= {"__abstractmethods__", "_abc_impl", "__firstlineno__", "__static_attributes__"}


@builder
def local_class(kind: Any, name: str, bases: tuple[type, ...], body: dict[str, Any]) -> type:
    """A class that no import finds, its attributes still to come; as `__main__` has it, if so."""
    again = find(body["__module__"], body["__qualname__"])
    if body["__module__"] == "__main__" and isinstance(again, type):
        return again
    made: type = types.new_class(name, bases, {"metaclass": kind}, lambda ns: ns.update(body))
    return made


@builder
def fill_class(target: type, state: dict[str, Any]) -> None:
    """Give *target* its attributes, unless it is the rerun's own."""
    if find(target.__module__, target.__qualname__) is target:
        return
    for name, value in state.items():
        setattr(target, name, value)
    if hasattr(target, "__abstractmethods__"):
        import abc  # noqa: PLC0415

        abc.update_abstractmethods(target)


@builder
def local_enum(name: str, bases: tuple[type, ...], names: tuple[str, str], members: Any) -> type:
    """An enumeration that no import finds."""
    module_name, qualname = names
    again = find(module_name, qualname)
    if isinstance(again, type):
        return again
    import enum  # noqa: PLC0415

    kind: Any = enum.EnumMeta
    body = kind.__prepare__(name, bases)
    for member, value in members:
        body[member] = value
    body["__module__"], body["__qualname__"] = module_name, qualname
    made: type = kind(name, bases, body)
    return made


def _class(_session: Session, thing: type) -> Any:
    if find(thing.__module__, thing.__qualname__) is thing or thing.__module__ == "builtins":
        return NotImplemented
    return class_by_value(thing)


def class_by_value(thing: type) -> tuple[Any, ...]:
    """What makes a class like *thing* anew, whether an import would find it or not."""
    import enum  # noqa: PLC0415

    if issubclass(thing, enum.Enum):
        return _enum(thing)
    attributes = dict(vars(thing))
    body: dict[str, Any] = {
        key: attributes[key] for key in ("__module__", "__doc__", "__slots__") if key in attributes
    }
    body["__module__"] = thing.__module__
    body["__qualname__"] = thing.__qualname__
    slots = attributes.get("__slots__", ())
    slots = {slots} if isinstance(slots, str) else set(slots)
    state = {
        key: value
        for key, value in attributes.items()
        if key not in _NOT_COPIED
        and not (key in slots and isinstance(value, types.MemberDescriptorType))
        and not isinstance(value, types.GetSetDescriptorType)
    }
    return (
        local_class,
        (type(thing), thing.__name__, thing.__bases__, body),
        state,
        None,
        None,
        fill_class,
    )


def _enum(thing: Any) -> tuple[Any, ...]:
    members = [(name, member.value) for name, member in thing.__members__.items()]
    extra = [
        (name, value)
        for name, value in vars(thing).items()
        if name not in thing.__members__
        and isinstance(value, types.FunctionType | property)
        and getattr(value, "__qualname__", "").startswith(f"{thing.__qualname__}.")
    ]
    names = (thing.__module__, thing.__qualname__)
    return local_enum, (thing.__name__, thing.__bases__, names, members + extra)


REDUCERS: dict[type, Reducer] = {
    types.FunctionType: _function,
    types.CodeType: _code,
    types.CellType: _cell,
    types.MethodType: _method,
    types.MappingProxyType: _mapping_proxy,
    property: _property,
    staticmethod: lambda _s, thing: (staticmethod, (thing.__func__,)),
    classmethod: lambda _s, thing: (classmethod, (thing.__func__,)),
    functools._lru_cache_wrapper: _cached,  # noqa: SLF001 - its only name
}
SUBCLASSES: dict[type, Reducer] = {type: _class}
