"""The whole state of an owner, to bytes and back: names, loops, named values, random generators.

All of it goes into one graph, so that two names for one list are one list afterwards, and the loop
over a list goes on over that very list. Mutable values of names keep their identity (they are
*anchors*): applying the same snapshot a second time changes the objects of the first time in place,
so that whatever the program built on them meanwhile stays right.
"""

from __future__ import annotations

import contextlib
import functools
import gc
import reprlib
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from types import CellType
from typing import Any

from resume import rng
from resume.call import SECRET, is_simple
from resume.errors import RestoreError, UnpicklableError
from resume.pickling import (
    Approve,
    Decoded,
    Encoded,
    Look,
    Reducers,
    Spare,
    decode,
    encode,
)
from resume.types import Content, Skipped, Variable

_RNG = ".rng"
_VALUES = ".values"
_PASSED = " (as passed)"
_CHAIN = 1000  # iterators that stand on one another: enumerate(zip(map(...)))


@dataclass(frozen=True, slots=True)
class LoopScene:
    """What a running loop brings into the state."""

    iterator: Any
    item: Any
    start: Any
    line: int = 0
    shared_as: str | None = None
    """A variable by which the body may take items from the iterator, too."""
    has_drawn: bool = False
    """The expression of the iterable drew random numbers."""


@dataclass(frozen=True, slots=True)
class Scene:
    """Everything that a snapshot is taken of, still alive."""

    names: Mapping[str, Any]
    passed: Mapping[str, Any] = field(default_factory=dict)
    """Arguments as they were at entry, those that are no simple values."""
    held: Collection[str] = ()
    """Names whose objects others hold too, with the parts of these."""
    shares_rest: bool = True
    """Others may hold the objects of all other names as well."""
    values: Mapping[str, Any] = field(default_factory=dict)
    """`chp["k"]` and `save(k=...)`."""
    loops: Sequence[LoopScene] = ()
    externals: Mapping[str, Any] = field(default_factory=dict)
    """Names that `exclude=` leaves out: referred to, never written."""
    outside: Collection[Any] = ()
    """Objects that a rerun has anew, whatever was saved: excluded ones, a caller's own."""
    classes: Mapping[str, type] = field(default_factory=dict)
    """Classes that the rerun makes anew: referred to by name."""
    beside: Mapping[str, Any] = field(default_factory=dict)
    """Other things that the rerun brings by itself: referred to by name, and no variables."""
    own: Mapping[str, Any] = field(default_factory=dict)
    cells: Callable[[CellType, str], str | None] | None = None
    look: Look | None = None
    """What the program says of its own types."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The captured state, not yet durable."""

    encoded: Encoded
    variables: tuple[Variable, ...]
    loops_by_value: tuple[bool, ...]
    passed: Mapping[str, str]
    """Argument -> anchor under which the object that the caller passed is kept."""

    @property
    def skipped(self) -> tuple[Skipped, ...]:
        """The user's variables that are not in it."""
        return tuple(skip for skip in self.encoded.skipped if not skip.name.startswith("."))

    @property
    def without_graph(self) -> tuple[str, ...]:
        """The user's variables that come back without the graph for their `backward()`."""
        return tuple(name for name in self.encoded.without_graph if not name.startswith("."))


def capture(
    scene: Scene,
    *,
    reducers: Reducers,
    sets: bool = True,
    previews: bool = True,
    spare: Spare | None = None,
) -> Snapshot:
    """Encode *scene*.

    Args:
        scene: What is alive now.
        reducers: The user's own, by type.
        sets: Keep the order of sets.
        previews: Put short texts of the values into the table of variables.
        spare: What one capture leaves for the next; it holds no object of either.

    Raises:
        UnpicklableError: A variable that cannot be saved shares an object with one that is.
    """
    with _no_collection():
        return _captured(scene, reducers, spare, sets=sets, previews=previews)


