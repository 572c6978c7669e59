"""A program's own functions, generators and classes in the one pickle graph of its state.

Goal: code never goes into the state. The source makes it again, and a function is saved as the
number of its block with what is its own: defaults, attributes, cells. A generator is saved as the
frame that it is.

What does not work: functions by name alone (a decorated one is not what its name gives, and the
definitions that run again have no defaults); generators whose frame is taken apart and put together
by pickle (a generator's variable may hold the generator). So a generator is made over an empty dict
of variables, which is filled when all is there; it runs to its place only behind that.

What can still go wrong: a generator of code that was not rewritten has no recipe, nor has one that
runs somewhere else than on the stack that is saved.
"""

from __future__ import annotations

import contextvars
import sys
import types
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from resume.errors import RestoreError
from resume.frames.tables import layout
from resume.pickling import functions
from resume.pickling.builders import bound, builder
from resume.pickling.functions import contents_of, fill_cell, fills_of, state_of
from resume.pickling.session import Rebuild, Reducer, Session, Unsavable
from resume.pickling.sets import SetRecord
from resume.reentry import (
    caches,
    context_variables,
    dispatching,
    files,
    loggers,
    parameters,
    things,
    waiting,
)
from resume.reentry.classes import reduce_class
from resume.reentry.contexts import acts_on_process
from resume.reentry.files import SLOT
from resume.reentry.iterators import Counted
from resume.reentry.program import Program
from resume.reentry.records import FrameRecord, Postponed
from resume.reentry.wrappers import is_wrapper, parts_of, wrapper
from resume.rewrite import Entry, Suspension

Cells: TypeAlias = "list[tuple[types.CellType, tuple[Any, ...]]]"
"""Cells with what they hold: one item, or none."""


