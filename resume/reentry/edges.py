"""What stands between a frame and the one inside it: proved to be one plain call, or postponed.

Goal: a frame that waits for another one goes on, in another process, with the result of the other.
That holds only where nothing else waits in between: no C code (`sorted`, `map`), no operator, no
property, no code of a library.

What does not work: the stack alone. C code has no frames, so `sorted(key=f)` looks like a call of
`f`; a function that is rebound while it runs looks like another.

What we do: the instruction must be a call, what it calls is looked up by `lookups.py`, taken out of
its wrappers, and must be the code of the frame inside. Loops and `yield from` must hold the very
generator that runs.
"""

from __future__ import annotations

import ast
import dis
import functools
import gc
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from types import BuiltinFunctionType, CodeType, FrameType, FunctionType, GeneratorType, MethodType
from typing import Any

from resume.reentry.lookups import (
    MISSING,
    Found,
    Unclear,
    attribute,
    in_classes,
    is_any,
    is_class,
    is_of,
    method_behind,
    name_of_class,
)
from resume.reentry.program import Site
from resume.reentry.records import Keeping, Postponed
from resume.reentry.wrappers import behind
from resume.rewrite import Block, Callee, Entry, Kind, Place


@dataclass(frozen=True, slots=True)
class LiveFrame:
    """A frame of the program that runs, or waits for another."""

    frame: FrameType
    site: Site
    values: Mapping[str, Any]
    """All its bound variables, hidden ones and cells included; of a module, its namespace."""

    @property
    def name(self) -> str:
        """The function, for people."""
        return shown(self.frame.f_code, self.site.module.name)

    @property
    def is_generator(self) -> bool:
        """It is a generator's."""
        return self.site.block.is_generator


@dataclass(frozen=True, slots=True)
class Edge:
    """How a frame goes on when the one inside it is done."""

    entry: Entry
    function: FunctionType | None = None
    """The function that the frame inside runs."""
    made: Any = None
    """Of a constructor: the object."""
    generator: GeneratorType[Any, Any, Any] | None = None
    """The generator that the frame inside is of."""
    is_asked: bool = False
    """A call gave the generator a value, or an error: its next value is that of the call."""
    keeping: Keeping | None = None
    """The cache that the call goes through, if it can be told what it was called with."""


@dataclass(frozen=True, slots=True)
class _Target:
    function: FunctionType
    makes: type | None = None
    """The class whose constructor it is."""


_LRU = type(functools.lru_cache(len))
_ASKING = frozenset({"send", "throw", "__next__"})
_MAKES = type.__dict__["__call__"]


def shown(code: CodeType, module: str) -> str:
    """Name what runs *code*, for people."""
    return f"the module {module}" if code.co_name == "<module>" else f"`{code.co_qualname}`"


def instruction(frame: FrameType) -> str:
    """Return the name of the instruction that *frame* stands at."""
    raw, at = frame.f_code.co_code, frame.f_lasti
    while at > 0 and dis.opname[raw[at]] == "CACHE":  # 3.11 and 3.12 stand behind a call's caches
        at -= 2
    return dis.opname[raw[at]]