@contextlib.contextmanager
def _no_collection() -> Iterator[None]:
    """Meanwhile the cyclic collector waits: it would walk the state many times, and find nothing.

    What pickle makes for an instance (its dict, when first asked for) counts as growth: 143
    collections on the way through 100,000 instances, a fifth of the time of a first save, and a
    quarter of that of a restore, which makes all of the state anew.
    """
    # Off for all threads. Of two saves at once the first to end turns it on for both, which costs
    # the other time and no more; a program that turns it off itself just then has it on again.
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _captured(
    scene: Scene, reducers: Reducers, spare: Spare | None, *, sets: bool, previews: bool
) -> Snapshot:
    roots = dict(scene.names)
    passed = _anchor_arguments(scene)
    anchors = {anchor: scene.passed[name] for name, anchor in passed.items()}
    deep = {*anchors, *scene.held}
    anchors |= {
        name: value
        for name, value in scene.names.items()
        if not is_simple(value) and (scene.shares_rest or name in deep)
    }
    by_name = [_rests_on(loop.iterator, scene.outside) for loop in scene.loops]
    for depth, loop in enumerate(scene.loops):
        roots |= _loop_roots(depth, replace(loop, iterator=None) if by_name[depth] else loop)
    roots[_VALUES] = dict(scene.values)
    roots[_RNG] = rng.capture()
    encoded = encode(
        roots,
        anchors=anchors,
        shallow=[name for name in anchors if name not in deep],
        externals={**scene.externals, **scene.classes, **scene.beside},
        reducers=reducers,
        own=scene.own,
        cells=scene.cells,
        look=scene.look,
        sets=sets,
        spare=spare,
    )
    if scene.look is None:  # else the program decides what becomes of what cannot be saved
        _refuse_sharing(encoded, {**scene.names, **scene.externals}, scene.externals)
    missing = {skip.name for skip in encoded.skipped}
    if _VALUES in missing:
        _refuse_values(encoded)
    by_value = tuple(
        not by_name[depth] and not {f".loop {depth} item", f".loop {depth} iterator"} & missing
        for depth in range(len(scene.loops))
    )
    _refuse_unrepeatable_loops(scene.loops, by_value)
    table = _variable_table(scene.names, encoded, previews=previews)
    table += tuple(
        Variable(name, _type_name(value), 0, skipped="left out by exclude=")
        for name, value in scene.externals.items()
    )
    encoded.forget()
    return Snapshot(encoded, table, by_value, passed)


def _rests_on(iterator: Any, outside: Collection[Any]) -> bool:
    """Whether *iterator* takes its items from one of *outside*, which the rerun makes anew.

    Then its place is no part of the state, and the rerun's own one has to be brought there.
    """
    wanted = {id(value) for value in outside if isinstance(value, Iterator)}
    seen: set[int] = set()
    todo = [iterator] if wanted else []
    while todo and len(seen) < _CHAIN:
        value = todo.pop()
        if id(value) in wanted:
            return True
        if id(value) not in seen and isinstance(value, Iterator | tuple | dict):
            seen.add(id(value))
            todo.extend(gc.get_referents(value))
    return False


def _loop_roots(depth: int, loop: LoopScene) -> dict[str, Any]:
    return {
        f".loop {depth} item": loop.item,
        f".loop {depth} iterator": loop.iterator,
        f".loop {depth} start": loop.start,
    }


def _anchor_arguments(scene: Scene) -> dict[str, str]:
    """Under which anchor each passed object is kept: its name, or one of its own once rebound.

    What `exclude=` names is not kept, and so shares nothing with what is.
    """
    found = {}
    for name, value in scene.passed.items():
        if name in scene.externals:
            continue
        is_still_bound = name in scene.names and scene.names[name] is value
        found[name] = name if is_still_bound else name + _PASSED
    return found


