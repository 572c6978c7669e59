"""From a live frame outwards to the root of the program: each frame a record, each step proved.

Goal: at a statement boundary (or in an explicit safe point) tell all that the program needs to go
on there, without running any of its code and without leaving anything behind on its frames.

What does not work: to take the stack as it is. A frame below C code, in the middle of an operator
or of an import would go on with the wrong value, or never. And `f_locals` as it is: on 3.11 and
3.12 it leaves a dict on the frame that keeps all values alive; it shows what cells hold, but not
the cells, without which closures would part from the frames that made them.

What we do: `edges.py` proves each step; the first that it cannot prove ends the walk with a reason.
Cells come from the function that the proof has met anyway, from functions among the variables, and
for what is left of all frames together from one search of the heap.

What can still go wrong: another thread that reads a shared variable during that search.
"""

from __future__ import annotations

import gc
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from threading import get_ident
from types import CellType, CodeType, FrameType, FunctionType, GeneratorType
from typing import Any

from resume.frames import is_cell_of, namespace_of, read_locals, running_frames, search_cells
from resume.reentry.edges import (
    Edge,
    LiveFrame,
    edge,
    instruction,
    look_at_pending,
    place_of,
    safe_point,
    shown,
)
from resume.reentry.program import Program, Site
from resume.reentry.records import FrameRecord, Postponed
from resume.rewrite import MADE, Entry, Kind, Place

_LEFT_OVER = frozenset({MADE, ".locals", ".once"})
_SPENT = (".i", ".w", ".e", ".y")
"""Hidden names that are never read again once they are None; a `.t` may well hold None."""


@dataclass(frozen=True, slots=True)
class Stack:
    """All that a running program has on its stack, to go on from there."""

    frames: tuple[FrameRecord, ...]
    """What is entered, one from the other, outermost first: functions, and stand-ins for those
    generators that a call asks (`FrameRecord.generator`)."""
    running: Mapping[int, FrameRecord]
    """By `id(frame)`: the generators that run on the stack. They go on when they are asked."""
    every: tuple[FrameRecord, ...]
    """All frames, generators included, outermost first: for people."""


def walk(
    program: Program,
    frame: FrameType,
    *,
    root: FrameType,
    at_line: bool,
    safe_points: Collection[Any] = (),
    passed_over: Collection[CodeType] = (),
    function: FunctionType | None = None,
) -> Stack:
    """Take the stack from *frame* out to *root* apart; the program runs on as if nobody had looked.

    Args:
        program: The rewritten modules.
        frame: The innermost frame of the program.
        root: The outermost one: that of the module `__main__`, or of a decorated function.
        at_line: *frame* is at a line event. Else it has called one of *safe_points*.
        safe_points: Callables that save, and return None.
        passed_over: Code of helpers that stand between a `yield from` and its iterator.
        function: What *root* runs, if it is known.

    Raises:
        Postponed: Some frame cannot be entered again where it stands.
    """
    return _Walk(program, root, {id(code) for code in passed_over}, function).take(
        frame, safe_points, at_line=at_line
    )


def root_of(program: Program, name: str, frame: FrameType) -> FrameType | None:
    """Return the outermost frame around *frame* that runs a module; None: there is none."""
    found: FrameType | None = None
    around: FrameType | None = frame
    while around is not None:
        site = program.find(around.f_code) if around.f_code.co_name == "<module>" else None
        if site is not None and site.module.name == name:
            found = around
        around = around.f_back
    return found


def called_by(program: Program, caller: FrameType | None, frame: FrameType) -> FrameType | None:
    """Return the frame around *frame*, or itself, that *caller* has called, if it is a block."""
    around: FrameType | None = frame
    while around is not None and around.f_back is not caller:
        around = around.f_back
    return around if around is not None and program.find(around.f_code) is not None else None


def no_other_thread(program: Program) -> None:
    """Make sure that only the thread that asks runs the program: of others nothing is saved.

    Raises:
        Postponed: Another thread has a frame of the program.
    """
    others = running_frames()
    del others[get_ident()]  # our own frame: a cycle, which would keep what is saved alive
    for innermost in others.values():
        frame: FrameType | None = innermost
        while frame is not None:
            site = program.find(frame.f_code)
            if site is not None:
                name = shown(frame.f_code, site.module.name)
                raise Postponed(f"{name} runs in another thread")
            frame = frame.f_back


@dataclass(slots=True)
class _Frame:
    """One frame on the way, and what is known of it so far."""

    live: LiveFrame
    record: FrameRecord
    around: Edge | None = None
    """How the frame outside waits for it; None: it is the root."""


