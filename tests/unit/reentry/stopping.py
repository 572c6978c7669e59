"""Stop a rewritten program at any line event, take it apart outside of the trace function, go on.

The program runs in a thread of its own. At the line event its trace function waits, so the stack
stands still while the test works, and the frames that were left do nothing any more.
"""

from __future__ import annotations

import gc
import itertools
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import BuiltinFunctionType, CellType, FrameType, GeneratorType, MethodWrapperType
from typing import Any

sys.path.append(str(Path(__file__).resolve().parents[1] / "rewrite"))

import rewriting
from resumable_programs import PROGRAMS as CONSTRUCTS
from resumable_programs import SLOW
from rewriting import make_helpers, note_into, plain_log

from resume.reentry.entering import Entering
from resume.reentry.program import Program
from resume.reentry.records import FrameRecord, Postponed
from resume.reentry.walking import Stack, generator_record, root_of, walk
from resume.rewrite import Helpers, rewrite

PASSED_OVER = [each.__code__ for each in (rewriting.delegate, rewriting.asked, rewriting.step)]
__all__ = ["CONSTRUCTS", "SLOW", "Held", "Machine", "every_line", "plain_log", "quiet_heap"]


class Left(BaseException):
    """Ends the frames that were left; what they still do is not looked at."""


class Held:
    """Runs *act* in a thread, and holds it at line events of the program.

    Those on the way back into the frames do not count.
    """

    def __init__(self, entering: Entering, program: Program, act: Callable[[], Any]) -> None:
        self._entering, self._program, self._act = entering, program, act
        self._go, self._stands = threading.Semaphore(0), threading.Semaphore(0)
        self._left = self._ended = False
        self._lines = 0
        self.frame: FrameType | None = None
        self.error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)

    def run(self, lines: int) -> FrameType | None:
        """Go on for so many line events; None: the program came to its end before."""
        self._lines = lines
        if self._ended:
            return None
        if self._thread.ident is None:
            self._thread.start()
        else:
            self._go.release()
        self._stands.acquire()
        return self.frame

    def finish(self) -> None:
        """Go on to the end, and raise what the program raised."""
        self.run(sys.maxsize)
        assert self.frame is None
        if self.error is not None:
            raise self.error

    def leave(self) -> None:
        if self._thread.ident is None:
            return
        self._left = True
        self._go.release()
        self._thread.join()
        self.error = None  # it holds the frames

    def _run(self) -> None:
        before = sys.gettrace()
        sys.settrace(self._trace)
        try:
            self._act()
        except BaseException as error:
            self.error = error
        finally:
            sys.settrace(before)
            self.frame, self._ended = None, True
            self._stands.release()

    def _trace(self, frame: FrameType, event: str, arg: object) -> Any:
        if self._program.find(frame.f_code) is None:
            return None
        if event == "line" and not self._entering.has_frames_left:
            if self._left:
                raise Left
            self._lines -= 1
            if not self._lines:
                self.frame = frame
                self._stands.release()
                self._go.acquire()
                if self._left:
                    raise Left
        return self._trace


@contextmanager
def quiet_heap() -> Iterator[None]:
    """Only objects made inside are looked at when the heap is searched.

    What was there before stays hidden for good, as are the tests themselves.
    """
    gc.collect()
    gc.freeze()
    yield