def _refuse_sharing(
    encoded: Encoded, names: Mapping[str, Any], externals: Mapping[str, Any]
) -> None:
    left_out = {skip.name: skip for skip in encoded.skipped if skip.name in names}
    for name in [*left_out, *externals]:
        other = encoded.shared_with_saved(names[name])
        if other is None or other.startswith(".") or other in left_out:
            continue
        why = f"it holds {left_out[name].path}" if name in left_out else "exclude= names it"
        raise UnpicklableError(
            f"{name} cannot be saved ({why}) and shares an object with {other}, which can: after a "
            f"rerun {name} would hold another copy. Nothing was written. Create {name} from "
            f"{other} after restore(), or leave out both: exclude=[{name!r}, {other!r}]"
        )


def _refuse_unrepeatable_loops(loops: Sequence[LoopScene], by_value: Sequence[bool]) -> None:
    for loop, is_saved in zip(loops, by_value, strict=True):
        if loop.has_drawn and not is_saved:
            raise UnpicklableError(
                f"the expression of the loop at line {loop.line} draws random numbers, and what it "
                "gives cannot be saved at its place: a rerun would draw other items. Nothing was "
                "written. Let the loop draw them itself: chp.loop(lambda: ...)"
            )
        if loop.shared_as is not None and not is_saved:
            raise UnpicklableError(
                f"the loop at line {loop.line} goes over {loop.shared_as!r}, which its body reads "
                "too, and the iterator cannot be saved at its place: a rerun could not tell how "
                "many items the body took. Nothing was written. Take all items by the loop, or "
                "loop over something that can be saved (a list)"
            )


def _refuse_values(encoded: Encoded) -> None:
    skip = next(skip for skip in encoded.skipped if skip.name == _VALUES)
    path = skip.path.removeprefix(_VALUES)
    raise UnpicklableError(f"cannot save the named value chp{path} (a {skip.type}): {skip.why}")


def _variable_table(
    names: Mapping[str, Any], encoded: Encoded, *, previews: bool
) -> tuple[Variable, ...]:
    skipped = {skip.name: skip for skip in encoded.skipped}
    return tuple(
        _variable(name, value, encoded.sizes.get(name, 0), skipped.get(name), previews=previews)
        for name, value in names.items()
        if not name.startswith(".")  # no variable of the program's
    )


def _variable(
    name: str, value: Any, size: int, skip: Skipped | None, *, previews: bool
) -> Variable:
    shape = getattr(value, "shape", None) if _is_array(value) else None
    return Variable(
        name=name,
        type=_type_name(value),
        size_bytes=size,
        preview=preview(name, value) if previews else "",
        shape=None if shape is None else tuple(int(n) for n in shape),
        dtype=str(value.dtype) if shape is not None and hasattr(value, "dtype") else None,
        skipped=None if skip is None else f"{skip.path} ({skip.type}): {skip.why}",
    )


def _type_name(value: Any) -> str:
    kind = type(value)
    return (
        kind.__qualname__
        if kind.__module__ == "builtins"
        else f"{kind.__module__}.{kind.__qualname__}"
    )


def _is_array(value: Any) -> bool:
    module = type(value).__module__
    return module != "builtins" and module.partition(".")[0] in _ARRAYS


_ARRAYS = ("numpy", "torch", "cupy", "pandas")


class _Short(reprlib.Repr):
    """Looks at the first items alone: reprlib sorts all of a dict's keys, and of a set's items."""

    def repr_int(self, x: int, level: int) -> str:
        bits = x.bit_length()
        # beyond 4,300 digits Python refuses to write them, and long before that it is slow
        return f"<int of {bits} bits>" if bits > _LONG_INT_BITS else super().repr_int(x, level)

    def repr_dict(self, x: dict[Any, Any], level: int) -> str:
        return super().repr_dict(dict(islice(x.items(), self.maxdict + 1)), level)

    def repr_set(self, x: set[Any], level: int) -> str:
        return super().repr_set(set(islice(x, self.maxset + 1)), level)

    def repr_frozenset(self, x: frozenset[Any], level: int) -> str:
        return super().repr_frozenset(frozenset(islice(x, self.maxfrozenset + 1)), level)


