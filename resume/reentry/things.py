"""Things that programs hold, and that pickle brings back in another shape or not at all."""

from __future__ import annotations

import csv
import decimal
import gc
import itertools
import re
import threading
import types
from collections.abc import Callable, Collection
from typing import Any

from resume.pickling import holes
from resume.pickling.anchors import slots_of
from resume.pickling.builders import builder
from resume.pickling.session import Reducer, Session, Unsavable
from resume.reentry.tracebacks import reduce_traceback

LOCKS: frozenset[type] = frozenset(
    {type(threading.Lock()), type(threading.RLock()), threading._RLock}  # noqa: SLF001
)


def look(kind: type, is_own: Callable[[str], bool]) -> Reducer | None:
    """Return how things of this type are saved; None for the core's way.

    Args:
        kind: Their type.
        is_own: Whether a module of this name is the program's.
    """
    if kind in _EXACT:
        return _EXACT[kind]
    if issubclass(kind, BaseException):
        return _exception if inherits_reduce(kind, BaseException) else _own_exception
    if not is_own(kind.__module__) or not inherits_reduce(kind, object):
        return None
    if _makes_its_own(kind, is_own):
        return _bare_instance
    return _instance if _answers_for_all(kind) else None


def inherits_reduce(kind: type, base: type) -> bool:
    """Whether a class is reduced by its builtin base, and has no setter of states of its own."""
    own = [each for each in kind.__mro__ if each.__flags__ & _IMMUTABLE == 0]
    names = ("__reduce__", "__reduce_ex__", "__setstate__", "__getstate__")
    return issubclass(kind, base) and not any(name in vars(each) for each in own for name in names)


_IMMUTABLE = 1 << 8
"""Of `type.__flags__`: a type written in C."""


# ---------------------------------------------------------------- instances


def _answers_for_all(kind: type) -> bool:
    """Whether its instances answer for attributes that they do not have, such as `__setstate__`."""
    own: Any = kind.__getattribute__
    return hasattr(kind, "__getattr__") or own is not object.__getattribute__


def _makes_its_own(kind: type, is_own: Callable[[str], bool]) -> bool:
    """Whether a `__new__` of the program would be called without what it was given."""
    maker = next(each for each in kind.__mro__ if "__new__" in vars(each))
    heap = [each for each in kind.__mro__ if each.__flags__ & _IMMUTABLE == 0]
    tells = ("__getnewargs__", "__getnewargs_ex__")
    if any(name in vars(each) for each in heap for name in tells):
        return False
    is_plain = all(getattr(kind, name) is getattr(object, name) for name in _REDUCING)
    return is_own(maker.__module__) and is_plain


_REDUCING = ("__reduce_ex__", "__reduce__")


def _bare_instance(session: Session, thing: Any) -> Any:
    _, args, *rest = _instance(session, thing)
    return bare_object, args, *rest


@builder
def bare_object(kind: Any, *args: Any) -> Any:
    """An instance, made by the builtin class above: none of the program's code runs."""
    base: Any = next(each for each in kind.__mro__ if each.__flags__ & _IMMUTABLE)
    return base.__new__(kind, *args)


def _instance(_session: Session, thing: Any) -> Any:
    kind: Any = type(thing)  # the instance itself would answer whatever is asked
    args = kind.__getnewargs__(thing) if hasattr(kind, "__getnewargs__") else ()
    state = (_dict_of(thing), _slots_of(thing, kind))
    items = list.__iter__(thing) if isinstance(thing, list) else None
    pairs = iter(dict.items(thing)) if isinstance(thing, dict) else None
    return new_object, (kind, *args), state, items, pairs, put_state


def _dict_of(thing: Any) -> dict[str, Any] | None:
    try:
        held: dict[str, Any] = object.__getattribute__(thing, "__dict__")
    except AttributeError:
        return None
    return held


def _slots_of(thing: Any, kind: type) -> dict[str, Any]:
    held = {}
    for name, slot in slots_of(kind).items():
        try:
            held[name] = slot.__get__(thing)
        except AttributeError:  # nothing is in it
            continue
    return held


