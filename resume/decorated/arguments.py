"""The arguments of a call: what they are called, and a digest that is the same in the next process.

All of them count, by value: the state of one call must not go on in another. Objects count by what
pickle would take of them, sets in any order; what cannot be pickled, and what stands somewhere (an
iterator, an open file), by its type alone.
"""

from __future__ import annotations

import hashlib
import inspect
import io
import marshal
import types
from collections.abc import Callable, Iterator, Mapping
from types import FunctionType
from typing import Any

import numpy as np
import xxhash

from resume import notices
from resume.call import Call, argument_values, is_simple, record_call
from resume.engine import Engine
from resume.errors import ConfigError
from resume.pickling.holes import REASONS
from resume.store import Store, names

_NAMED = (type, FunctionType, types.BuiltinFunctionType, types.ModuleType)
_SMALL = frozenset({bool, int, float, complex, str, bytes, type(None)})
_DEEPEST = 100
_MOST_OTHERS = 50


def arguments_of(
    function: FunctionType, args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> dict[str, Any] | None:
    """Return the arguments by name, defaults and all; None where the call itself will fail."""
    try:
        bound = inspect.signature(function).bind(*args, **kwargs)
    except TypeError:
        return None
    bound.apply_defaults()
    return argument_values(function.__code__, bound.arguments)


def call_of(
    arguments: Mapping[str, Any],
    key: Callable[..., Any] | None,
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any],
) -> Call:
    """Return what tells this call from others.

    Raises:
        ConfigError: *key* gave what is no simple value.
    """
    if key is not None:
        told = key(*args, **kwargs)
        if not is_simple(told):
            raise ConfigError(
                f"key= gave {told!r} for this call: let it return text, numbers, or a tuple of them"
            )
        return record_call({"key": told})
    plain = record_call(arguments)
    held = {name: value for name, value in arguments.items() if not is_simple(value)}
    if not held:
        return plain
    digests = {name: digest(value) for name, value in held.items()}
    text = repr((plain.digest, sorted(digests.items())))
    shown = {
        name: plain.shown[name] if name in plain.shown else _shown(held[name], digests[name])
        for name in arguments
    }
    return Call(shown, hashlib.sha256(text.encode()).hexdigest()[:16])


def say_of_others(engine: Engine, call: Call) -> None:
    """Say that a call begins anew, though one is saved that looks like it.

    Objects that are made from random numbers, or hold a time, differ from run to run.
    """
    base, _, _ = engine.name.partition("@")
    if not any(value.startswith("<") for value in call.shown.values()):
        return
    others = [name for name in names(engine.folder) if name.startswith(f"{base}@")]
    for name in others[:_MOST_OTHERS]:
        newest = Store(engine.folder, name).newest()
        if newest is None or newest.draft.complete:
            continue
        shown = newest.draft.call.get("arguments", {})
        differing = [one for one in call.shown if call.shown[one] != shown.get(one)]
        if shown.keys() == call.shown.keys() and all(
            call.shown[one].startswith("<") for one in differing
        ):
            notices.say(
                "%s begins at its beginning: of the call that is saved (%s), the value of %s was "
                "another. key= tells which arguments count",
                base, name, " and ".join(differing),
            )  # fmt: skip
            return


def _shown(value: object, told: str) -> str:
    return f"<{type(value).__qualname__} {told[:8]}>"


def digest(value: object) -> str:
    """Hex digest of a value: equal ones have equal digests, in every process."""
    found = _Digest()
    found.feed(value, 0)
    return found.state.hexdigest()


class _Digest:
    def __init__(self) -> None:
        self.state = xxhash.xxh3_128()
        self._seen: dict[int, int] = {}
        self._kept: list[Any] = []

    def feed(self, value: Any, depth: int) -> None:
        """Take in a value with all that it holds."""
        kind = type(value)
        self._text(f"{kind.__module__}.{kind.__qualname__}")
        if kind in _SMALL:
            self._text(repr(value))
        elif isinstance(value, _NAMED):
            home = getattr(value, "__module__", "")
            self._text(f"{home}.{getattr(value, '__qualname__', value.__name__)}")
        elif id(value) in self._seen:
            self._text(f"@{self._seen[id(value)]}")
        elif depth < _DEEPEST:
            self._seen[id(value)] = len(self._seen)
            self._kept.append(value)  # or the next object may get its id
            self._object(value, depth + 1)

    def _text(self, text: str) -> None:
        self.state.update(text.encode("utf-8", "surrogatepass") + b"\0")

    def _object(self, value: Any, depth: int) -> None:
        kind = type(value)
        if kind in {list, tuple}:
            self._items(value, depth)
        elif kind is dict:
            self._items(list(value), depth)
            self._items(list(value.values()), depth)
        elif kind in {set, frozenset}:
            self._text(repr(sorted(map(digest, value))))
        elif kind is bytearray:
            self.state.update(value)
        elif not self._array(value, depth) and not isinstance(value, (Iterator, io.IOBase)):
            self._reduced(value, depth)

    def _items(self, items: list[Any] | tuple[Any, ...], depth: int) -> None:
        self._text(f"{len(items)}:")
        if _SMALL.issuperset(map(type, items)):
            self.state.update(marshal.dumps(items, 2))  # by value: later versions tell what is one
            return
        for item in items:
            self.feed(item, depth)

    def _array(self, value: Any, depth: int) -> bool:
        numpy = getattr(value, "numpy", None)  # a torch tensor, without torch
        if callable(numpy) and hasattr(value, "detach"):
            value = value.detach().cpu().numpy()
        if not isinstance(value, np.ndarray):
            return False
        self._text(f"{value.shape}{value.dtype}")
        if value.dtype.hasobject:
            self._items(value.ravel().tolist(), depth)
        else:
            self.state.update(np.ascontiguousarray(value).data)
        return True

    def _reduced(self, value: Any, depth: int) -> None:
        kinds = (f"{kind.__module__}.{kind.__qualname__}" for kind in type(value).__mro__)
        if any(kind in REASONS for kind in kinds):
            return  # it belongs to the process: its number or name there tells nothing
        try:
            parts = value.__reduce_ex__(4)
        except Exception:  # noqa: BLE001 - a program's own code; what has no copy counts by its type
            return
        if isinstance(parts, str):
            self._text(parts)
            return
        for part in parts:
            self.feed(list(part) if isinstance(part, Iterator) else part, depth)
