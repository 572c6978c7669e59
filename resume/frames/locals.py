"""Read and write the variables of a frame that runs.

From 3.13 (PEP 667): `f_locals` of a function is a proxy, writes reach the variables, nothing
stays behind. 3.11 and 3.12 keep one dict on the frame, which each read of `f_locals` refills from
the real variables; `PyFrame_LocalsToFast` copies it back. That dict makes trouble:

- it stays on the frame and keeps every old value alive;
- the program gets it from `locals()` too: a read behind its back changes `params = locals()`;
- emptying it inside a trace function written in Python deletes the program's variables: when that
  function returns, the interpreter copies the dict back and unbinds what it does not find there.

What we do there: hang the dict aside for a moment (its pointer in the interpreter's frame is set
to null), so that the read makes a fresh one, push that one, and put the old pointer back, with the
flag that says whether the dict is to be copied back. Nobody sees it, nothing stays. Only a *write*
while somebody traces goes through the frame's own dict: it is what a debugger's prompt shows.
tests/unit/frames/test_locals.py proves each of these.
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Collection, Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from inspect import CO_VARARGS, CO_VARKEYWORDS
from types import CodeType, FrameType
from typing import Any

from resume.errors import UnsupportedCodeError
from resume.frames import slots
from resume.frames.owner import Token, is_function_frame
from resume.interpreter import LOCALS_WRITE_THROUGH


def places(code: CodeType) -> tuple[str, ...]:
    """Return the names of *code* that a value can be bound to: local, cell and free variables.

    Names that start with a dot (`.0` of a comprehension) are the compiler's own.
    """
    names = dict.fromkeys((*code.co_varnames, *code.co_cellvars, *code.co_freevars))
    return tuple(name for name in names if not name.startswith("."))


def argument_names(code: CodeType) -> tuple[str, ...]:
    """Return the names of the arguments in the order of the signature, `*args`, `**kwargs` last."""
    count = code.co_argcount + code.co_kwonlyargcount
    count += bool(code.co_flags & CO_VARARGS) + bool(code.co_flags & CO_VARKEYWORDS)
    return tuple(name for name in code.co_varnames[:count] if not name.startswith("."))


def namespace_of(frame: FrameType) -> MutableMapping[str, Any]:
    """Return the mapping that holds the names of a module, class body or `exec`; the real one.

    Raises:
        UnsupportedCodeError: The frame stands inside a comprehension of a class body, where the
            mapping cannot be reached (3.12 gives a copy, 3.13 a proxy of the comprehension).
    """
    first, again = frame.f_locals, frame.f_locals
    if first is again:
        return first
    if frame.f_code.co_name == "<module>":
        return frame.f_globals
    raise UnsupportedCodeError(
        f"the names of {frame.f_code.co_qualname} cannot be reached from inside a comprehension.\n"
        "Write the comprehension as a `for` statement."
    )


def read_locals(frame: FrameType, *, hidden: bool = False) -> dict[str, Any]:
    """Return the bound names of *frame* with their values, in a dict of its own.

    For a function: its variables, cell and free ones included, and with *hidden* those that begin
    with a dot. Else the names of its namespace.
    """
    if not is_function_frame(frame):
        return dict(namespace_of(frame))
    code = frame.f_code
    with variables(frame, aside=True) as held:
        if not hidden:
            return {name: held[name] for name in places(code) if name in held}
        every = {*code.co_varnames, *code.co_cellvars, *code.co_freevars}
        return {name: value for name, value in held.items() if name in every}


def write_locals(frame: FrameType, values: Mapping[str, Any]) -> list[str]:
    """Bind *values* in *frame*; names not bound yet, cells and free variables included.

    Returns:
        The names that the code has no place for; for a namespace there are none.
    """
    if not is_function_frame(frame):
        namespace_of(frame).update(values)
        return []
    known = set(places(frame.f_code))
    with variables(frame, aside=not _is_traced(frame)) as held:
        held.update({name: value for name, value in values.items() if name in known})
        if not LOCALS_WRITE_THROUGH:
            _copy_back(frame, delete_missing=False)
    return [name for name in values if name not in known]


def delete_locals(frame: FrameType, names: Collection[str]) -> list[str]:
    """Unbind *names* in *frame*, as `del` would; a name that is not bound already is as wanted.

    Returns:
        The names that could not be unbound: from 3.12 on all but cell and free variables.
    """
    if not is_function_frame(frame):
        namespace = namespace_of(frame)
        for name in names:
            namespace.pop(name, None)
        return []
    if sys.version_info >= (3, 12):
        return _empty_cells(frame, names)
    with variables(frame, aside=not _is_traced(frame)) as held:
        for name in set(names).intersection(places(frame.f_code)):
            held.pop(name, None)
        _copy_back(frame, delete_missing=True)
    return []


def _empty_cells(frame: FrameType, names: Collection[str]) -> list[str]:
    """Unbind the cell and free variables among *names*; return the other bound ones.

    From 3.12 the compiler leaves out the check for an unbound variable where the source shows that
    it is bound (LOAD_FAST against LOAD_FAST_CHECK), so 3.12 binds None instead, with a warning,
    and 3.13 refuses. Reading a cell is always checked.
    """
    from resume.frames.cells import cell_of  # noqa: PLC0415 - cells are found by our writes

    bound = read_locals(frame).keys() & set(names)
    stay = []
    for name in dict.fromkeys(names):
        cell = cell_of(frame, name) if name in bound else None
        if cell is not None:
            del cell.cell_contents
        elif name in bound:
            stay.append(name)
    return stay


def _copy_back(frame: FrameType, *, delete_missing: bool) -> None:
    """Copy the dict of a function's frame into its variables (3.11 and 3.12)."""
    ctypes.pythonapi.PyFrame_LocalsToFast(ctypes.py_object(frame), ctypes.c_int(delete_missing))


def _is_traced(frame: FrameType) -> bool:
    """Tell whether a trace or profile function may be under way for *frame*.

    It may have switched itself off and not returned yet: then its mark is still in `f_trace`.
    """
    if sys.gettrace() is not None or sys.getprofile() is not None:
        return True
    return frame.f_trace is not None and not isinstance(frame.f_trace, Token)


@contextmanager
def variables(frame: FrameType, *, aside: bool) -> Iterator[MutableMapping[str, Any]]:
    """Give `f_locals` of a function's frame; *aside*: leave the dict that hangs there untouched."""
    if LOCALS_WRITE_THROUGH or not aside or not slots.DICT_FOUND:
        yield frame.f_locals
        return
    slot, pending = slots.dict_slot(frame), slots.pending_flag(frame)
    old, was_pending = slot.value, pending.value
    try:
        slot.value = None
        yield frame.f_locals  # finds no dict, and hangs up a fresh one
    finally:
        fresh, slot.value = slot.value, old
        pending.value &= was_pending  # a read sets it, a write ends it
        if fresh is not None and fresh != old:
            ctypes.pythonapi.Py_DecRef(ctypes.c_void_p(fresh))  # the frame's own reference to it
