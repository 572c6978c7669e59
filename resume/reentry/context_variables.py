"""Context variables of a program: each comes back with its default, and with the value it had."""

from __future__ import annotations

import contextvars
from typing import Any

from resume.pickling.builders import builder


def reduced(variable: contextvars.ContextVar[Any]) -> Any:
    """Reduce a variable to its name, its default and its value, each of these where it has one."""
    context = contextvars.copy_context()
    value = (context[variable],) if variable in context else ()
    args = (variable.name, _default_of(variable))
    return context_variable, args, value, None, None, set_context_variable


def _default_of(variable: contextvars.ContextVar[Any]) -> tuple[Any, ...]:
    try:
        return (contextvars.Context().run(variable.get),)
    except LookupError:
        return ()


@builder
def context_variable(name: str, default: tuple[Any, ...]) -> contextvars.ContextVar[Any]:
    """Make one; *default* is empty where it has none."""
    if default:
        return contextvars.ContextVar(name, default=default[0])
    return contextvars.ContextVar(name)


@builder
def set_context_variable(variable: contextvars.ContextVar[Any], value: tuple[Any, ...]) -> None:
    """Give it the value that it had, if it had one."""
    for each in value:
        variable.set(each)
