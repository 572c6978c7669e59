"""What a program has registered with `atexit`.

The module tells nobody what it holds, so its `register` is another one while a program runs: it
hands on what it is given, remembers it, and shows in no traceback. What libraries register for
themselves is theirs: their imports, or what the program calls, do so again.

What can still go wrong: what a library registers when the program calls it, and that call is not
made again; what libraries register late is called before what the program had registered.
"""

from __future__ import annotations

import atexit
from collections import Counter
from collections.abc import Callable, Collection, Iterable
from typing import Any, TypeAlias

from resume.interpreter import namespace_of_caller, unseen

Registered: TypeAlias = "tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any]]"

_hand_on: Any = atexit.register
_noted: list[tuple[str, Registered]] = []
"""What was registered, with the name of the module whose code did so."""


def begin() -> None:
    """Remember from now on what is registered."""
    _noted.clear()
    atexit.register = _register


def end() -> None:
    """Remember no more."""
    atexit.register = _hand_on


@unseen
def _register(*args, **kwargs):  # type: ignore[no-untyped-def] # noqa: ANN002, ANN003, ANN202 # pragma: no cover
    found = _hand_on(*args, **kwargs)
    caller = namespace_of_caller()  # type: ignore[no-untyped-call]
    _noted.append((caller.get("__name__"), (args[0], args[1:], kwargs)))
    return found


_register.__name__ = _register.__qualname__ = "register"
_register.__module__, _register.__doc__ = "atexit", _hand_on.__doc__


class _Spy:
    """Is compared with all that is registered, and equal to nothing."""

    __hash__ = None  # type: ignore[assignment]

    def __init__(self) -> None:
        self.met: list[Any] = []

    def __eq__(self, other: object) -> bool:
        self.met.append(other)
        return False


def registered(modules: Collection[str]) -> list[tuple[str, Registered]]:
    """What the code of these modules has registered, and which, in order; less what is no more."""
    spy = _Spy()
    atexit.unregister(spy)  # type: ignore[arg-type]
    there = Counter(map(id, spy.met))
    found = []
    for module, each in reversed(_noted):  # what is unregistered goes as a whole: the last count
        there[id(each[0])] -= 1
        if module in modules and there[id(each[0])] >= 0:
            found.append((module, each))
    return found[::-1]


def register_again(modules: Collection[str], saved: Iterable[tuple[str, Registered]]) -> None:
    """Register what was saved, in place of what the definitions of these modules registered."""
    for _, (function, _, _) in registered(modules):
        atexit.unregister(function)
    for module, (function, args, named) in saved:
        _hand_on(function, *args, **named)
        _noted.append((module, (function, args, named)))