@builder
def new_object(kind: Any, *args: Any) -> Any:
    """An instance, none of the program's code run but a `__new__` of its own."""
    return kind.__new__(kind, *args)


@builder
def put_state(target: Any, state: Any) -> None:
    """Give an instance its attributes, and ask nothing of its class."""
    plain, slots = state
    if plain:
        object.__getattribute__(target, "__dict__").update(plain)
    named = slots_of(type(target))
    for name, value in slots.items():
        named[name].__set__(target, value)


# ---------------------------------------------------------------- exceptions


def _exception(_session: Session, thing: BaseException) -> Any:
    """Reduce it without its `__init__`, which may take other arguments than it has handed on.

    What is behind it (`raise ... from why`) comes with it, and what its traceback says.
    """
    reduced: Any = thing.__reduce__()
    maker, args, *rest = reduced
    state = {**_around(thing), "attributes": rest[0] if rest else None}
    if _has_own_init(type(thing)):
        maker, args = exception, (type(thing), args)
    return maker, args, state, None, None, put_exception


def _own_exception(_session: Session, thing: BaseException) -> Any:
    """Reduce one that has a way of its own, and all that this way leaves out."""
    reduced: Any = thing.__reduce_ex__(5)
    if isinstance(reduced, str) or any(part is not None for part in reduced[3:]):
        return reduced
    maker, args, *rest = reduced
    state = {**_around(thing), "own": rest[0] if rest else None}
    return maker, args, state, None, None, put_own_exception


def _around(thing: BaseException) -> dict[str, Any]:
    return {
        "cause": thing.__cause__,
        "context": thing.__context__,
        "is_suppressed": thing.__suppress_context__,
        "traceback": thing.__traceback__,
    }


def _has_own_init(kind: type) -> bool:
    own = (each for each in kind.__mro__ if each.__flags__ & _IMMUTABLE == 0)
    return any(name in vars(each) for each in own for name in ("__init__", "__new__"))


@builder
def exception(kind: type[BaseException], args: tuple[Any, ...]) -> BaseException:
    """An exception with these `args`, none of the program's code run."""
    base: Any = next(each for each in kind.__mro__ if each.__flags__ & _IMMUTABLE)
    made: BaseException = base.__new__(kind, *args)
    base.__init__(made, *args)
    return made


@builder
def put_exception(target: BaseException, state: dict[str, Any]) -> None:
    """Give an exception its attributes, and what was behind it."""
    if state["attributes"]:
        BaseException.__setstate__(target, state["attributes"])
    _put_around(target, state)


@builder
def put_own_exception(target: BaseException, state: dict[str, Any]) -> None:
    """Give an exception that was made in a way of its own what it had besides."""
    if state["own"] is not None:
        target.__setstate__(state["own"])
    _put_around(target, state)


def _put_around(target: BaseException, state: dict[str, Any]) -> None:
    put = BaseException.__setattr__  # the class may define how attributes are set
    put(target, "__cause__", state["cause"])
    put(target, "__context__", state["context"])
    put(target, "__suppress_context__", state["is_suppressed"])
    put(target, "__traceback__", state["traceback"])


# ---------------------------------------------------------------- this and that


def reduce_lock(lock: Any, held: Collection[int]) -> Any:
    """Reduce a lock that nobody holds, or that the program takes again when it goes on.

    Args:
        lock: It.
        held: Ids of the locks that are taken again.

    Raises:
        Unsavable: Somebody holds it.
    """
    if id(lock) not in held and _is_held(lock):
        raise Unsavable("a lock is held by this process", "take it by `with`, which is done again")
    return (holes.lock if isinstance(lock, type(threading.Lock())) else holes.rlock), ()


def locks_of(manager: Any) -> list[Any]:
    """The locks that a context manager takes when it is entered."""
    if type(manager) in LOCKS:
        return [manager]
    return [manager._lock] if isinstance(manager, threading.Condition) else []  # type: ignore[attr-defined]  # noqa: SLF001


