"""A program's own functions, generators and classes in the one pickle graph of its state.

Goal: code never goes into the state. The source makes it again, and a function is saved as the
number of its block with what is its own: defaults, attributes, cells. A generator is saved as the
frame that it is.

What does not work: functions by name alone (a decorated one is not what its name gives, and the
definitions that run again have no defaults).

What can still go wrong: a generator of code that was not rewritten has no recipe, nor has one that
runs somewhere else than on the stack that is saved.
"""

from __future__ import annotations

import contextvars
import sys
import types
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from resume.frames.tables import layout
from resume.pickling import functions
from resume.pickling.functions import contents_of, fills_of, state_of
from resume.pickling.session import Reducer, Session, Unsavable
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
from resume.reentry.fields import parted, plain_fields
from resume.reentry.making import (
    Cells,
    block_function,
    by_name,
    declared_parameter,
    ended_generator,
    fill_generator,
    fill_shared,
    look_up,
    named_function,
    program_generator,
    shared_thing,
    wrapped_again,
)
from resume.reentry.program import Program
from resume.reentry.records import FrameRecord, Postponed
from resume.reentry.wrappers import is_wrapper, parts_of
from resume.rewrite import Entry


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
