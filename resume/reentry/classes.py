"""Classes that no definition makes again (a function has made them), by value.

What does not work: to call the metaclass. Its code, `__init_subclass__` of the bases and
`__set_name__` of what the body holds would run a second time, before the state is there.

What we do: `type.__new__` makes the class, while an `__init_subclass__` that does nothing stands in
place of those of its bases; then it gets its attributes, past any `__setattr__`.

What can still go wrong: who has been registered with an `abc.ABC` that is made so is unknown to it.
"""

from __future__ import annotations

import abc
from _abc import _abc_init  # type: ignore[import-not-found]
from typing import Any

from resume.pickling import functions
from resume.pickling.builders import builder


def reduce_class(thing: type) -> Any:
    """Reduce a class to what it is made of, its attributes still to come."""
    made = functions.class_by_value(thing)
    if made[0] is not functions.local_class:  # an enumeration
        return made
    _, args, state, *rest = made
    return bare_class, args, state, *rest[:2], fill_bare_class


@builder
def bare_class(kind: Any, name: str, bases: tuple[type, ...], body: dict[str, Any]) -> type:
    """A class, made by none of the program's code."""
    above = {each for base in bases for each in base.__mro__[:-1]}
    held = {each: vars(each)[_HOOK] for each in above if _HOOK in vars(each)}
    for each in held:
        type.__setattr__(each, _HOOK, _quiet)
    try:
        made: type = type.__new__(kind, name, bases, body)
    finally:
        for each, hook in held.items():
            type.__setattr__(each, _HOOK, hook)
    if issubclass(kind, abc.ABCMeta):
        _abc_init(made)
    return made


_HOOK = "__init_subclass__"
_quiet = classmethod(lambda _cls, **_options: None)
"""The class knows already that it was made."""


@builder
def fill_bare_class(target: type, state: dict[str, Any]) -> None:
    """Give *target* its attributes."""
    for name, value in state.items():
        type.__setattr__(target, name, value)
    if isinstance(target, abc.ABCMeta):
        abc.update_abstractmethods(target)  # type: ignore[arg-type]