def _is_held(lock: Any) -> bool:
    if hasattr(lock, "locked"):
        return bool(lock.locked())
    return bool(lock._is_owned()) or _is_taken(lock)  # noqa: SLF001 - before 3.14 its only way


def _is_taken(lock: Any) -> bool:
    if not lock.acquire(blocking=False):
        return True
    lock.release()
    return False


@builder
def match(pattern: re.Pattern[Any], string: Any, places: list[Any], parts: Any) -> re.Match[Any]:
    """The match that *pattern* had in *string*.

    Args:
        pattern: It.
        string: What it was searched in.
        places: Where it may have begun to look, and where it ended.
        parts: Place of the match and of its groups, so that it is known again.

    Raises:
        ValueError: There is no such match any more.
    """
    for start, end in places:
        for ask in (pattern.search, pattern.match, pattern.fullmatch):
            found = ask(string, start, end)
            if found is not None and found.regs == parts:
                return found
    raise ValueError(f"{pattern.pattern!r} does not match at {parts[0]} any more")


def _match(_session: Session, thing: re.Match[Any]) -> Any:
    # one that finditer gave was looked for behind the match before it
    places = [(thing.pos, thing.endpos), (thing.start(), thing.endpos)]
    return match, (thing.re, thing.string, places, thing.regs)


@builder
def csv_reader(source: Any, how: dict[str, Any], lines: int) -> Any:
    """A `csv.reader` that has read so many lines already, and goes on with *source*."""
    # each empty line is a row of nothing, and counts
    made = csv.reader(itertools.chain(itertools.repeat("", lines), source), **how)
    for _ in range(lines):
        next(made)
    return made


@builder
def csv_writer(write: Any, how: dict[str, Any]) -> Any:
    """A `csv.writer` that hands its rows to *write*."""
    return csv.writer(types.SimpleNamespace(write=write), **how)


_DIALECT = (
    *("delimiter", "doublequote", "escapechar", "lineterminator"),
    *("quotechar", "quoting", "skipinitialspace", "strict"),
)


def _csv_reader(_session: Session, thing: Any) -> Any:
    how = {name: getattr(thing.dialect, name) for name in _DIALECT}
    source = next(part for part in gc.get_referents(thing) if hasattr(type(part), "__next__"))
    return csv_reader, (source, how, thing.line_num)


def _csv_writer(_session: Session, thing: Any) -> Any:
    how = {name: getattr(thing.dialect, name) for name in _DIALECT}
    write = next(
        part for part in gc.get_referents(thing) if callable(part) and not isinstance(part, type)
    )
    return csv_writer, (write, how)


@builder
def decimal_manager(outer: Any) -> Any:
    """A `decimal.localcontext()` that was entered, and goes back to *outer*; nothing is set by it.

    The context inside is the process's, and comes with that.
    """
    now = decimal.getcontext()
    decimal.setcontext(outer)
    made = decimal.localcontext()
    made.__enter__()
    decimal.setcontext(now)
    return made


def _decimal_manager(_session: Session, thing: Any) -> Any:
    # It tells nowhere what it goes back to: it does so, and is taken back.
    now = decimal.getcontext()
    thing.__exit__(None, None, None)
    outer = decimal.getcontext()
    decimal.setcontext(now)
    return decimal_manager, (outer,)


@builder
def bound_super(kind: Any, held: Any) -> Any:
    """`super(kind, held)`."""
    return super(kind, held) if held is not None else super(kind)


def _super(_session: Session, thing: Any) -> Any:
    get = object.__getattribute__  # it hands every other look on to the class behind
    return bound_super, (get(thing, "__thisclass__"), get(thing, "__self__"))


_EXACT: dict[type, Reducer] = {
    re.Match: _match,
    super: _super,
    types.TracebackType: reduce_traceback,
    type(decimal.localcontext()): _decimal_manager,
    type(csv.reader(())): _csv_reader,
    type(csv.writer(types.SimpleNamespace(write=len))): _csv_writer,
}
