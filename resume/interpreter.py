"""Facts about the interpreter that runs us, named for the behaviour and not for the version."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from opcode import opmap
from types import CodeType
from typing import Any, TypeVar

LOCALS_WRITE_THROUGH = sys.version_info >= (3, 13)
"""`frame.f_locals` of a function is a proxy whose writes reach the variables (PEP 667)."""

FORK_LOOKS_LAST = sys.version_info >= (3, 13)
"""`os.fork` looks for other threads, to warn of them, when its hooks in the parent are done."""

_RESUME, _NOP = opmap["RESUME"], opmap["NOP"]

F = TypeVar("F", bound=Callable[..., Any])


def wait_for_end_of_thread(native_id: int) -> None:
    """Wait, a fifth of a second at most, until the system knows that thread no more.

    A thread that has run its last line of Python is still one that `fork` warns of.
    """
    task, before = f"/proc/self/task/{native_id}", time.monotonic()
    while os.path.exists(task) and time.monotonic() - before < 0.2:  # noqa: PTH110
        time.sleep(0)


def unseen(function: F) -> F:
    """Let frames of *function* show nowhere: tracebacks, `f_back`, `stacklevel`, tracers.

    A frame counts from its RESUME instruction on; what came before is the making of it. Code
    without one is never passed on to anybody who looks at the stack, on 3.11 to 3.13. A loop in
    such a function answers no signal, and no line of it is ever measured: keep it short.
    """
    code: CodeType = function.__code__
    raw = bytearray(code.co_code)
    place = next(unit for unit in range(0, len(raw), 2) if raw[unit] == _RESUME)
    raw[place : place + 2] = bytes([_NOP, 0])
    function.__code__ = code.replace(co_code=bytes(raw))
    return function


_list, _isinstance = list, isinstance  # a program may bind these names anew, in `builtins` too


@unseen
def without_hidden(names: Any) -> Any:  # pragma: no cover - no tracer sees it
    """Take out of *names*, a list or a dict, what no source can be called: `.i1`."""
    for name in [name for name in names if name[:1] == "."]:
        if _isinstance(names, _list):
            names.remove(name)
        else:
            del names[name]
    return names


@unseen
def namespace_of_caller():  # type: ignore[no-untyped-def] # noqa: ANN201 # pragma: no cover
    """Return the globals of the innermost code that shows: neither this nor what is unseen."""
    return sys._getframe(1).f_globals  # noqa: SLF001 - the innermost frame counts, unseen or not
