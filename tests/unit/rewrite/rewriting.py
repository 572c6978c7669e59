"""Run a program plain and rewritten, and stop a rewritten one to go on in its residuals."""

from __future__ import annotations

import contextlib
import dis
import functools
import gc
import io
import itertools
import sys
import threading
import traceback
import types
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from resume.rewrite import MADE, Entry, Helpers, Kind, RewrittenModule, Suspension, rewrite

PLAIN = frozenset(
    {list, tuple, str, bytes, dict, set, frozenset, range, types.GeneratorType}
    | {type(iter([])), type(iter(())), type(iter(range(0))), zip, enumerate}
)


def hide(names: Any) -> Any:
    """Take hidden names out of a namespace or a list of names, in place.

    Not `.0`, the first iterator of a generator expression: plain code shows it.
    """
    for name in [name for name in names if name.startswith(".") and name != ".0"]:
        names.remove(name) if isinstance(names, list) else names.pop(name)
    return names


def iterate(value: Any) -> Any:
    """An iterator of *value*, or *value*: the loop then says what is wrong with it."""
    return iter(value) if hasattr(type(value), "__iter__") else value


class Entered:
    def __init__(self, manager: Any) -> None:
        self.manager = manager

    def __enter__(self) -> Any:
        return self.manager

    def __exit__(self, *exc: object) -> Any:
        return type(self.manager).__exit__(self.manager, *exc)


def delegate(inner: Any) -> Iterator[Any]:
    """Yield once, then be *inner*: what is sent or thrown at the first yield reaches it, too."""
    answer = step(inner, (yield from asked(None)))
    while not answer[0]:
        answer = step(inner, (yield from asked(answer[1])))
    return answer[1]


def asked(value: Any) -> Any:
    try:
        return True, (yield value)
    except GeneratorExit:
        raise
    except BaseException as thrown:
        return False, thrown


def step(inner: Any, request: tuple[bool, Any]) -> tuple[bool, Any]:
    is_sent, value = request
    try:
        if not is_sent:
            return False, inner.throw(value)
        return False, next(inner) if value is None else inner.send(value)
    except StopIteration as end:
        return True, end.value


@dataclass
class Queue:
    """Frames that are to go on, outermost first."""

    ready: list[Callable[[], Any]] = field(default_factory=list)

    def following(self) -> Callable[[], Any]:
        return self.ready.pop(0)


def make_helpers(queue: Queue | None = None) -> Helpers:
    return Helpers(
        types=PLAIN,
        iterate=iterate,
        hide=hide,
        following=(queue or Queue()).following,
        entered=Entered,
        again=lambda iterator, source: iterator,
        delegate=delegate,
    )


@dataclass
class Outcome:
    """All that a program shows."""

    output: str
    error: str | None
    names: dict[str, Any] = field(repr=False, compare=False)


def run_code(code: types.CodeType, path: Path, **given: Any) -> Outcome:
    """Execute *code* as the module `__main__`-to-be of *path*."""
    names: dict[str, Any] = {"__name__": "program", "__file__": str(path), **given}
    output, error = io.StringIO(), None
    with contextlib.redirect_stdout(output):
        try:
            exec(code, names)
        except BaseException as raised:
            error = "".join(
                traceback.format_exception(type(raised), raised, raised.__traceback__.tb_next)
            )
    return Outcome(output.getvalue(), error, names)


def both(source: str, path: Path, **given: Any) -> tuple[Outcome, Outcome]:
    """Run *source* plain and rewritten, from a real file, for tracebacks."""
    path.write_text(source, encoding="utf-8")
    plain = compile(source, str(path), "exec", dont_inherit=True)
    module = rewrite(source, str(path), make_helpers())
    return run_code(plain, path, **given), run_code(module.code, path, **given)


class Postponed(Exception):
    """Some frame on the stack cannot be entered again."""


class Stopped(BaseException):
    """Ends the frames that were left; their clean-up is not looked at."""