@dataclass(slots=True)
class Taking:
    """What one save knows of the program; `look` is what `encode` asks."""

    program: Program
    record: Callable[[Any], FrameRecord]
    """Gives the record of a suspended generator, or one that has not begun."""
    running: Mapping[int, FrameRecord] = field(default_factory=dict)
    """By `id(frame)`: records of the generators that run on the stack."""
    defined: Mapping[str, Collection[str]] = field(default_factory=dict)
    """By module: globals that are there before the state is decoded."""
    blank: Collection[int] = ()
    """Ids of cells that come back empty."""
    held: Collection[int] = ()
    """Ids of locks that a `with` around the position holds: they are taken again."""
    whole: Collection[str] = ()
    """Modules that are there as they are, and no part of the state: what they name stays theirs."""
    emptied: Collection[int] = ()
    """Ids of caches (`lru_cache`) whose contents are left out."""
    waiting: Mapping[int, int] = field(default_factory=dict)
    """By id of a cache: how many calls on the stack it gets the results of."""
    shared: Mapping[int, str] = field(default_factory=dict)
    """By id of a cell or a function that lives on outside of the state: what it goes by."""
    met: set[str] = field(default_factory=set)
    """Modules whose functions and generators went into the state."""

    def look(self, kind: type) -> Reducer | None:
        """Return how things of this type are saved, where the program decides it."""
        own: dict[Any, Reducer] = {
            types.FunctionType: self._function,
            types.GeneratorType: self._generator,
            types.CellType: self._cell,
            caches.KIND: self._cached,
            SetRecord: _table_of,
            **dict.fromkeys(things.LOCKS, self._lock),
            contextvars.ContextVar: self._context_variable,
            **dict.fromkeys(parameters.KINDS, self._parameter),
            **dict.fromkeys(files.TYPES, files.reduce_file),
        }
        if kind in own or issubclass(kind, type):
            found: Reducer = own.get(kind, self._class)
            return found
        own_look = loggers.look(kind, is_ours=self.program.is_own(kind.__module__))
        return waiting.look(kind) or own_look or things.look(kind, self.program.is_own)

    # -- functions

    def _function(self, session: Session, thing: types.FunctionType) -> Any:
        if id(thing) in self.shared:
            return shared_thing, (self.shared[id(thing)],)
        if is_wrapper(thing):
            return _reduce_wrapper(thing)
        session.filled.update(self.blank)
        site = self.program.find(thing.__code__)
        is_named = self._comes_by_name(thing.__module__, thing.__qualname__, thing)
        if dispatching.is_dispatching(thing) and thing.__module__ not in self.whole:
            return self._dispatching(thing, is_named=is_named)
        if site is None or (is_named and thing.__module__ in self.whole):
            return (by_name, (thing.__module__, thing.__qualname__)) if is_named else NotImplemented
        place = (site.module.name, site.table.block)
        self.met.add(site.module.name)
        if is_named and set(thing.__code__.co_freevars) <= {"__class__"}:
            state = state_of(thing, [])
            return named_function, (*place, thing.__qualname__), state, None, None, _fill_function
        fills = [each for each in fills_of(session, thing) if id(each[0]) not in self.shared]
        cells = dict(zip(thing.__code__.co_freevars, thing.__closure__ or (), strict=True))
        names = (thing.__module__, thing.__qualname__)
        args = (*place, cells, names)
        return block_function, args, state_of(thing, fills), None, None, _fill_function

    def _dispatching(self, thing: Any, *, is_named: bool) -> Any:
        known, fill = dispatching.registered(thing), dispatching.register_again
        if is_named:
            return by_name, (thing.__module__, thing.__qualname__), known, None, None, fill
        if thing.__module__ not in self.program:
            return NotImplemented
        return dispatching.dispatching_function, (thing.__wrapped__,), known, None, None, fill

    def comes_by_name(self, thing: Any) -> bool:
        """Whether the definitions that run again make a function or a class under its name."""
        return self._comes_by_name(thing.__module__, thing.__qualname__, thing)

    def _comes_by_name(self, module: Any, qualname: str, thing: Any) -> bool:
        """Whether the definitions that run again make *thing* under its name."""
        if not isinstance(module, str) or module not in self.program:
            return False
        if qualname.split(".", maxsplit=1)[0] not in self.defined.get(module, ()):
            return False
        return look_up(self.program[module].namespace, qualname) is thing

    def _cached(self, _session: Session, thing: Any) -> Any:
        module, qualname = thing.__module__, thing.__qualname__
        if module not in self.program:
            return NotImplemented
        if module in self.whole and self._comes_by_name(module, qualname, thing):
            return by_name, (module, qualname)
        waiting, is_empty = self.waiting.get(id(thing), 0), id(thing) in self.emptied
        state = None if is_empty else caches.state_of_cache(thing, waiting)
        if self._comes_by_name(module, qualname, thing):
            return by_name, (module, qualname), state, None, None, caches.fill_cache
        how = thing.cache_parameters()
        args = (thing.__wrapped__, how["maxsize"], how["typed"])
        return functions.cached_function, args, state, None, None, caches.fill_cache

    def _context_variable(self, _session: Session, thing: Any) -> Any:
        spaces = (module.namespace for module in self.program if module.name not in self.whole)
        if any(thing is each for space in spaces for each in space.values()):
            return context_variables.reduced(thing)
        return NotImplemented  # that of a library stays the library's

    def _parameter(self, _session: Session, thing: Any) -> Any:
        if look_up(vars(sys.modules.get(thing.__module__, types)), thing.__name__) is thing:
            return NotImplemented  # `T = TypeVar("T")`
        for module in self.program:
            declared = parameters.declared_by(module.namespace, thing)
            if declared and declared[0].partition(".")[0] in self.defined.get(module.name, ()):
                return declared_parameter, (module.name, *declared)
        return parameters.by_value(thing)

    # -- cells

    def _lock(self, _session: Session, thing: Any) -> Any:
        return things.reduce_lock(thing, self.held)

    def _cell(self, _session: Session, thing: types.CellType) -> Any:
        if id(thing) in self.blank:
            return functions.cell, ()
        if id(thing) in self.shared:
            args = (self.shared[id(thing)],)
            return shared_thing, args, contents_of(thing), None, None, fill_shared
        return NotImplemented

    def _fills(self, session: Session, cells: Mapping[str, types.CellType]) -> Cells:
        session.filled.update(self.blank)
        known = {*session.filled, *self.shared}
        fresh = [cell for cell in cells.values() if id(cell) not in known]
        session.filled.update(map(id, fresh))
        return [(cell, contents_of(cell)) for cell in fresh]

    # -- generators

    def _generator(self, session: Session, thing: Any) -> Any:
        names = (thing.__name__, thing.__qualname__)
        if thing.gi_frame is None:
            return ended_generator, names
        if self.program.find(thing.gi_code) is None:
            return NotImplemented
        record = self._record_of(thing)
        self.met.add(record.module)
        values, again, reentered = parted(record.values)
        head = {**plain_fields(record), "again": again, "reentered": reentered}
        is_suspended = record.entry is Entry.YIELD
        state = ((is_suspended, self._fills(session, record.cells)), values)
        args = (head, tuple(values), record.cells, names)
        return program_generator, args, state, None, None, fill_generator

    def _record_of(self, thing: Any) -> FrameRecord:
        if thing.gi_running:
            record = self.running.get(id(thing.gi_frame))
            if record is None:
                raise Unsavable(f"the generator {thing.__qualname__} runs, but not on this stack")
            return record
        try:
            return self.record(thing)
        except Postponed as why:
            raise Unsavable(f"the generator {thing.__qualname__}: {why}") from why

    # -- classes

    def _class(self, _session: Session, thing: type) -> Any:
        module = thing.__module__
        if module not in self.program:
            return NotImplemented
        if self._comes_by_name(module, thing.__qualname__, thing):
            return by_name, (module, thing.__qualname__)
        return reduce_class(thing)


