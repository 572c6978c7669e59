"""From records to calls that go on, and generators that stand where they stood.

Goal: the program's frames lie on the stack again, as they did, with nothing of ours between them:
tracebacks, recursion limits and later saves must not tell that the program was ever away.

What does not work: to call the residuals from here, one from the other: our frames would stay
between them. To compile them when they are asked for: deep in a recursion there is no room on the
stack for the compiler.

What we do: all is compiled and made ready first. What a residual asks for the next frame is the
`popleft` of a deque, which is C code, and what it gets is a bound method of the residual function,
bound to its values: the interpreter calls that without a step in between. So a resumed recursion is
as deep as it was. A record is emptied when it is taken, or it would keep alive what its frame let
go.

What can still go wrong: the first error that passes through a resumed handler has the line of that
handler once more in its traceback.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from functools import partial
from types import CellType, CodeType, FunctionType, GeneratorType, MethodType
from typing import Any

from resume.reentry import caches
from resume.reentry.program import Program
from resume.reentry.records import FrameRecord
from resume.rewrite import Entry, Suspension

_Key = tuple[str, int, Suspension]


def exact(record: FrameRecord) -> Suspension:
    """Return where a record goes on with all that it holds, as it is."""
    return Suspension(record.position, record.entry, tuple(sorted(record.values)))


class Entering:
    """Lets the frames of a saved stack go on; one for the whole run."""

    def __init__(
        self, program: Program, *, where: Callable[[FrameRecord], Suspension] = exact
    ) -> None:
        """Begin with nothing to enter.

        Args:
            program: The rewritten modules; they may be added later.
            where: Tells more of a record than `exact`: iterables to evaluate again, and context
                managers to enter again. It is asked more than once.
        """
        self._program, self._where = program, where
        self._ready: deque[Callable[[], Any]] = deque()
        self._codes: dict[_Key, CodeType] = {}
        self.following: Callable[[], Callable[[], Any]] = self._ready.popleft
        """For `Helpers.following`: returns what goes on with the next frame, inwards."""

    @property
    def has_frames_left(self) -> bool:
        """Some frames are still to be entered: what runs now is no state of the program."""
        return bool(self._ready)

    def take(self, records: Iterable[FrameRecord]) -> None:
        """Make frames ready to be entered, and empty their records.

        Args:
            records: Outermost first, each to be entered by the one before it (`Stack.frames`). Of
                a module only as the first: `enter` it, or execute `module_code` of it instead.

        Raises:
            RestoreError: The program has no such position; all records are as they were.
        """
        found = list(records)
        for record in found:
            if record.generator is None:
                self._code(record)
        self._ready.extend([self._call(record) for record in found])

    def drop(self) -> None:
        """Enter none of them any more: the run has ended before it came to them."""
        self._ready.clear()

    def enter(self) -> Any:
        """Go on with the outermost frame that is ready, and return what it returns."""
        return self.following()()

    def module_code(self, record: FrameRecord) -> CodeType:
        """Return what is to be executed in a module's namespace to go on, and put its values there.

        Raises:
            RestoreError: The program has no such position.
        """
        code = self._code(record)
        self._program[record.module].namespace.update(record.values)
        record.values = {}
        return code

    def make_generator(self, record: FrameRecord) -> GeneratorType[Any, Any, Any]:
        """Return a generator that stands where *record* does: at its `yield`, or not begun.

        Raises:
            RestoreError: The program has no such position.
        """
        generator = self.begin_generator(record)
        self.bring_to_yield(generator)
        return generator

    def begin_generator(self, record: FrameRecord) -> GeneratorType[Any, Any, Any]:
        """Return that generator without having read the values: it may be among them itself.

        The names must be in `record.values` now; what they mean, by `bring_to_yield`.

        Raises:
            RestoreError: The program has no such position.
        """
        values, function = record.values, self._function(record)
        record.values = {}
        made = function(values)
        assert type(made) is GeneratorType
        made.__name__ = record.name or function.__name__
        made.__qualname__ = record.qualname or function.__qualname__
        return made

    def bring_to_yield(self, generator: GeneratorType[Any, Any, Any]) -> None:
        """Let a generator that was begun here reach the `yield` where it waited, if it waited."""
        site = self._program.find(generator.gi_code)
        where = site.module.rewritten.suspension(generator.gi_code) if site else None
        if where is not None and where.entry is Entry.YIELD:
            next(generator)

    # -- residuals

    def _call(self, record: FrameRecord) -> Callable[[], Any]:
        if record.generator is not None:
            asked: Callable[[], Any] = record.generator.__next__
            return asked
        if not record.block:
            namespace = self._program[record.module].namespace
            return partial(exec, self.module_code(record), namespace)
        values, function = record.values, self._function(record)
        record.values = {}
        if record.keeping is not None:
            keeping, record.keeping = record.keeping, None
            return caches.result_kept(function, values, keeping)
        return MethodType(function, values)

    def _function(self, record: FrameRecord) -> FunctionType:
        code = self._code(record)
        cells = [record.cells.get(name) for name in code.co_freevars]
        closure = tuple(CellType() if cell is None else cell for cell in cells)
        namespace = self._program[record.module].namespace
        made = FunctionType(code, namespace, code.co_name, None, closure)
        made.__qualname__ = code.co_qualname
        return made

    def _code(self, record: FrameRecord) -> CodeType:
        key = record.module, record.block, self._where(record)
        if key not in self._codes:
            module = self._program[record.module].rewritten
            self._codes[key] = module.residual(record.block, key[2])
        return self._codes[key]
