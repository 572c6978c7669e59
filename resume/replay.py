"""Bringing back iterators that do not pickle: evaluate the iterable again and skip what was done.

The iterable is evaluated under the random state that its loop started in, the items done are taken
and dropped, and the random state is put back. A digest of the last item taken tells whether these
are the same items.
"""

from __future__ import annotations

import pickle
import types
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xxhash

from resume import generators, rng
from resume.errors import ConfigError, RestoreError

_BY_VALUE = (list, tuple, range, str, bytes, bytearray, dict, set, frozenset, np.ndarray)


@dataclass(frozen=True, slots=True)
class RandomStart:
    """The state of every random generator in sight when a loop started."""

    libraries: Any
    named: Mapping[str, Any]
    """Generator objects by the owner's name for them (`rng`, `self.rng`)."""


def random_start(iterable: object, names: Callable[[], Mapping[str, Any]]) -> RandomStart | None:
    """The random state now, or None where *iterable* is of a kind whose iterator pickles."""
    if type(iterable) in _BY_VALUE:
        return None
    return random_state(names())


def random_state(names: Mapping[str, Any]) -> RandomStart:
    """The state of every random generator in sight now."""
    found = generators_in(names)
    return RandomStart(
        rng.capture(), {path: generators.state_of(gen) for path, gen in found.items()}
    )


def is_same_state(one: RandomStart, other: RandomStart) -> bool:
    """Whether nothing was drawn between the two."""
    return pickle.dumps((one.libraries, one.named)) == pickle.dumps((other.libraries, other.named))


def generators_in(names: Mapping[str, Any]) -> dict[str, Any]:
    """Generator objects among *names* and the attributes of their values."""
    found: dict[str, Any] = {}
    for name, value in names.items():
        if generators.is_generator(value):
            found[name] = value
            continue
        attributes = getattr(value, "__dict__", None)
        if type(attributes) is dict and not isinstance(value, type):
            found |= {
                f"{name}.{key}": part
                for key, part in attributes.items()
                if generators.is_generator(part)
            }
    return found


def make_iterator(iterable: Any) -> Iterator[Any]:
    """`iter()` of an iterable, or of what a callable without iterator of its own returns.

    Raises:
        ConfigError: It is neither.
    """
    if (
        callable(iterable)
        and not isinstance(iterable, Iterable)
        and not hasattr(iterable, "__getitem__")
    ):
        iterable = iterable()
    try:
        return iter(iterable)
    except TypeError as why:
        raise ConfigError(
            f"chp.loop() needs something to loop over, or a callable that returns it: {why}"
        ) from why


def replay(
    make: Callable[[], Iterator[Any]],
    *,
    start: RandomStart | None,
    names: Callable[[], Mapping[str, Any]],
    skip: int,
    digest: str | None,
    line: int,
) -> tuple[Iterator[Any], Any]:
    """A fresh iterator with *skip* items taken, and the last of these.

    Raises:
        RestoreError: There were fewer items, or the last one is another.
    """
    now = random_state(names())
    if start is not None:
        _set(start, names())
    try:
        iterator = make()
        last = _take(iterator, skip, line)
    finally:
        _set(now, names())
    if skip and digest is not None and item_digest(last) != digest:
        raise RestoreError(
            f"the loop at line {line} gives other items than before: after skipping {skip}, the "
            "last one differs from the saved one. The saved generation is untouched. What draws "
            "random numbers or reads changing data must be evaluated by the loop itself: "
            "chp.loop(lambda: ...)"
        )
    return iterator, last


def _take(iterator: Iterator[Any], skip: int, line: int) -> Any:
    last = None
    for taken in range(skip):
        try:
            last = next(iterator)
        except StopIteration:
            raise RestoreError(
                f"the loop at line {line} has only {taken} items now, and {skip} were done before. "
                "The saved generation is untouched. Give the loop the same data, or start anew "
                "with Checkpoint(clean=True)"
            ) from None
    return last


def _set(start: RandomStart, names: Mapping[str, Any]) -> None:
    rng.apply(start.libraries)
    here = generators_in(names)
    for path, state in start.named.items():
        if path in here:
            generators.set_state(here[path], state)


def item_digest(item: Any) -> str:
    """Hex digest of an item's value: equal items have equal digests, in every process.

    Objects of other kinds than numbers, text, containers and arrays count by their type and their
    attributes.
    """
    state = xxhash.xxh3_128()
    _feed(state, item, 12)
    return state.hexdigest()


def _feed(state: Any, item: Any, levels: int) -> None:
    state.update(type(item).__qualname__.encode())
    if levels == 0 or item is None:
        return
    if isinstance(item, bool | int | float | complex | str | np.generic):
        state.update(repr(item).encode("utf-8", "surrogatepass"))
    elif isinstance(item, bytes | bytearray):
        state.update(bytes(item))
    elif isinstance(item, set | frozenset):
        state.update("".join(sorted(item_digest(part) for part in item)).encode())
    elif not _feed_array(state, item, levels):
        parts = _parts(item)
        state.update(b"%d:" % len(parts))  # or [[1], 2] would be [[1, 2]]
        for part in parts:
            _feed(state, part, levels - 1)


def _parts(item: Any) -> Sequence[Any]:
    if isinstance(item, list | tuple):
        return item
    if isinstance(item, dict):
        return [part for pair in item.items() for part in pair]
    return _attributes(item)


def _attributes(item: Any) -> list[Any]:
    """The values of an object's attributes, those in slots included."""
    found = list(vars(item).values()) if hasattr(item, "__dict__") else []
    for kind in type(item).__mro__:
        slots = kind.__dict__.get("__slots__", ())
        for name in (slots,) if isinstance(slots, str) else slots:
            member = kind.__dict__.get(name)
            if isinstance(member, types.MemberDescriptorType) and hasattr(item, name):
                found.append(member.__get__(item))
    return found


def _feed_array(state: Any, item: Any, levels: int) -> bool:
    numpy = getattr(item, "numpy", None)  # a torch tensor, without torch
    if not isinstance(item, np.ndarray) and callable(numpy) and hasattr(item, "detach"):
        item = item.detach().cpu().numpy()
    if not isinstance(item, np.ndarray):
        return False
    state.update(f"{item.shape}{item.dtype}".encode())
    if item.dtype.hasobject:
        for part in item.ravel().tolist():
            _feed(state, part, levels - 1)
    else:
        state.update(np.ascontiguousarray(item).tobytes())
    return True