_fill_function = functions.fill_function


def _reduce_wrapper(thing: types.FunctionType) -> Any:
    """By its name where an import finds it; else the function behind it is wrapped again."""
    if functions.find(thing.__module__, thing.__qualname__) is thing:
        return thing.__qualname__
    return wrapped_again, parts_of(thing)


def _table_of(_session: Session, held: Any) -> Any:
    return layout(held)


def parted(values: Mapping[str, Any]) -> tuple[dict[str, Any], tuple[str, ...], tuple[str, ...]]:
    """Part a frame's values into those that are saved, and what is told by name.

    Returns:
        The values; names of the iterators that are made again; names of the context managers that
        are entered again, which are none of the values.
    """
    reentered = tuple(
        name for name, value in values.items() if name.startswith(".w") and acts_on_process(value)
    )
    kept = {name: value for name, value in values.items() if name not in reentered}
    return kept, tuple(name for name, value in kept.items() if type(value) is Counted), reentered


def plain_fields(record: FrameRecord) -> dict[str, Any]:
    """What a record says without its values and cells, as data that JSON can hold."""
    found: dict[str, Any] = {}
    for name in record.__slots__:
        value = getattr(record, name)
        if isinstance(value, Entry):
            found[name] = value.value
        elif isinstance(value, (str, int)):
            found[name] = value
        elif isinstance(value, tuple):
            found[name] = list(value)
    return found


def suspension_of(record: FrameRecord) -> Suspension:
    """Return where a restored record goes on, with all that is made again on the way."""
    return Suspension(
        record.position,
        record.entry,
        tuple(sorted(record.values)),
        frozenset(record.again),
        frozenset(record.reentered),
        record.recreated,
    )


def record_from(
    head: Mapping[str, Any], values: dict[str, Any], cells: dict[str, types.CellType]
) -> FrameRecord:
    """Make a record of what `plain_fields` gave."""
    fields: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in head.items()
    }
    fields["entry"] = Entry(fields["entry"])
    return FrameRecord(**fields, values=values, cells=cells)


def look_up(namespace: Mapping[str, Any], qualname: str) -> Any:
    """What a qualified name means, told without running anything; None where it is nothing."""
    first, *rest = qualname.split(".")
    found = namespace.get(first)
    for part in rest:
        if not isinstance(found, type):
            return None
        found = vars(found).get(part)
        if isinstance(found, (staticmethod, classmethod)):
            found = found.__func__
    return found


# ---------------------------------------------------------------- a restore


@dataclass(slots=True)
class Making:
    """What a restore makes the program's functions and generators of."""

    program: Program
    make: Callable[[FrameRecord], Any]
    """Gives a generator that goes on from a record, and has not begun to (`begin_generator`): its
    values are filled in later, in the very dict that is the record's now."""
    start: Callable[[Any], None]
    """Runs such a generator to the place where it is suspended."""
    waiting: dict[int, tuple[Any, dict[str, Any]]] = field(default_factory=dict)
    """By id of a generator whose values are still to come: the dict for these."""
    suspended: list[Any] = field(default_factory=list)

    shared: Mapping[str, Any] = field(default_factory=dict)
    """Cells and functions that live already, by what they go by (`Taking.shared`)."""
    cuts: list[tuple[Any, int]] = field(default_factory=list)
    """Files that are written, and the sizes that they had."""

    def finish(self) -> None:
        """Cut files back and run all generators to their places, once all globals are in theirs."""
        for file, size in self.cuts:
            files.cut_back(file, size)
        self.cuts.clear()
        waiting, self.suspended[:] = list(self.suspended), []
        for generator in waiting:
            self.start(generator)

    def code_of(self, module: str, block: int) -> types.CodeType:
        """The code of a block, as the source gives it.

        Raises:
            RestoreError: The program has no such block.
        """
        if module in self.program:
            code = self.program[module].rewritten.codes.get(block)
            if code is not None:
                return code
        raise RestoreError(
            f"the saved state holds a function number {block} of {module}, which is not there: the "
            "source is not that of the save. The saved state is untouched; restart, or put the "
            "source back."
        )


