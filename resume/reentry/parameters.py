"""Type parameters (`def first[T]`): objects that no name of the module leads to.

Goal: what a function, class or alias of the program was declared over is, behind a restore, what
its definition has made again. So it goes as the name of what declares it, and its number there.

One of a function inside a function is made by value: nobody else brings it, and in one graph it
stays the same object in all that holds it.
"""

from __future__ import annotations

import types
import typing
from collections.abc import Iterator, Mapping
from typing import Any

from resume.pickling.builders import builder

KINDS: tuple[type, ...] = (typing.TypeVar, typing.ParamSpec, typing.TypeVarTuple)


def declared_by(namespace: Mapping[str, Any], parameter: Any) -> tuple[str, int] | None:
    """Return what declares a type parameter, as a qualified name, and its place there.

    None: nothing does that the names of the module lead to.
    """
    for qualname, thing in _declaring(namespace, ""):
        for number, each in enumerate(parameters_of(thing)):
            if each is parameter:
                return qualname, number
    return None


def parameters_of(thing: Any) -> tuple[Any, ...]:
    """Return what a function, class or alias was declared over."""
    held = vars(thing) if isinstance(thing, type) else {}
    found = held.get("__type_params__", ()) if held else getattr(thing, "__type_params__", ())
    return found if isinstance(found, tuple) else ()


def _declaring(namespace: Mapping[str, Any], within: str) -> Iterator[tuple[str, Any]]:
    for name, value in namespace.items():
        if isinstance(value, (staticmethod, classmethod)):
            value = value.__func__  # noqa: PLW2901
        qualname = f"{within}{name}"
        if isinstance(value, (types.FunctionType, *_ALIASES)):
            yield qualname, value
        elif isinstance(value, type) and value.__qualname__ == qualname:
            yield qualname, value
            yield from _declaring(dict(vars(value)), f"{qualname}.")


_ALIASES: tuple[type, ...] = tuple(
    filter(None, [getattr(typing, "TypeAliasType", None)])  # from 3.12 on
)


def by_value(parameter: Any) -> Any:
    """Reduce it to what it was declared with."""
    given = {
        "bound": getattr(parameter, "__bound__", None),
        "infer_variance": getattr(parameter, "__infer_variance__", False),
        "covariant": getattr(parameter, "__covariant__", False),
        "contravariant": getattr(parameter, "__contravariant__", False),
    }
    if getattr(parameter, "has_default", bool)():  # from 3.13 on
        given["default"] = parameter.__default__
    options = {name: value for name, value in given.items() if value}
    constraints = getattr(parameter, "__constraints__", ())
    args = (type(parameter), parameter.__name__, constraints, options, parameter.__module__)
    return type_parameter, args


@builder
def type_parameter(
    kind: Any, name: str, constraints: tuple[Any, ...], options: dict[str, Any], module: str
) -> Any:
    """One of the same name and the same bounds."""
    made = kind(name, *constraints, **options)
    made.__module__ = module
    return made
