"""The iterators of loops: which can be saved at their place, and what stands for all others.

Goal: the iterator of every running `for` is part of the state, as a value where that can be. It
costs nothing in the loop: no call of Python code for each item.

What does not work: to ask the interpreter's version, or to try `__reduce__` (itertools warn, and
lose theirs in 3.14); to step files (`next(f)` switches `f.tell()` off); to wrap what cannot be
saved in a class with `__next__` (its frame would show in tracebacks).

What we do: types with a `__reduce__` of their own are taken from a few modules of the interpreter,
and what they take their items from is looked at, too. Files are read by `iter(f.readline, "")`.
The rest is `Counted`, in C: on resume its iterable is made again, under the random state of the
loop's start, and as many items are skipped.

What can still go wrong: an iterable whose expression draws random numbers before there is an
iterator (`batched(sample(...), 2)`), or has other effects, gives other items the second time.
"""

from __future__ import annotations

import array
import collections
import gc
import io
import itertools
from collections.abc import Iterator
from typing import Any, Self

import numpy as np

from resume import rng
from resume.errors import RestoreError
from resume.interpreter import unseen
from resume.pickling.builders import builder
from resume.reentry.program import Program

_TEXT: frozenset[type] = frozenset({io.TextIOWrapper})
FILES: frozenset[type] = _TEXT | {io.BufferedReader, io.BufferedRandom, io.FileIO}
"""Types of open files that are read line by line; `io.StringIO` is a value like any other."""

_HOME = frozenset({"builtins", "itertools", "collections", "_collections", "array", "_io", "_csv"})
_CALLS = type(iter(int, 1))
_WRAPPERS: tuple[type, ...] = (enumerate, zip, map, filter)
_NOTHING: dict[Any, Any] = {}


class _Indexed:
    def __getitem__(self, index: int) -> None:
        raise IndexError


def has_recipe(kind: type) -> bool:
    """Whether iterators of *kind*, a type of the interpreter's own, say themselves how to save."""
    if kind is type(iter(collections.OrderedDict())):
        return False  # a copy of what is left would not see what changes ahead
    own: Any = kind.__reduce__
    return kind.__module__ in _HOME and own is not object.__reduce__


def _backwards(items: Any) -> Iterator[Any]:
    made: Iterator[Any] = reversed(items)
    return made


_LEAVES: tuple[Iterator[Any], ...] = (
    *map(iter, ([], (), "", "\xe9", b"", bytearray(), set(), range(0), range(1 << 65))),
    *map(iter, (_NOTHING, _NOTHING.values(), _NOTHING.items(), collections.deque())),
    *map(_backwards, ([], (), _NOTHING, _NOTHING.values(), _NOTHING.items(), collections.deque())),
    iter(array.array("i")),
    iter(_Indexed()),
    *(itertools.count(), itertools.repeat(0), itertools.product(), itertools.permutations(())),
    *(itertools.combinations((), 0), itertools.combinations_with_replacement((), 0)),
)
"""Iterators that take nothing from other iterators."""

_SIMPLE = frozenset(kind for kind in map(type, _LEAVES) if has_recipe(kind))

SAVABLE: frozenset[type] = _SIMPLE | {
    *(list, tuple, str, bytes, bytearray, dict, set, frozenset, range, array.array, np.ndarray),
    *(type(_NOTHING.keys()), type(_NOTHING.values()), type(_NOTHING.items())),
    *(collections.deque, collections.defaultdict, collections.Counter),
}
"""Types whose iterators can be saved at their place, whatever they hold: `Helpers.types`."""


class Counted(itertools.compress):  # type: ignore[type-arg]
    """An iterator that cannot be saved, with how many items were taken from it.

    The selectors count: the next one is asked for only when there is an item, and all are true.
    """

    def __new__(
        cls, inner: Any, taken: int, start: Any, sources: tuple[tuple[Any, int], ...] = ()
    ) -> Self:
        """Go on with *inner*, of which *taken* items were taken.

        Args:
            inner: The iterator.
            taken: Items that are behind it.
            start: State of the random generators when it was made.
            sources: Open files that it reads, and where each stood then.
        """
        counter = itertools.count(taken + 1)
        made = super().__new__(cls, inner, counter)
        made.counter, made.start, made.sources = counter, start, sources
        return made

    counter: Any
    start: Any
    sources: tuple[tuple[Any, int], ...]

    @property
    def taken(self) -> int:
        """Items that were taken so far."""
        return int(repr(self.counter)[len("count(") : -1]) - 1

    def __reduce__(self) -> Any:
        return counted, (self.taken, self.start, self.sources)


@builder
def counted(taken: int, start: Any, sources: tuple[tuple[Any, int], ...]) -> Counted:
    """What is known of an iterator that has to be made again: see `again`."""
    return Counted((), taken, start, sources)