def place_of(live: LiveFrame) -> Place | None:
    """Return the position that a frame stands at, if it is one."""
    number = live.site.table.ids[live.frame.f_lasti // 2]
    module = live.site.module.rewritten
    return module.places(live.site.table.block).get(number) if number else None


def edge(
    outer: LiveFrame, place: Place, inner: LiveFrame, find: Callable[[CodeType], Site | None]
) -> Edge:
    """Prove how *outer*, at *place*, waits for *inner*, the frame inside it.

    Args:
        outer: A frame of the program.
        place: Where it stands.
        inner: The frame inside, of the program too.
        find: Tells what code objects are in the program (`Program.find`).

    Raises:
        Postponed: Something else may stand between the two.
    """
    try:
        _look_again(outer, place)
        if place.kind in {Kind.LOOP, Kind.DELEGATION}:
            return _of_iterator(outer, place, inner)
        callee = _callee(outer, place)
        if inner.is_generator:
            return _of_asked_generator(outer, place, callee, inner)
        return _of_call(outer, place, callee, inner, find)
    except Unclear as why:
        raise Postponed(f"{outer.name} waits for {inner.name} by no plain call: {why}") from None


def safe_point(outer: LiveFrame, place: Place, safe_points: Collection[Any]) -> Edge:
    """Prove that *outer*, at *place*, calls one of *safe_points*, which returns None.

    Raises:
        Postponed: It may be something else that is called there.
    """
    try:
        _look_again(outer, place)
        callee = _callee(outer, place)
        called = _function_of(evaluate(callee, outer))
    except Unclear as why:
        raise Postponed(f"{outer.name} asks for a save by no plain call: {why}") from None
    if not any(called is _function_of(each) for each in safe_points):
        raise Postponed(
            f"{outer.name} asks for a save by way of `{_dotted(callee)}`, which is {_named(called)}"
        )
    return Edge(Entry.DONE)


def _callee(live: LiveFrame, place: Place) -> Callee:
    if place.callee is None or not instruction(live.frame).startswith(_CALLS):
        raise Unclear("an operator, an attribute or a statement runs it")
    return place.callee


_CALLS = ("CALL", "PRECALL")


def _function_of(callee: Any) -> Any:
    return callee.__func__ if type(callee) is MethodType else callee


def look_at_pending(live: LiveFrame, place: Place) -> None:
    """Prove that what was looked up before, and waits for *place*, is the same looked up again.

    Raises:
        Postponed: It may be something else.
    """
    try:
        _look_again(live, place)
    except Unclear as why:
        raise Postponed(f"{live.name} cannot be entered again: {why}") from None


def _look_again(live: LiveFrame, place: Place) -> None:
    for callee in place.pending:
        if not _last(callee, live).is_method:
            raise Unclear(f"`{_dotted(callee)}`, looked up before, is no plain function of a class")


# -- loops and generators


def _of_iterator(outer: LiveFrame, place: Place, inner: LiveFrame) -> Edge:
    iterator = outer.values.get(place.iterator or "")
    is_loop = place.kind is Kind.LOOP
    wanted = "FOR_ITER" if is_loop else "SEND"
    if not runs(iterator, inner.frame) or instruction(outer.frame) != wanted:
        what = "its loop" if is_loop else "its `yield from`"
        raise Unclear(f"{what} goes through C or library code, or a `__next__`")
    return Edge(Entry.LOOP if is_loop else Entry.CALL, generator=iterator)


def runs(value: Any, frame: FrameType) -> bool:
    """Tell whether *value* is the generator whose frame that is."""
    return type(value) is GeneratorType and value.gi_frame is frame


def _of_asked_generator(outer: LiveFrame, place: Place, callee: Callee, inner: LiveFrame) -> Edge:
    found = evaluate(callee, outer)
    if found is next:
        asked = evaluate(place.asked, outer) if place.asked else None
        if not runs(asked, inner.frame):
            raise Unclear("the argument of `next` is no name of the generator")
        return Edge(Entry.REDO, generator=asked)
    owner = getattr(found, "__self__", None) if is_any(found, _BOUND) else None
    name = found.__name__ if owner is not None else None
    if callee.attributes and owner is None:
        owner = evaluate(Callee(callee.root, callee.attributes[:-1]), outer)
        name = callee.attributes[-1]
    if name not in _ASKING or not runs(owner, inner.frame):
        raise Unclear(f"{_named(found)} runs the generator")
    return Edge(Entry.CALL, generator=owner, is_asked=True)


_BOUND = (BuiltinFunctionType, type([].__len__))


# -- calls


def _of_call(
    outer: LiveFrame,
    place: Place,
    callee: Callee,
    inner: LiveFrame,
    find: Callable[[CodeType], Site | None],
) -> Edge:
    called = evaluate(callee, outer)
    target = _target(called)
    site = find(target.function.__code__)
    table = inner.site.table
    if site is None or site.module is not inner.site.module or site.table.block != table.block:
        raise Unclear(f"`{_dotted(callee)}` is {_named(called)}, which runs something else")
    if target.makes is None:
        return Edge(Entry.CALL, target.function, keeping=_keeping(called, target, place, inner))
    return Edge(Entry.CONSTRUCTOR, target.function, made=_made(target.makes, inner))


def _keeping(called: Any, target: _Target, place: Place, inner: LiveFrame) -> Keeping | None:
    """Return the cache that is called, with the arguments: those are still in the frame inside."""
    if type(called) is not _LRU or _cached(called) is not target.function or not place.arguments:
        return None
    count, names = place.arguments
    code = target.function.__code__
    by_place = code.co_varnames[: code.co_argcount][:count]
    wanted = {*by_place, *names}
    is_there = wanted <= set(code.co_varnames[: code.co_argcount + code.co_kwonlyargcount])
    if count > code.co_argcount or not is_there or not wanted <= inner.values.keys():
        return None
    site = inner.site
    if not wanted.isdisjoint(site.module.rewritten.bound_in(site.table.block)):
        return None
    values = inner.values
    args = tuple(values[name] for name in by_place)
    named = {name: values[name] for name in names}
    return Keeping(called, args, named, is_counted=not inner.site.table.is_residual)


def _target(called: Any) -> _Target:
    """Take the function out of what is called."""
    for _ in range(100):
        kind = type(called)
        if kind is FunctionType:
            return _Target(behind(called))
        if kind is MethodType:
            called = called.__func__
        elif kind is functools.partial:
            called = called.func
        elif kind is _LRU:
            called = _cached(called)
        elif is_class(called):
            return _constructor(called)
        else:
            by_class = in_classes(kind, "__call__")
            if by_class is MISSING:
                raise Unclear(f"what it calls is {_named(called)} by now")
            if type(by_class) is not FunctionType:
                raise Unclear(f"it goes through {_named(called)}, which is C code or calls others")
            return _Target(behind(by_class))
    raise Unclear("it goes through a hundred wrappers")


def _cached(wrapper: Any) -> Any:
    """Return the function behind a cache; anybody can set the attribute that tells it."""
    try:
        wrapped = attribute(wrapper, "__wrapped__").value
    except Unclear:
        wrapped = MISSING
    if not any(wrapped is each for each in gc.get_referents(wrapper)):
        raise Unclear("it goes through a cache that does not tell its function")
    return wrapped


def _constructor(cls: type) -> _Target:
    name = name_of_class(cls)
    if in_classes(type(cls), "__call__") is not _MAKES:
        raise Unclear(f"the metaclass of {name} makes its objects")
    new, init = in_classes(cls, "__new__"), in_classes(cls, "__init__")
    if type(new) is staticmethod:
        new = new.__func__
    if not is_any(new, (BuiltinFunctionType, FunctionType)):
        raise Unclear(f"the `__new__` of {name} is {_named(new)}")
    if type(init) is not FunctionType:
        raise Unclear(f"{name} has no `__init__` that is a plain function")
    return _Target(behind(init), cls)


def _made(cls: type, inner: LiveFrame) -> Any:
    """Return the object that a constructor's frame works on: its first argument."""
    block = inner.site.block
    made = inner.values.get(block.first_argument or "", MISSING)
    if made is MISSING or _is_rebound(block) or not is_of(made, cls):
        raise Unclear("the constructor gives its first argument another value")
    return made


def _is_rebound(block: Block) -> bool:
    name = block.first_argument
    return any(
        isinstance(part, ast.Name) and part.id == name and not isinstance(part.ctx, ast.Load)
        for part in ast.walk(block.node)
    )


# -- names


def evaluate(callee: Callee, live: LiveFrame) -> Any:
    """Return what a place calls.

    Raises:
        Unclear: Only running code would tell.
    """
    return _last(callee, live).value if callee.attributes else _variable(callee.root, live)


def _last(callee: Callee, live: LiveFrame) -> Found:
    """Return what the last of the attributes is."""
    *before, last = callee.attributes
    if callee.root == "super()" and not before:
        return _above(live, last)
    owner = _variable(callee.root, live)
    for name in before:
        owner = attribute(owner, name).value
    return attribute(owner, last)


def _above(live: LiveFrame, name: str) -> Found:
    """Return what `super().name` is."""
    if _variable("super", live) is not super:
        raise Unclear("`super` is not what it is elsewhere")
    cls = _variable("__class__", live)
    owner = live.values.get(live.site.block.first_argument or "", MISSING)
    if owner is MISSING:
        raise Unclear("`super()` has no object now")
    return method_behind(cls, owner, name)


def _variable(name: str, live: LiveFrame) -> Any:
    if name in live.values:
        return live.values[name]
    code = live.frame.f_code
    is_local = name in (*code.co_varnames, *code.co_cellvars, *code.co_freevars)
    for names in () if is_local else (live.frame.f_globals, live.frame.f_builtins):
        if name in names:
            return names[name]
    raise Unclear(f"`{name}` has no value any more")


def _dotted(callee: Callee) -> str:
    root = "what it evaluated" if callee.root.startswith(".") else callee.root
    return ".".join([root, *callee.attributes])


def _named(value: Any) -> str:
    """Name a callable, for people."""
    if type(value) is MethodType:
        return _named(value.__func__)
    if is_any(value, (FunctionType, *_NAMED)):
        return f"`{value.__qualname__}`"
    if is_class(value):
        return f"the class {name_of_class(value)}"
    return f"an object of {name_of_class(type(value))}"


_NAMED = (*_BOUND, type(len), type(str.join), type(str.__len__))