@dataclass(slots=True)
class _Walk:
    program: Program
    root: FrameType
    passed_over: set[int]
    """Ids: hashing a code object is slow."""
    function: Any = None
    """What the root runs, if that is known."""
    sites: dict[int, Site | None] = field(default_factory=dict)

    def take(self, frame: FrameType, safe_points: Collection[Any], *, at_line: bool) -> Stack:
        live = self._live(frame, None)
        position, entry = _line(live) if at_line else _asked_for(live, safe_points)
        inner = _Frame(live, _record(live, position, entry))
        found = [inner]
        while inner.live.frame is not self.root:
            outer, place = self._outer(inner.live)
            step = inner.around = edge(outer, place, inner.live, self.find)
            inner.record.keeping = step.keeping
            inner = _Frame(outer, _record(outer, place.number, step.entry))
            if step.entry is Entry.CONSTRUCTOR:
                inner.record.values[MADE] = step.made
            found.append(inner)
        if self.function is not None:
            inner.around = Edge(Entry.CALL, self.function)
        _find_cells(found)
        return _stack(found)

    def find(self, code: CodeType) -> Site | None:
        """Look a code object up once: recursion asks a thousand times."""
        if id(code) not in self.sites:
            self.sites[id(code)] = self.program.find(code)
        return self.sites[id(code)]

    def _outer(self, inner: LiveFrame) -> tuple[LiveFrame, Place]:
        around, helps = inner.frame.f_back, False
        while around is not None and id(around.f_code) in self.passed_over:
            around, helps = around.f_back, True
        if around is None:
            raise Postponed(f"{inner.name} runs in another thread, or outside of the program")
        outer = self._live(around, inner)
        place = place_of(outer)
        if place is None or (helps and place.kind is not Kind.DELEGATION):
            raise Postponed(
                f"{outer.name} runs {inner.name} below C or library code, or by an operator "
                f"(line {around.f_lineno})"
            )
        _not_refused(outer, place)
        return outer, place

    def _live(self, frame: FrameType, inner: LiveFrame | None) -> LiveFrame:
        site = self.find(frame.f_code)
        if site is None or site.block.is_plain:
            raise Postponed(self._foreign(frame, inner))
        return _seen(frame, site)

    def _foreign(self, frame: FrameType, inner: LiveFrame | None) -> str:
        code = frame.f_code
        what = shown(code, str(frame.f_globals.get("__name__")))
        if self.find(code) is not None:
            why = f"{what} runs, which is so short that it was left as it is"
        elif any(id(code) in module.rewritten.tables for module in self.program):
            why = f"{what} runs: the body of a class, a coroutine or a comprehension"
        else:
            module = frame.f_globals.get("__name__")
            why = f"{what} of {module} runs, which is no code of the program"
        return f"{why}, and it has called {inner.name}" if inner else why


def _seen(frame: FrameType, site: Site) -> LiveFrame:
    if frame.f_globals is not site.module.namespace:
        raise Postponed(f"`{frame.f_code.co_qualname}` runs in a copy of {site.module.name}")
    if site.table.block:
        return LiveFrame(frame, site, read_locals(frame, hidden=True))
    rewritten = site.module.rewritten
    if frame.f_code is not rewritten.code and rewritten.suspension(frame.f_code) is None:
        raise Postponed(f"the module {site.module.name} defines its functions again")
    if namespace_of(frame) is not frame.f_globals:
        raise Postponed(f"the module {site.module.name} runs with a namespace of its own")
    return LiveFrame(frame, site, frame.f_globals)


def _line(live: LiveFrame) -> tuple[int, Entry]:
    """Return where a frame at a line event goes on: before a statement, or at a loop's head."""
    code, block = live.frame.f_code, live.site.table.block
    module, unit = live.site.module.rewritten, live.frame.f_lasti // 2
    starts = module.starts(code)
    number = starts.get(unit, live.site.table.ids[unit])
    place = module.places(block).get(number) if number else None
    if place is not None:
        _not_refused(live, place)
        if unit in starts:
            return place.number, Entry.BEFORE
        if place.kind is Kind.LOOP and instruction(live.frame) == "FOR_ITER":
            return place.number, Entry.LOOP
    raise Postponed(f"{live.name} is in the middle of a statement")


def _asked_for(live: LiveFrame, safe_points: Collection[Any]) -> tuple[int, Entry]:
    place = place_of(live)
    if place is None:
        raise Postponed(f"{live.name} asks for a save where no frame can be entered again")
    _not_refused(live, place)
    return place.number, safe_point(live, place, safe_points).entry


def _not_refused(live: LiveFrame, place: Place) -> None:
    if place.refused:
        raise Postponed(f"{place.refused} in {live.name}")
    # Not before: to read it amid a comprehension of a module unbinds its variables (3.12).
    if not live.site.table.block and namespace_of(live.frame) is not live.frame.f_globals:
        raise Postponed(f"{live.name} runs with a namespace of its own")


