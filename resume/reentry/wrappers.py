"""What stands in place of a function that is saved while it runs, and shows nowhere.

Goal: to be told of each call, and to leave no trace: in tracebacks, in `f_back`, in the depth that
other code sees, and above all between two frames of the program, which must be one plain call.

What does not work: a function around it as decorators make them. Its frame would stand between the
two, and in a resumed run it would not.

What we do: the frames of a wrapper are unseen (`interpreter.unseen`). Which function a wrapper is
for stands in its closure, where the proof of a call edge looks it up (`behind`). All wrappers run
the same code, so they are known by it.

What can still go wrong: a call counts twice for the recursion limit.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from types import CellType, CodeType, FunctionType
from typing import Any, Protocol

from resume.interpreter import unseen


class Invocation(Protocol):
    """One call, from its beginning to its end."""

    target: Callable[[], Any]
    """Runs the function; itself it has no frame."""

    def returned(self, result: Any) -> Any:
        """The function has returned this; returns what its caller gets."""

    def failed(self, why: BaseException) -> None:
        """The function has raised this, and the caller gets it."""


class Begin(Protocol):
    """Is told of the calls that no other one waits for."""

    def __call__(
        self, function: FunctionType, args: tuple[Any, ...], kwargs: Mapping[str, Any]
    ) -> Invocation | None:
        """Return what runs the call; None: nobody cares, and it runs as it is."""


running: list[Invocation] = []
"""The call that is saved now, if there is one; what is called below it belongs to it."""


def _template(begin, function, running):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202 # pragma: no cover
    def call(*args, **kwargs):  # type: ignore[no-untyped-def] # noqa: ANN002, ANN003, ANN202
        if running:
            return function(*args, **kwargs)
        invocation = begin(function, args, kwargs)
        if invocation is None:
            return function(*args, **kwargs)
        try:
            result = invocation.target()
        except BaseException as why:
            invocation.failed(why)
            raise
        return invocation.returned(result)

    return call


_CALL: CodeType = unseen(_template(None, None, None)).__code__  # type: ignore[no-untyped-call]
_PARTS = {name: place for place, name in enumerate(_CALL.co_freevars)}


def wrapper(function: FunctionType, begin: Begin) -> FunctionType:
    """Return a function that looks like *function*, and has *begin* told of its calls."""
    cells = {"begin": begin, "function": function, "running": running}
    closure = tuple(CellType(cells[name]) for name in _CALL.co_freevars)
    made = FunctionType(_CALL, function.__globals__, function.__name__, None, closure)
    functools.update_wrapper(made, function)
    return made


def is_wrapper(function: FunctionType) -> bool:
    """Whether it was made by `wrapper`."""
    return function.__code__ is _CALL


def parts_of(made: FunctionType) -> tuple[FunctionType, Begin]:
    """Return what `wrapper` made it of."""
    cells = made.__closure__ or ()
    return cells[_PARTS["function"]].cell_contents, cells[_PARTS["begin"]].cell_contents


def behind(function: FunctionType) -> FunctionType:
    """Return the function that a wrapper calls; of any other, itself."""
    while is_wrapper(function):
        function = parts_of(function)[0]
    return function
