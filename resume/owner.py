"""Whose state a checkpoint saves: a function's frame, a namespace, or one object.

An owner hands out names and values and takes them back; it knows nothing of pickles or files. No
owner holds a reference to a frame: the cycle would keep the state alive after the function ended.
"""

from __future__ import annotations

import fnmatch
import gc
import re
import types
import weakref
from collections.abc import Callable, Collection, Mapping
from inspect import CO_ASYNC_GENERATOR, CO_COROUTINE, CO_GENERATOR
from pathlib import Path
from types import CellType, CodeType, FrameType
from typing import Any, Protocol

from resume.errors import ConfigError, UnsupportedCodeError
from resume.frames import (
    Token,
    cell_of,
    delete_locals,
    find_owner,
    is_cell_of,
    is_function_frame,
    namespace_of,
    plant_token,
    read_locals,
    running_frames,
    straight_definitions,
    write_locals,
)

_SUSPENDED = (
    (types.GeneratorType, "gi_frame"),
    (types.CoroutineType, "cr_frame"),
    (types.AsyncGeneratorType, "ag_frame"),
)
_SUSPENDABLE = CO_GENERATOR | CO_COROUTINE | CO_ASYNC_GENERATOR
_NOTEBOOK_NAMES = re.compile(
    # inputs and outputs, also by number (_i, _ii, _i12, __, _12), and what IPython puts beside them
    r"In|Out|_ih|_oh|_dh|_exit_code|_{1,3}|_i{1,3}|_i?\d+|exit|quit|open|get_ipython"
)


class Owner(Protocol):
    """What the handle needs of the one whose state it saves."""

    @property
    def code(self) -> CodeType | None:
        """Code that holds the loops and safe points; None for an object."""

    @property
    def title(self) -> str:
        """How people call it: `Trainer.fit`, `script.py`."""

    def find(self, start: FrameType | None) -> FrameType | None:
        """The owner's running frame at or above *start*, None where it is not there."""

    def read(self, frame: FrameType | None) -> dict[str, Any]:
        """All names now bound, in a dict of its own."""

    def write(self, frame: FrameType | None, values: Mapping[str, Any]) -> list[str]:
        """Bind *values*; returns the names that the owner has no place for."""

    def unbind(self, frame: FrameType | None, names: Collection[str]) -> list[str]:
        """Make *names* unbound; returns those that this Python cannot."""

    def is_alive(self) -> bool:
        """Whether the owner can still come to a safe point."""


class FrameOwner:
    """One call of a function, method, generator or coroutine."""

    def __init__(self, frame: FrameType, on_end: Callable[[], None]) -> None:
        self.code = frame.f_code
        self.title = frame.f_code.co_qualname
        self._frame_id = id(frame)
        token = Token()
        plant_token(frame, token)
        self._token = weakref.ref(token, lambda _: on_end())

    def find(self, start: FrameType | None) -> FrameType | None:
        """See `Owner.find`."""
        if start is None or self._token() is None:
            return None
        return find_owner(start, self._frame_id, self.code)

    def read(self, frame: FrameType | None) -> dict[str, Any]:
        """See `Owner.read`."""
        return read_locals(self._here(frame))

    def write(self, frame: FrameType | None, values: Mapping[str, Any]) -> list[str]:
        """See `Owner.write`."""
        return list(write_locals(self._here(frame), values))

    def unbind(self, frame: FrameType | None, names: Collection[str]) -> list[str]:
        """See `Owner.unbind`."""
        return delete_locals(self._here(frame), names)

    def is_alive(self) -> bool:
        """False once the call has ended, also where a traceback still holds its frame."""
        if self._token() is None:
            return False
        if any(self.find(top) is not None for top in running_frames().values()):
            return True
        return bool(self.code.co_flags & _SUSPENDABLE) and self._is_suspended()

    def _is_suspended(self) -> bool:
        """Whether a generator or coroutine will run the frame again: one that ended has no frame.

        It looks at every object of the process, and is asked only where a name is taken.
        """
        suspended = (
            getattr(thing, attribute)
            for thing in gc.get_objects()
            for kind, attribute in _SUSPENDED
            if type(thing) is kind
        )
        return any(id(frame) == self._frame_id for frame in suspended)

    def cell(self, frame: FrameType, name: str) -> CellType | None:
        """The frame's own cell for *name*, None where the name is no cell."""
        return cell_of(frame, name)

    def owns_cell(self, frame: FrameType, name: str, cell: CellType) -> bool:
        """Whether *cell* is the frame's own for *name*."""
        return is_cell_of(frame, name, cell)

    def _here(self, frame: FrameType | None) -> FrameType:
        """See `Owner.is_alive`."""
        if frame is None:
            raise ConfigError(
                f"{self.title} has returned, so there is nothing left to save: make the checkpoint "
                "in the function whose variables it saves, or use Checkpoint(of=self)"
            )
        return frame


class NamespaceOwner:
    """A module, a notebook, an `exec`: the names live in a dict, whatever frame runs."""

    def __init__(self, frame: FrameType) -> None:
        self.code = frame.f_code
        self.title = Path(frame.f_code.co_filename).name
        self.names = namespace_of(frame)

    def find(self, start: FrameType | None) -> FrameType | None:
        """See `Owner.find`."""
        while start is not None:
            # f_locals of a function frame is not read: that would fill its dict on 3.11 and 3.12
            if not is_function_frame(start) and _namespace(start) is self.names:
                return start
            start = start.f_back
        return None

    def read(self, frame: FrameType | None) -> dict[str, Any]:
        """See `Owner.read`."""
        return dict(self.names)

    def write(self, frame: FrameType | None, values: Mapping[str, Any]) -> list[str]:
        """See `Owner.write`."""
        self.names.update(values)
        return []

    def unbind(self, frame: FrameType | None, names: Collection[str]) -> list[str]:
        """See `Owner.unbind`."""
        for name in names:
            self.names.pop(name, None)
        return []

    def is_alive(self) -> bool:
        """See `Owner.is_alive`."""
        return True