def making_of(rebuild: Rebuild) -> Making:
    """Return what a restore makes the program's things of.

    Raises:
        LookupError: The state is looked at by something else than a restore.
    """
    found = rebuild.own.get(SLOT)
    if not isinstance(found, Making):
        raise LookupError(  # noqa: TRY004 - nothing was given, most likely
            "it is part of a program that was rewritten: `resume run` restores it"
        )
    return found


@bound
def by_name(rebuild: Rebuild, module: str, qualname: str) -> Any:
    """What the definitions of the program have made under this name."""
    making = making_of(rebuild)
    found = (
        look_up(making.program[module].namespace, qualname) if module in making.program else None
    )
    if found is None:
        raise LookupError(f"{module} has no {qualname}")
    return found


@bound
def declared_parameter(rebuild: Rebuild, module: str, qualname: str, number: int) -> Any:
    """The type parameter of what the definitions of the program have made under this name."""
    return parameters.parameters_of(by_name(rebuild, module, qualname))[number]


@bound
def named_function(rebuild: Rebuild, module: str, block: int, qualname: str) -> Any:
    """A function that the definitions have made; a new one where they made something else."""
    making = making_of(rebuild)
    code = making.code_of(module, block)
    namespace = making.program[module].namespace
    found = look_up(namespace, qualname)
    site = making.program.find(found.__code__) if isinstance(found, types.FunctionType) else None
    if site is not None and (site.module.name, site.table.block) == (module, block):
        return found
    cells = tuple(types.CellType() for _ in code.co_freevars)
    made = types.FunctionType(code, namespace, code.co_name, None, cells)
    made.__module__, made.__qualname__ = module, qualname
    return made


@bound
def block_function(
    rebuild: Rebuild,
    module: str,
    block: int,
    cells: Mapping[str, types.CellType],
    names: tuple[str, str],
) -> Any:
    """A function of a block of the program, over these cells."""
    making = making_of(rebuild)
    code = making.code_of(module, block)
    closure = tuple(cells.get(name) or types.CellType() for name in code.co_freevars)
    made = types.FunctionType(
        code, making.program[module].namespace, code.co_name, None, closure or None
    )
    made.__module__, made.__qualname__ = names
    return made


@builder
def wrapped_again(function: Any, begin: Any) -> Any:
    """A wrapper like the one that was saved."""
    return wrapper(function, begin)


@bound
def shared_thing(rebuild: Rebuild, name: str) -> Any:
    """A cell or a function that lives already."""
    found = making_of(rebuild).shared.get(name)
    if found is None:
        raise LookupError(f"the caller brings no {name}")
    return found


@builder
def fill_shared(target: types.CellType, contents: tuple[Any, ...]) -> None:
    """Let a cell that may hold something hold what was saved, or nothing."""
    if contents:
        target.cell_contents = contents[0]
    else:
        del target.cell_contents


@bound
def program_generator(
    rebuild: Rebuild,
    head: Mapping[str, Any],
    bound_names: tuple[str, ...],
    cells: dict[str, types.CellType],
    names: tuple[str, str],
) -> Any:
    """A generator that goes on from a record, its values still to come."""
    making = making_of(rebuild)
    making.code_of(head["module"], head["block"])
    values = dict.fromkeys(bound_names)
    made = making.make(record_from(head, values, cells))
    made.__name__, made.__qualname__ = names
    making.waiting[id(made)] = made, values
    return made


@bound
def fill_generator(
    rebuild: Rebuild, target: Any, state: tuple[tuple[bool, Cells], dict[str, Any]]
) -> None:
    """Give a generator the values of its variables, and note whether it is suspended."""
    making = making_of(rebuild)
    (is_suspended, fills), values = state
    for cell, contents in fills:
        fill_cell(cell, contents)
    making.waiting.pop(id(target))[1].update(values)
    if is_suspended:
        making.suspended.append(target)


def iter_of_nothing() -> Iterator[None]:
    """A generator that yields nothing."""
    yield from ()


@bound
def ended_generator(_rebuild: Rebuild, name: str, qualname: str) -> Any:
    """A generator that has come to its end."""
    made: Any = iter_of_nothing()
    next(made, None)
    made.__name__, made.__qualname__ = name, qualname
    return made
