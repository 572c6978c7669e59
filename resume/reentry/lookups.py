"""What a name or an attribute is, told without running any code of the program.

Goal: know which function a call runs, in the middle of the program, from outside.

What does not work: `getattr` (properties, `__getattr__`, `__getattribute__`), `isinstance` (asks
`__class__`), `vars` and `cls.__mro__` (a metaclass may answer), and `inspect.getattr_static` (it
does not say what the attribute would have been bound to).

What we do: follow the steps of the interpreter's own lookup by C functions alone, and give up with
a reason (`Unclear`) at the first step that could run something else.

What can still go wrong: a key in an object's `__dict__` that is no string, and compares by code.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import (
    BuiltinFunctionType,
    ClassMethodDescriptorType,
    FunctionType,
    GetSetDescriptorType,
    MemberDescriptorType,
    MethodDescriptorType,
    MethodType,
    ModuleType,
    WrapperDescriptorType,
)
from typing import Any


class Unclear(Exception):  # noqa: N818 - no error: a save waits
    """What something is cannot be told without running code; the text says why."""


@dataclass(frozen=True, slots=True)
class Found:
    """The value of an attribute."""

    value: Any
    is_method: bool
    """A plain function of the class (or module): looked up again it is the same."""


MISSING: Any = object()

_C_METHODS = (
    *(MethodDescriptorType, WrapperDescriptorType, ClassMethodDescriptorType),
    *(BuiltinFunctionType, type(functools.partial.__new__)),
)
_MRO, _DICT, _NAME = (type.__dict__[name] for name in ("__mro__", "__dict__", "__qualname__"))


def is_of(value: object, cls: type) -> bool:
    """Tell whether *value* is an object of a class; `isinstance` would ask its `__class__`."""
    return _is_below(type(value), cls)


def is_any(value: object, kinds: Iterable[type]) -> bool:
    """Tell whether *value* is of exactly one of these types; a set would ask for their hashes."""
    kind = type(value)
    return any(kind is each for each in kinds)


def _is_below(cls: type, above: type) -> bool:
    return any(each is above for each in _MRO.__get__(cls))


def is_class(value: object) -> bool:
    """Tell whether *value* is a class."""
    return is_of(value, type)


def name_of_class(cls: type) -> str:
    """Return the qualified name of a class, whatever its metaclass answers."""
    return str(_NAME.__get__(cls))


def in_classes(cls: type, name: str, *, behind: type | None = None) -> Any:
    """Return what the first class in the method resolution order has under *name*, or `MISSING`.

    Args:
        cls: The class.
        name: The attribute.
        behind: Only classes behind this one, as `super` does.
    """
    is_behind = behind is None
    for each in _MRO.__get__(cls):
        if not is_behind:
            is_behind = each is behind
            continue
        names = _DICT.__get__(each)
        if name in names:
            return names[name]
    return MISSING


def attribute(owner: Any, name: str) -> Found:
    """Return what `owner.name` is.

    Raises:
        Unclear: Only running code would tell.
    """
    if type(owner) is super:
        return _of_super(owner, name)
    kind = type(owner)
    getter = in_classes(kind, "__getattribute__")
    if type(getter) is not WrapperDescriptorType or getter is super.__dict__["__getattribute__"]:
        raise Unclear(f"`.{name}` goes through a `__getattribute__`")
    if is_class(owner):
        return _of_class(owner, name)
    on_class = in_classes(kind, name)
    if type(on_class) is MemberDescriptorType:
        return Found(_slot(on_class, owner, name), is_method=False)
    if on_class is not MISSING and _is_data(on_class):
        raise Unclear(f"`.{name}` is {_shown(on_class)}, which runs code")
    own = own_names(owner)
    if name in own:
        return Found(own[name], is_method=type(owner) is ModuleType)
    if on_class is MISSING:
        raise Unclear(f"{name_of_class(kind)} has no `.{name}` of its own")
    return _bound(on_class, owner, kind, name)


def own_names(owner: Any) -> Mapping[str, Any]:
    """Return the `__dict__` of an object, or an empty one where it has none."""
    entry = in_classes(type(owner), "__dict__")
    if not is_any(entry, (GetSetDescriptorType, MemberDescriptorType)):
        return {}
    try:
        found = entry.__get__(owner)
    except (TypeError, AttributeError):  # that of another class, or none after all
        return {}
    return found if type(found) is dict else {}


def method_behind(cls: type, owner: Any, name: str) -> Found:
    """Return what `super(cls, owner).name` is.

    Raises:
        Unclear: Only running code would tell.
    """
    start = next((each for each in _possible_starts(owner) if _is_below(each, cls)), None)
    if start is None:
        raise Unclear(f"`super()` is asked for a class that {name_of_class(type(owner))} is not of")
    raw = in_classes(start, name, behind=cls)
    if raw is MISSING:
        raise Unclear(f"no class above has `.{name}`")
    return _bound(raw, owner, start, name)


def _possible_starts(owner: Any) -> Iterator[type]:
    if is_class(owner):
        yield owner
    yield type(owner)


def _of_super(owner: super, name: str) -> Found:
    members = super.__dict__
    cls, self = (members[each].__get__(owner) for each in ("__thisclass__", "__self__"))
    if self is None:
        raise Unclear("a `super` of no object")
    return method_behind(cls, self, name)


def _of_class(owner: type, name: str) -> Found:
    on_meta = in_classes(type(owner), name)
    if on_meta is not MISSING and _is_data(on_meta):
        raise Unclear(f"`.{name}` is {_shown(on_meta)}, which runs code")
    raw = in_classes(owner, name)
    if raw is not MISSING:
        if type(raw) is FunctionType:
            return Found(raw, is_method=True)
        return _bound(raw, None, owner, name)
    if on_meta is MISSING:
        raise Unclear(f"{name_of_class(owner)} has no `.{name}`")
    return _bound(on_meta, owner, type(owner), name)


def _bound(raw: Any, owner: Any, cls: type, name: str) -> Found:
    """Return what an attribute of a class becomes when it is asked for by an object."""
    if type(raw) is FunctionType:
        return Found(MethodType(raw, owner), is_method=True)
    if is_any(raw, (classmethod, staticmethod)):
        inner = raw.__func__
        if type(inner) is not FunctionType:
            return Found(inner, is_method=False)
        return Found(MethodType(inner, cls) if type(raw) is classmethod else inner, is_method=True)
    if is_any(raw, _C_METHODS):
        return Found(raw, is_method=True)
    if in_classes(type(raw), "__get__") is not MISSING:
        raise Unclear(f"`.{name}` is {_shown(raw)}, which runs code")
    return Found(raw, is_method=False)


def _slot(member: MemberDescriptorType, owner: Any, name: str) -> Any:
    try:
        return member.__get__(owner)
    except (AttributeError, TypeError):
        raise Unclear(f"`.{name}` has no value now") from None


def _is_data(value: Any) -> bool:
    kind = type(value)
    return any(in_classes(kind, name) is not MISSING for name in ("__set__", "__delete__"))


def _shown(value: Any) -> str:
    return f"a {name_of_class(type(value))}"