def _record(live: LiveFrame, position: int, entry: Entry) -> FrameRecord:
    code = live.frame.f_code
    in_cells = {*code.co_cellvars, *code.co_freevars}
    is_module = not live.site.table.block
    values = {
        name: value
        for name, value in live.values.items()
        if name not in in_cells
        and not (is_module and not name.startswith("."))
        and not _is_left_over(name, value)
    }
    return FrameRecord(
        module=live.site.module.name,
        block=live.site.table.block,
        position=position,
        entry=entry,
        values=values,
        qualname=code.co_qualname,
        name=code.co_name,
        line=live.frame.f_lineno or 0,
    )


def _is_left_over(name: str, value: object) -> bool:
    return name in _LEFT_OVER or (value is None and name.startswith(_SPENT))


def _stack(found: list[_Frame]) -> Stack:
    frames: list[FrameRecord] = []
    running: dict[int, FrameRecord] = {}
    for each in reversed(found):
        record, around = each.record, each.around
        if not each.live.is_generator:
            frames.append(record)
            continue
        running[id(each.live.frame)] = record
        if around is not None and around.generator is not None:
            _name(record, around.generator)
            if around.is_asked:
                frames.append(_stand_in(record, around.generator))
    return Stack(tuple(frames), running, tuple(each.record for each in reversed(found)))


def _stand_in(record: FrameRecord, generator: GeneratorType[Any, Any, Any]) -> FrameRecord:
    """Return what is entered in place of a generator's frame: the call that asks it."""
    return FrameRecord(
        module=record.module,
        block=record.block,
        position=record.position,
        entry=record.entry,
        qualname=record.qualname,
        name=record.name,
        generator=generator,
        line=record.line,
    )


def _name(record: FrameRecord, generator: GeneratorType[Any, Any, Any]) -> None:
    record.name, record.qualname = generator.__name__, generator.__qualname__


# -- generators that wait


def generator_record(program: Program, generator: GeneratorType[Any, Any, Any]) -> FrameRecord:
    """Return the record of a generator that waits at a `yield`, or has not begun.

    Raises:
        Postponed: It runs, or cannot be entered again where it waits.
        ValueError: It is over.
    """
    frame, name = generator.gi_frame, f"the generator `{generator.__qualname__}`"
    if frame is None:
        raise ValueError(f"{name} is over: there is nothing to go on with")
    site = program.find(frame.f_code)
    if site is None:
        raise Postponed(f"{name} is no code of the program")
    if generator.gi_running:
        raise Postponed(f"{name} runs below C code, or in another thread")
    live = _seen(frame, site)
    record = _waiting(live) if generator.gi_suspended else _not_begun(live)
    _name(record, generator)
    found = _Frame(live, record, Edge(record.entry, generator=generator))
    _find_cells([found])
    return record


def _waiting(live: LiveFrame) -> FrameRecord:
    place = place_of(live)
    if place is None or place.kind not in {Kind.YIELD, Kind.DELEGATION}:
        raise Postponed(f"the generator {live.name} waits where no frame can be entered again")
    _not_refused(live, place)
    look_at_pending(live, place)
    return _record(live, place.number, Entry.YIELD)


def _not_begun(live: LiveFrame) -> FrameRecord:
    """Return the record of a generator, or of a residual of one, that nobody has asked yet."""
    block = live.site.table.block
    where = live.site.module.rewritten.suspension(live.frame.f_code)
    if where is None:
        return _record(live, block, Entry.START)
    record = _record(live, where.position, where.entry)
    record.values = dict(live.values[".locals"])
    return record


# -- cells


def _find_cells(found: Iterable[_Frame]) -> None:
    """Give each record the cells of its frame."""
    missing: list[tuple[_Frame, list[str]]] = []
    for each in found:
        code = each.live.frame.f_code
        names = [*code.co_cellvars, *code.co_freevars]
        if names:
            cells = each.record.cells
            for name, cell in _candidates(each):
                if name in names and name not in cells and is_cell_of(each.live.frame, name, cell):
                    cells[name] = cell
            if len(cells) < len(names):
                missing.append((each, [name for name in names if name not in cells]))
    if not missing:
        return
    searched = search_cells([(each.live.frame, names) for each, names in missing])
    for (each, names), cells in zip(missing, searched, strict=True):
        each.record.cells.update(cells)
        lost = [name for name in names if name not in cells]
        if lost:
            raise Postponed(f"what {each.live.name} shares as `{lost[0]}` was not found")


def _candidates(found: _Frame) -> Iterator[tuple[str, CellType]]:
    """Yield cells that are likely those of a frame; to be proved."""
    functions: list[Any] = [
        value for value in found.live.values.values() if type(value) is FunctionType
    ]
    if found.around is not None and found.around.function is not None:
        functions.insert(0, found.around.function)
    if found.around is not None and found.around.generator is not None:
        code = found.live.frame.f_code
        for held in gc.get_referents(found.around.generator):
            if type(held) is FunctionType:
                functions.insert(0, held)
            elif type(held) is CellType:
                yield from ((name, held) for name in (*code.co_cellvars, *code.co_freevars))
    for function in functions:
        yield from zip(function.__code__.co_freevars, function.__closure__ or (), strict=True)