@dataclass
class Machine:
    """A program that can be stopped and entered again, any number of times."""

    source: str
    name: str = "program"
    log: list[Any] = field(default_factory=list)
    program: Program = field(default_factory=Program)
    postponed: list[str] = field(default_factory=list)
    replaced: int = 0
    """How many generators were taken apart and made again."""
    points: int = 0
    """How many line events were safe points."""
    ends_first: bool = False
    """The last run came to its end before the first stop."""
    most_stops: int = 0
    """How often a run was stopped at most."""

    def __post_init__(self) -> None:
        self.entering = Entering(self.program)
        plain = make_helpers()
        self.helpers = Helpers(
            **{
                name: getattr(plain, name)
                for name in Helpers.__dataclass_fields__
                if name != "following"
            },
            following=self.entering.following,
        )
        self.module = rewrite(self.source, f"<{self.name}>", self.helpers)
        self._held: list[Held] = []
        self._old: list[Any] = []

    def start(self, **given: Any) -> Held:
        """Begin the program from its first line."""
        self.log = []
        self.names = {"__name__": self.name, "log": self.log, "note": note_into(self.log), **given}
        self.program.add(self.name, self.module, self.names)
        return self.hold(lambda: exec(self.module.code, self.names))

    def hold(self, act: Callable[[], Any]) -> Held:
        self._held.append(Held(self.entering, self.program, act))
        return self._held[-1]

    def walk(self, frame: FrameType, **options: Any) -> Stack:
        root = root_of(self.program, self.name, frame)
        if root is None:
            raise Postponed("no module below")
        options = {"at_line": True, "passed_over": PASSED_OVER, **options}
        return walk(self.program, frame, root=root, **options)

    def stop(self, held: Held, lines: int) -> Stack | None:
        """Stop at the next safe point that so many line events lead to; None: there is none."""
        frame = held.run(lines)
        while frame is not None:
            try:
                return self.walk(frame)
            except Postponed as why:
                self.postponed.append(str(why))
            frame = held.run(1)
        return None

    def go_on(self, stack: Stack) -> Held:
        """Go on from a stack, in other frames."""
        self.replace_generators(stack)
        self.entering.take(stack.frames)
        return self.hold(self.entering.enter)

    def leave(self) -> None:
        """End all frames that were left."""
        for held in self._held:
            held.leave()
        self._held, self._old = [], []
        gc.collect()

    def run(self, *stops: int) -> list[Any] | None:
        """Stop after each of so many lines, and go on; None: the first stop was no safe point."""
        held = self.start()
        try:
            for lines in stops:
                before = len(self.postponed)
                stack = self.stop(held, lines)
                is_put_off = len(self.postponed) > before
                if len(self._held) == 1:
                    self.ends_first = stack is None and not is_put_off
                    if is_put_off:
                        return None
                if stack is None:
                    break
                held = self.go_on(stack)
                self.most_stops = max(self.most_stops, len(self._held) - 1)
            held.finish()
            return list(self.log)
        finally:
            self.leave()

    # -- generators: what the graph of a save would do

    def replace_generators(self, stack: Stack) -> None:
        records = dict(self._waiting())
        for value in [g for g in gc.get_objects() if type(g) is GeneratorType]:
            if value.gi_frame is not None and id(value.gi_frame) in stack.running:
                records[value] = stack.running[id(value.gi_frame)]
        while bad := [g for g in records if not _can_be_replaced(g, records)]:
            for generator in bad:
                assert id(generator.gi_frame) not in stack.running
                del records[generator]
        made = [(old, self.entering.begin_generator(record)) for old, record in records.items()]
        for old, new in made:
            _replace(old, new)
        for _, new in made:
            self.entering.bring_to_yield(new)
        self.replaced += len(made)
        self._old.extend(old for old, _ in made)

    def _waiting(self) -> Iterator[tuple[Any, FrameRecord]]:
        for value in [g for g in gc.get_objects() if type(g) is GeneratorType]:
            if self.program.find(value.gi_code) is None or value.gi_frame is None:
                continue
            is_ours = value.gi_frame.f_globals is self.names
            if is_ours and not value.gi_running and not any(value is old for old in self._old):
                try:
                    yield value, generator_record(self.program, value)
                except Postponed as why:
                    self.postponed.append(str(why))


_CALLED = (BuiltinFunctionType, MethodWrapperType)
"""Bound methods of the calls that run, in frames that were left."""

_HOLDERS = (dict, list, CellType, FrameRecord, FrameType, *_CALLED)


def _is_object(value: Any) -> bool:
    """Tell whether it is an object of the program; from 3.13 on it holds its attributes itself."""
    return type(value).__module__ == "program" and hasattr(value, "__dict__")


def _can_be_replaced(generator: Any, records: dict[Any, Any]) -> bool:
    """Tell whether all that holds it is looked through, or is left with the frames."""
    left = (*_HOLDERS, tuple) if generator.gi_running else _HOLDERS  # arguments of a C call
    return all(
        isinstance(holder, left)
        or _is_object(holder)
        or (type(holder) is GeneratorType and (holder in records or holder.gi_code in PASSED_OVER))
        for holder in gc.get_referrers(generator)
    )


def _replace(old: Any, new: Any) -> None:
    # No comprehension here: in one, 3.11 would hold *old* by a cell, and that would be replaced.
    for holder in gc.get_referrers(old):
        if isinstance(holder, dict):
            for name in holder:
                if holder[name] is old:
                    holder[name] = new
        elif isinstance(holder, list):
            for index, value in enumerate(holder):
                if value is old:
                    holder[index] = new
        elif isinstance(holder, CellType):
            holder.cell_contents = new
        elif isinstance(holder, FrameRecord):
            holder.generator = new
        elif isinstance(holder, _CALLED):
            _replace(holder, getattr(new, holder.__name__))
        elif _is_object(holder):
            for name in vars(holder):
                if vars(holder)[name] is old:
                    setattr(holder, name, new)


def every_line(source: str, *more: int, stride: int = 1) -> Machine:
    """Stop the program at each line event in turn, and as often as *more* says behind it."""
    expected = plain_log(source)
    machine = Machine(source)
    with quiet_heap():
        for lines in itertools.count(1, stride):
            log = machine.run(lines, *more)
            if machine.ends_first:
                return machine
            if log is not None:
                machine.points += 1
                assert expected == log, f"stopped at line event {lines}"
    raise AssertionError
