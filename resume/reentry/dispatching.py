"""Functions by `functools.singledispatch`: what a program has registered with them.

Their decorators (`@show.register`) do not run again: they are the program's own. So what they have
registered is part of the state.
"""

from __future__ import annotations

import functools
from typing import Any

from resume.pickling.builders import builder

_CODE = getattr(functools.singledispatch(len), "__code__")  # noqa: B009 - typeshed lacks it


def is_dispatching(thing: Any) -> bool:
    """Whether *thing* chooses by the type of its first argument."""
    return getattr(thing, "__code__", None) is _CODE


def registered(thing: Any) -> list[tuple[type, Any]]:
    """Types with what is called for them; without the function that was decorated."""
    mine = thing.__wrapped__
    return [(kind, each) for kind, each in thing.registry.items() if each is not mine]


@builder
def dispatching_function(function: Any) -> Any:
    """Decorate *function* again."""
    return functools.singledispatch(function)


@builder
def register_again(target: Any, known: list[tuple[type, Any]]) -> None:
    """Give *target* what was registered with it."""
    for kind, function in known:
        target.register(kind, function)