def again(saved: Counted, source: Any) -> Counted:
    """Bring *source*, the iterable evaluated again, to where the saved iterator stood.

    The random generators are as they were when that was made, meanwhile; then as they are now.

    Raises:
        RestoreError: There are fewer items than were taken.
    """
    taken, now = saved.taken, rng.capture()
    rng.apply(saved.start)
    try:
        for file, position in saved.sources:
            file.seek(position)
        inner = iter(source)
        skipped = sum(1 for _ in itertools.islice(inner, taken))
    finally:
        rng.apply(now)
    if skipped < taken:
        raise RestoreError(
            f"a loop had taken {taken} items, and its iterable, a {type(source).__qualname__}, "
            f"gives only {skipped} now. The saved state is whole and stays. Put back what the "
            "iterable reads, or start anew"
        )
    return Counted(inner, taken, saved.start, saved.sources)


class Iteration:
    """Makes the iterators of a program's loops."""

    def __init__(self, program: Program) -> None:
        self._program = program

    @unseen
    def iterate(self, value: Any) -> Any:  # pragma: no cover - no tracer sees it
        """Return an iterator over *value* that can be saved; *value* where it has none.

        It may raise what the value's own `__iter__` raises.
        """
        kind = type(value)
        if kind in FILES:
            return read_lines(value)
        if kind in _WRAPPERS:
            value = self._over_lines(value)
        if not hasattr(kind, "__iter__") and not hasattr(kind, "__getitem__"):
            return value
        if self._is_ours(getattr(kind, "__iter__", None)):
            return value  # the program's own code: nothing of ours is to show if it raises
        state = rng.capture() if self._may_draw(kind) else None
        made = iter(value)
        if self.is_savable(made):
            return made
        return Counted(made, 0, state or rng.capture(), _files_below(made))

    def is_savable(self, iterator: Any, *, depth: int = 8) -> bool:
        """Whether *iterator* goes into the state as a value, with all that it takes items from."""
        kind = type(iterator)
        if kind in _SIMPLE or kind in FILES or kind is Counted:
            return True
        if hasattr(iterator, "gi_code"):
            return self._program.find(iterator.gi_code) is not None
        if self._program.is_own(kind.__module__) or _is_reader(kind):
            return True
        if not has_recipe(kind) or depth == 0:
            return False
        parts = gc.get_referents(iterator)
        if kind is _CALLS:
            return all(self._can_be_called(part) for part in parts if callable(part))
        return all(self.is_savable(part, depth=depth - 1) for part in _iterators_in(parts))

    def _may_draw(self, kind: type) -> bool:
        """Whether to make an iterator may draw random numbers, as shuffling loaders do."""
        is_known = kind.__module__ in _HOME or self._program.is_own(kind.__module__)
        return not is_known and not hasattr(kind, "__next__")

    def _over_lines(self, wrapper: Any) -> Any:
        """Return *wrapper* itself, or one like it that reads the lines of files in another way."""
        maker, parts, *state = wrapper.__reduce__()
        if not any(type(part) in FILES for part in parts):
            return wrapper
        made = maker(*(read_lines(part) if type(part) in FILES else part for part in parts))
        if state:
            made.__setstate__(*state)
        return made

    def _is_ours(self, function: Any) -> bool:
        code = getattr(function, "__code__", None)
        return code is not None and self._program.find(code) is not None

    def _can_be_called(self, part: Any) -> bool:
        """Whether a callable that an iterator calls can be saved, most likely."""
        if hasattr(part, "func"):  # functools.partial
            return self._can_be_called(part.func)
        owner = getattr(part, "__self__", None)
        if not hasattr(part, "__self__") or isinstance(owner, type):
            return True
        return type(owner).__module__ not in {"_sre", "_csv", "_socket", "socket", "select"}


def read_lines(file: Any) -> Iterator[Any]:
    """Iterate over the lines of an open file, so that it can tell where it is."""
    return iter(file.readline, "" if type(file) in _TEXT else b"")


def _is_reader(kind: type) -> bool:
    names = {f"{base.__module__}.{base.__qualname__}" for base in kind.__mro__}
    return not names.isdisjoint({"_csv.reader", "csv.DictReader", "_io.StringIO", "_io.BytesIO"})


def _iterators_in(parts: list[Any]) -> Iterator[Any]:
    for part in parts:
        if type(part) in {tuple, type(iter(()))}:
            yield from _iterators_in(gc.get_referents(part))
        elif hasattr(type(part), "__next__"):
            yield part


_MOST_LOOKED_AT = 300
_CLOSED: tuple[type, ...] = (type, type(gc), type(len), type(read_lines), str, bytes, int, float)


def _files_below(iterator: Any) -> tuple[tuple[Any, int], ...]:
    """Open files that *iterator* reads, as far as one can see, and where they stand."""
    found, seen, waiting = [], set[int](), collections.deque([iterator])
    while waiting and len(seen) < _MOST_LOOKED_AT:
        part = waiting.popleft()
        if id(part) in seen or isinstance(part, _CLOSED):
            continue
        seen.add(id(part))
        if type(part) in FILES:
            place = _place_of(part)
            found += [(part, place)] if place is not None else []
        else:
            waiting += gc.get_referents(part)
    return tuple(found)


def _place_of(file: Any) -> int | None:
    try:
        return int(file.tell()) if file.readable() and file.seekable() else None
    except (OSError, ValueError):  # closed, or somebody else steps it
        return None