def _namespace(frame: FrameType) -> object:
    try:
        return namespace_of(frame)
    except UnsupportedCodeError:  # a comprehension in a class body: not the owner
        return None


class ObjectOwner:
    """One object, given by `of=`; its single name in the state is `self`."""

    NAME = "self"

    def __init__(self, of: object) -> None:
        self.code = None
        self.title = type(of).__qualname__
        self.object = of

    def find(self, start: FrameType | None) -> FrameType | None:
        """See `Owner.find`."""
        return None

    def read(self, frame: FrameType | None) -> dict[str, Any]:
        """See `Owner.read`."""
        return {self.NAME: self.object}

    def write(self, frame: FrameType | None, values: Mapping[str, Any]) -> list[str]:
        """See `Owner.write`."""
        return []  # the object was changed in place

    def unbind(self, frame: FrameType | None, names: Collection[str]) -> list[str]:
        """See `Owner.unbind`."""
        return []

    def is_alive(self) -> bool:
        """See `Owner.is_alive`."""
        return True


def is_interactive(code: CodeType) -> bool:
    """Whether *code* is a notebook cell or a line typed at a prompt, which may run again."""
    name = code.co_filename
    return (
        name in ("<stdin>", "<console>")
        or name.startswith("<python-input")
        or ("ipykernel" in name or name.startswith("<ipython-input"))
    )


def runs_interactively(frame: FrameType | None) -> bool:
    """Whether a notebook cell or a prompt stands at or above *frame*."""
    while frame is not None:
        if is_interactive(frame.f_code):
            return True
        frame = frame.f_back
    return False


def state_names(
    names: Mapping[str, Any], owner: Owner, exclude: Collection[str], own: type | tuple[type, ...]
) -> tuple[dict[str, Any], list[str]]:
    """Split *names* into the state's and those that *exclude* leaves out.

    Not in the state, and not mentioned: modules, checkpoints, dunders, and what the rerun defines
    again by itself (functions and classes under their own name).
    """
    kept: dict[str, Any] = {}
    left_out: list[str] = []
    hidden = (types.ModuleType, *(own if isinstance(own, tuple) else (own,)))
    notebook = names.get("get_ipython") is not None
    for name, value in names.items():
        if name == "_" or (name.startswith("__") and name.endswith("__")):
            continue
        if name.startswith("@"):  # pytest's own, in the functions of a test module
            continue
        if isinstance(value, hidden) or _is_defined_again(name, value, owner, names):
            continue
        if notebook and _NOTEBOOK_NAMES.fullmatch(name):
            continue
        if any(fnmatch.fnmatchcase(name, pattern) for pattern in exclude):
            left_out.append(name)
        else:
            kept[name] = value
    return kept, left_out


def _is_defined_again(name: str, value: Any, owner: Owner, names: Mapping[str, Any]) -> bool:
    code = owner.code
    if code is None or not isinstance(value, types.FunctionType | type):
        return False
    defined = straight_definitions(code)
    if isinstance(value, types.FunctionType):
        if value.__code__ in defined and value.__code__.co_name == name:
            return True
        at_top = value.__globals__ is names and value.__qualname__ == name
        return at_top and is_interactive(value.__code__)
    if value.__name__ != name:
        return False
    if isinstance(owner, FrameOwner):
        is_here = any(constant.co_name == name for constant in defined)
        return is_here and value.__qualname__ == f"{code.co_qualname}.<locals>.{name}"
    return value.__qualname__ == name and value.__module__ == names.get("__name__")


def local_classes(names: Mapping[str, Any], owner: Owner) -> dict[str, type]:
    """Classes that the owner's code makes anew in each run, and objects of the state may be of."""
    return {
        name: value
        for name, value in names.items()
        if isinstance(value, type)
        and "<locals>" in value.__qualname__
        and _is_defined_again(name, value, owner, names)
    }


def reachable_mutables(roots: Collection[Any], limit: int = 20_000) -> dict[int, Any]:
    """Mutable objects that *roots* can reach, by id; the walk ends after *limit* objects."""
    seen: dict[int, Any] = {}
    todo = list(roots)
    while todo and len(seen) < limit:
        value = todo.pop()
        if id(value) in seen or _ends_walk(value):
            continue
        seen[id(value)] = value
        todo.extend(gc.get_referents(value))
    return {key: value for key, value in seen.items() if _is_mutable(value)}


def _ends_walk(value: Any) -> bool:
    return isinstance(
        value,
        type(None)
        | bool
        | int
        | float
        | complex
        | str
        | bytes
        | type
        | types.ModuleType
        | CodeType
        | FrameType
        | types.BuiltinFunctionType,
    ) or (isinstance(value, dict) and "__builtins__" in value)


def _is_mutable(value: Any) -> bool:
    if isinstance(value, tuple | frozenset | types.FunctionType | types.MethodType | CellType):
        return False
    return type(value).__module__ != "builtins" or isinstance(value, list | dict | set | bytearray)