def outside_of_tracing(act: Callable[[], None], trace: Any) -> None:
    """Call *act* as a tracer cannot: in a thread of its own, where events are traced again.

    With *trace*, or as all new threads are: the coverage of what *act* calls hangs on that.
    """
    raised: list[BaseException] = []

    def run() -> None:
        before = sys.gettrace()
        try:
            if trace is not None:
                sys.settrace(trace)
            act()
        except BaseException as error:
            raised.append(error)
        finally:
            sys.settrace(before)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    if raised:
        raise raised[0]


@dataclass
class Run:
    """One run of a program that stops at its *stop*-th safe point and goes on in residuals."""

    module: RewrittenModule
    queue: Queue
    names: dict[str, Any]
    log: list[Any]
    stop: int
    again: bool = False
    """The residuals are stopped, too, at their first safe point."""
    points: int = 0
    postponed: set[str] = field(default_factory=set)
    joined: list[Any] | None = None
    stacks: int = 0
    """How often it was stopped; 3 where once is all."""
    kinds: set[Entry] = field(default_factory=set)

    def trace(self, frame: types.FrameType, event: str, arg: object) -> Any:
        table = self.module.tables.get(id(frame.f_code))
        if table is None or table.block not in self.module.blocks:
            return None
        if event == "line" and self.joined is None:
            self._line(frame)
        return self.trace

    def _line(self, frame: types.FrameType) -> None:
        if self.queue.ready:
            return
        try:
            stack = self.capture(frame)
        except Postponed as why:
            self.postponed.add(str(why))
            return
        self.points += 1
        if self.points < self.stop:
            return
        if self.again and self.stacks < 3:
            self.stop = self.points + 2
        self.stacks += 1 if self.again else 3
        # The frames below are left as they are: what they would still do is not looked at.
        outside_of_tracing(lambda: self.go_on(stack), self.trace if self.stacks < 3 else None)
        if self.joined is None:
            self.joined = list(self.log)
        raise Stopped

    # -- frames to residuals

    def capture(
        self, frame: types.FrameType
    ) -> list[tuple[int, Suspension, types.FrameType, dict]]:
        """Innermost first."""
        found = []
        inner: types.FrameType | None = None
        replaced: dict[int, Any] = {}
        made: object = None
        current: types.FrameType | None = frame
        while current is not None:
            table = self.module.tables.get(id(current.f_code))
            if table is None:
                raise Postponed(f"{current.f_code.co_qualname} is not rewritten")
            if table.block not in self.module.blocks:
                raise Postponed(f"{current.f_code.co_qualname} is no block")
            self._check_place(current, inner)
            values = dict(current.f_locals)
            place, entry = self._entry(current, inner, values)
            if entry is Entry.CONSTRUCTOR:
                assert inner is not None
                values[MADE] = (
                    inner.f_locals[inner.f_code.co_varnames[0]]
                    if (inner.f_code.co_varnames[0] in inner.f_locals)
                    else self._first(inner)
                )
            if table.block == 0:
                bound = tuple(name for name in values if name.startswith("."))
            else:
                bound = tuple(values)
            found.append((table.block, Suspension(place, entry, bound), current, values))
            if table.block == 0:
                return found
            inner, current = current, current.f_back
        raise Postponed("no module below")

    def _check_place(self, frame: types.FrameType, inner: types.FrameType | None) -> None:
        """Look at the position alone.

        3.12 loses the variables of a comprehension at the module's level where `f_locals` of the
        module is read in the middle of it. No position is in there.
        """
        table = self.module.tables[id(frame.f_code)]
        unit = frame.f_lasti // 2
        if inner is None:
            self._statement(frame, unit, table.ids[unit])
        elif (place := self.module.places(table.block).get(table.ids[unit] or -1)) is None:
            raise Postponed(f"no place in {frame.f_code.co_qualname}:{frame.f_lineno}")
        elif place.refused:
            raise Postponed(place.refused)

    def _first(self, inner: types.FrameType) -> Any:
        block = self.module.blocks[self.module.tables[id(inner.f_code)].block]
        return inner.f_locals[block.first_argument]

    def _entry(
        self, frame: types.FrameType, inner: types.FrameType | None, values: dict[str, Any]
    ) -> tuple[int, Entry]:
        table = self.module.tables[id(frame.f_code)]
        unit = frame.f_lasti // 2
        number = table.ids[unit]
        if inner is None:
            return self._statement(frame, unit, number)
        place = self.module.places(table.block)[number or -1]
        is_generator = bool(inner.f_code.co_flags & 0x20)
        if place.kind in {Kind.LOOP, Kind.DELEGATION}:
            if getattr(values.get(place.iterator), "gi_frame", None) is not inner:
                raise Postponed("the loop's iterator runs something else")
            return place.number, Entry.LOOP if place.kind is Kind.LOOP else Entry.CALL
        if place.kind is not Kind.CALL or place.callee is None:
            raise Postponed(f"{place} runs implicit code at {frame.f_lineno}")
        callee = self._callee(place.callee, frame, values)
        if callee is next and is_generator:
            if place.asked is None:
                raise Postponed("what `next` is given would be evaluated again")
            return place.number, Entry.REDO
        while not isinstance(callee, (types.FunctionType, type)):
            if isinstance(callee, types.MethodType):
                callee = callee.__func__
            elif isinstance(callee, functools.partial):
                callee = callee.func
            elif hasattr(callee, "__wrapped__"):
                callee = callee.__wrapped__
            elif hasattr(type(callee), "__call__") and isinstance(
                type(callee).__call__, types.FunctionType
            ):
                callee = type(callee).__call__
            else:
                raise Postponed(f"{callee!r} runs the frame")
        constructs = isinstance(callee, type)
        target = callee.__init__ if constructs else callee
        block = self.module.tables[id(inner.f_code)].block
        mine = self.module.tables.get(id(getattr(target, "__code__", None)))
        if mine is None or mine.block != block or is_generator:
            raise Postponed(f"{callee!r} is not what runs at {place}")
        return place.number, Entry.CONSTRUCTOR if constructs else Entry.CALL

    def _statement(
        self, frame: types.FrameType, unit: int, number: int | None
    ) -> tuple[int, Entry]:
        table = self.module.tables[id(frame.f_code)]
        places = self.module.places(table.block)
        starts = self.module.starts(frame.f_code)
        place = places.get(starts.get(unit, number) or -1)
        if place is not None and place.refused:
            raise Postponed(place.refused)
        if unit in starts and place is not None:
            return place.number, Entry.BEFORE
        name = dis.opname[frame.f_code.co_code[2 * unit]]
        if place is not None and place.kind is Kind.LOOP and name == "FOR_ITER":
            return place.number, Entry.LOOP
        raise Postponed(f"no statement begins at {frame.f_code.co_qualname}:{frame.f_lineno}")

    def _callee(self, callee: Any, frame: types.FrameType, values: dict[str, Any]) -> Any:
        if callee.root == "super()":
            block = self.module.blocks[self.module.tables[id(frame.f_code)].block]
            found = super(values["__class__"], values[block.first_argument])
        else:
            found = next(
                (
                    names[callee.root]
                    for names in (values, frame.f_globals, frame.f_builtins)
                    if callee.root in names
                ),
                None,
            )
        for attribute in callee.attributes:
            found = getattr(found, attribute)
        return found

    def go_on(self, stack: list[tuple[int, Suspension, types.FrameType, dict]]) -> None:
        """Make the residuals, generators into their places, and run the module's."""
        ready: list[Callable[[], Any]] = []
        generator: Any = None
        left: types.FrameType | None = None
        for number, where, frame, values in stack:
            if left is not None:
                for name, value in values.items():
                    if getattr(value, "gi_frame", None) is left:
                        values[name] = generator
                self._swap_global(frame, left, generator)
            left = None
            if number == 0:
                break
            call = self.residual(number, where, frame, values)
            if frame.f_code.co_flags & 0x20:
                generator, left = call(), frame
            else:
                ready.insert(0, call)
        number, where, frame, values = stack[-1]
        code = self.module.residual(0, where)
        self.names.update({k: v for k, v in values.items() if k.startswith(".")})
        self.queue.ready[:] = ready
        exec(code, self.names)

    def _swap_global(self, frame: types.FrameType, left: types.FrameType, generator: Any) -> None:
        for name, value in list(frame.f_globals.items()):
            if getattr(value, "gi_frame", None) is left:
                frame.f_globals[name] = generator

    def residual(
        self, number: int, where: Suspension, frame: types.FrameType, values: dict[str, Any]
    ) -> Callable[[], Any]:
        code = self.module.residual(number, where)
        cells = {name: find_cell(frame, name) for name in code.co_freevars}
        closure = tuple(cells[name] for name in code.co_freevars)
        function = types.FunctionType(code, frame.f_globals, "residual", None, closure)
        return functools.partial(function, dict(values))