_LONG_INT_BITS = 2_000
_short = _Short()
_short.maxstring = _short.maxother = _short.maxlong = 60
_short.maxlevel = 2


def preview(name: str, value: Any) -> str:
    """A short text of a built-in value; no code of the user's runs, and secrets show `***`."""
    if _is_secret(name):
        return "***"
    if type(value) in _BRIEF:
        return repr(value)
    return _short.repr(value) if _is_plain(value, 3) else ""


@functools.lru_cache(1_000)
def _is_secret(name: str) -> bool:
    return SECRET.search(name) is not None


_BRIEF = (float, bool, type(None))
_ATOMS = frozenset({int, complex, str, bytes, range, *_BRIEF})


def _is_plain(value: Any, levels: int) -> bool:
    if type(value) in _ATOMS:
        return True
    if type(value) in (list, tuple, set, frozenset) and levels:
        return all(_is_plain(item, levels - 1) for _, item in zip(range(8), value, strict=False))
    if type(value) is dict and levels:
        some = zip(range(8), value.items(), strict=False)
        return all(_is_plain(k, 1) and _is_plain(v, levels - 1) for _, (k, v) in some)
    return False


@dataclass(frozen=True, slots=True)
class Revived:
    """A decoded state, its random generators not yet set."""

    names: dict[str, Any]
    values: dict[str, Any]
    loops: tuple[LoopScene, ...]
    random_state: Any
    anchored: Mapping[str, Any]
    """Objects by anchor path, for a second decoding of the same bytes into them."""
    hidden: Mapping[str, Any] = field(default_factory=dict)
    """Names of the scene that begin with a dot: no variables, but part of its graph."""
    unordered_sets: int = 0
    """Sets that iterate in another order than they did."""


def user_names(values: Mapping[str, Any]) -> dict[str, Any]:
    """Those of the decoded roots that are the owner's names."""
    return {
        name: value
        for name, value in values.items()
        if not name.startswith(".") and not name.endswith(_PASSED)
    }


def revive(
    content: Content,
    *,
    loops: int,
    live: Mapping[str, Any],
    anchored: Mapping[str, Any] | None = None,
    externals: Mapping[str, Any] | None = None,
    untouched: Collection[str] = (),
    own: Mapping[str, Any] | None = None,
    cells: Callable[[str], CellType | None] | None = None,
    rename: Mapping[str, str] | None = None,
    stand_ins: bool = False,
    approve: Approve | None = None,
) -> Revived:
    """Decode a state of so many *loops*, in place where *live* or *anchored* has the object.

    Raises:
        RestoreError: A class is gone, a `__setstate__` raised, or objects cannot be paired.
    """
    with _no_collection():
        decoded: Decoded = decode(
            content.stream,
            content.buffers,
            live=live,
            anchored=anchored or {},
            externals=externals or {},
            untouched=untouched,
            own=own or {},
            cells=cells,
            rename=rename or {},
            stand_ins=stand_ins,
            approve=approve,
        )
    values = dict(decoded.values)
    scenes = tuple(
        LoopScene(
            values.get(f".loop {depth} iterator"),
            values.get(f".loop {depth} item"),
            values.get(f".loop {depth} start"),
        )
        for depth in range(loops)
    )
    if _RNG not in values:
        raise RestoreError(
            "the saved state holds no random generators: it was not written by resume"
        )
    names = user_names(values)
    hidden = {
        name: value
        for name, value in values.items()
        if name.startswith(".") and name not in (_VALUES, _RNG) and not name.startswith(".loop ")
    }
    return Revived(
        names,
        values.get(_VALUES, {}),
        scenes,
        values[_RNG],
        decoded.anchored,
        hidden,
        decoded.unordered_sets,
    )