def find_cell(frame: types.FrameType, name: str) -> types.CellType:
    """The cell of a running frame, told by writing into it."""
    if name not in frame.f_locals:
        return unbound_cell(frame, name)
    value = frame.f_locals[name]
    mark = object()
    for cell in gc.get_objects():
        if type(cell) is not types.CellType:
            continue
        try:
            if cell.cell_contents is not value:
                continue
        except ValueError:
            continue
        cell.cell_contents = mark
        found = frame.f_locals.get(name) is mark
        cell.cell_contents = value
        if found:
            frame.f_locals  # the dict shows the value again
            return cell
    raise Postponed(f"the cell of {name!r} was not found")


def unbound_cell(frame: types.FrameType, name: str) -> types.CellType:
    """The empty cell, which a function that was made there may hold already, or a new one."""
    for value in frame.f_locals.values():
        if isinstance(value, types.FunctionType) and name in value.__code__.co_freevars:
            if value.__qualname__.startswith(f"{frame.f_code.co_qualname}.<locals>."):
                assert value.__closure__ is not None
                return value.__closure__[value.__code__.co_freevars.index(name)]
    return types.CellType()


def stopped_run(source: str, stop: int, *, again: bool = False) -> Run:
    """Run *source* to its *stop*-th safe point, and on from there in residuals."""
    queue = Queue()
    module = rewrite(source, "<program>", make_helpers(queue))
    log: list[Any] = []
    names = {"__name__": "program", "log": log, "note": note_into(log)}
    run = Run(module, queue, names, log, stop, again)
    before = sys.gettrace()  # the coverage of all tests that follow hangs on it
    sys.settrace(run.trace)
    try:
        exec(module.code, names)
    except BaseException:
        if run.joined is None:
            raise  # else it is what came of leaving the frames below
    finally:
        sys.settrace(before)
    if run.joined is None:
        run.joined = list(log)
    return run


def note_into(log: list[Any]) -> Callable[..., Any]:
    def note(value: Any = None, *more: Any) -> Any:
        log.append((value, *more) if more else value)
        return value

    return note


def plain_log(source: str) -> list[Any]:
    """What the program notes when nothing disturbs it."""
    log: list[Any] = []
    exec(
        compile(source, "<program>", "exec", dont_inherit=True),
        {"__name__": "program", "log": log, "note": note_into(log)},
    )
    return log


def every_stop(source: str, *, again: bool = False, stride: int = 1) -> tuple[int, set[str]]:
    """Stop at each safe point in turn; returns how many there are, and why others are none."""
    expected = plain_log(source)
    most = 0
    for stop in itertools.count(1, stride):
        run = stopped_run(source, stop, again=again)
        assert expected == run.joined, f"stopped at {stop}"
        most = max(most, run.stacks)
        if run.points < stop:
            assert most == 3  # else no residual was stopped, or nothing at all
            return run.points, run.postponed
    raise AssertionError
