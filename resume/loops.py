"""The position of a run: its `chp.loop`s, which of them are done, and the way back to a saved one.

Goal: a rerun that comes to the place where the state was saved, running the statements in between
again and the finished items not.

What does not work: jumping there (`frame.f_lineno` cannot enter a `for`), and trusting the order in
which `loop()` is called (a branch may take another turn after the restore).

What we do: each `for` over a `chp.loop` has a key (its ordinal in the code), the running ones form
a path, and beside each step of it stand the keys of the loops already finished in the same pass. On
the way back a loop on the path hands out the item that was in work, a finished one hands out
nothing, and any other that asks for an item shows that the program took another turn: that is an
error, and nothing was saved on the way.

What can still go wrong: a loop left by `return`, or by `break` past an `else`, cannot be skipped by
handing out nothing (other code would run behind it). It is marked, and no save is made behind it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from time import monotonic
from types import FrameType
from typing import Any, Protocol

from resume.errors import RestoreError
from resume.frames import frame_at
from resume.position import Position

LEFT = "left"
"""The loop ended, and handing out nothing leads to the same place."""
ELSEWHERE = "elsewhere"
"""The loop was left to a place where its plain end does not lead."""


@dataclass(slots=True)
class Loop:
    """One `chp.loop` that is running."""

    key: str
    line: int
    site: int
    """Offset of the FOR_ITER in the owner's code."""
    make: Callable[[], Iterator[Any]]
    """Evaluates the iterable anew; for iterators that do not pickle."""
    has_drawn: bool = False
    """Random numbers were drawn while the expression of the iterable was evaluated."""
    iterator: Iterator[Any] | None = None
    inside: dict[str, str] = field(default_factory=dict)
    """Loops that finished inside the present item, as in `Track.finished`."""
    done: int = 0
    """Items handed out so far."""
    item: Any = None
    """The last one handed out."""
    start: Any = None
    """The random state in which the iterable was made."""
    shared_as: str | None = None
    """A variable that holds the very iterator and that the body reads: it may take items too."""
    rest: Iterator[Any] | None = None
    """On the way back: what follows the item that is handed out again."""


@dataclass(slots=True)
class Track:
    """The loops of one owner, as they run."""

    active: list[Loop] = field(default_factory=list)
    """Outermost first."""
    finished: list[dict[str, str]] = field(default_factory=lambda: [{}])
    """Per depth: key -> how the loop ended, in the present pass of the loops around it."""

    def begin(self, loop: Loop) -> None:
        """*loop* starts inside the active ones."""
        del self.finished[len(self.active) + 1 :]
        self.finished[-1].pop(loop.key, None)
        self.active.append(loop)
        self.finished.append(loop.inside)

    def end(self, loop: Loop, how: str) -> None:
        """*loop* is over, and with it whatever still ran inside."""
        depth = self.depth_of(loop)
        del self.active[depth:]
        del self.finished[depth + 1 :]
        self.finished[depth][loop.key] = how

    def depth_of(self, loop: Loop) -> int:
        """Number of loops around *loop*."""
        for depth, other in enumerate(self.active):
            if other is loop:
                return depth
        raise LookupError(loop.key)

    def is_active(self, loop: Loop) -> bool:
        """Whether *loop* still runs."""
        return any(other is loop for other in self.active)

    def left_elsewhere(self) -> str | None:
        """Key of a loop that a rerun could not skip, None where all is well."""
        for level in self.finished:
            for key, how in level.items():
                if how == ELSEWHERE:
                    return key
        return None

    def finished_keys(self) -> tuple[tuple[str, ...], ...]:
        """What a position records."""
        return tuple(tuple(level) for level in self.finished)


@dataclass(slots=True)
class Way:
    """The way back from `restore()` to the door of a saved state."""

    position: Position
    entered: int = 0
    """Steps of the path already taken."""
    lost: str | None = None
    """Why the door can no longer be reached."""

    def meet(self, key: str, depth: int) -> str:
        """What a `loop()` with *key* at *depth* is on this way: `path`, `finished` or `off`."""
        loops, finished = self.position.loops, self.position.finished
        if depth == self.entered and depth < len(loops) and loops[depth].key == key:
            return "path"
        if depth == self.entered and depth < len(finished) and key in finished[depth]:
            return "finished"
        return "off"

    @property
    def is_at_loop_door(self) -> bool:
        """Whether all loops of the path are entered and the innermost one is the door."""
        return self.position.door == "loop" and self.entered == len(self.position.loops)

    def describe(self) -> str:
        """The door in the user's words."""
        if self.position.door == "loop":
            return f"the loop at line {self.position.loops[-1].line}"
        if self.position.door == "call":
            return f"the safe point at line {self.position.line}"
        return "the end of the block"

    def error(self, why: str) -> RestoreError:
        """The error that ends a way, with what is safe and what to do."""
        return RestoreError(
            f"could not find the way back to {self.describe()}: {why}. The saved generation is "
            "untouched and nothing was saved since. Make the statements between restore() and the "
            "loop lead there again, use Checkpoint(clean=True) to start anew, or @resumable"
        )


class Pilot(Protocol):
    """The run, as a loop sees it."""

    due_at: float

    def before_item(self, loop: Loop, frame: FrameType) -> None:
        """The place between two items, when something may have to be done there."""

    def exhausted(self, loop: Loop, frame: FrameType) -> None:
        """The loop has no more items."""

    def dropped(self, loop: Loop, frame: FrameType | None) -> None:
        """The `for` let go of its iterator before the end."""


class LoopIterator:
    """What `chp.loop()` returns: only the running `for` holds it, so its end is the loop's end."""

    __slots__ = ("_loop", "_pilot", "_track")

    def __init__(self, pilot: Pilot, track: Track, loop: Loop) -> None:
        self._pilot = pilot
        self._track = track
        self._loop = loop

    def __iter__(self) -> LoopIterator:
        return self

    def __next__(self) -> Any:
        loop = self._loop
        if monotonic() >= self._pilot.due_at:
            self._pilot.before_item(loop, frame_at(1))
        if loop.inside:
            loop.inside.clear()  # what finished inside the item before belongs to it alone
        assert loop.iterator is not None
        try:
            item = next(loop.iterator)
        except StopIteration:
            self._pilot.exhausted(loop, frame_at(1))
            raise
        loop.done += 1
        loop.item = item
        return item

    def __del__(self) -> None:
        # 3.11 to 3.13 drop the iterator where the loop is left: at `break`, `return`, an exception
        # on its way out, a closed generator (tests/unit/frames proves the places)
        if self._track.is_active(self._loop):
            self._pilot.dropped(self._loop, frame_at(0).f_back)


class SkippedLoop:
    """A loop that is done already: hands out nothing."""

    __slots__ = ()

    def __iter__(self) -> SkippedLoop:
        return self

    def __next__(self) -> Any:
        raise StopIteration


class StrayLoop:
    """A loop that the saved path does not meet: an error as soon as it asks for an item."""

    __slots__ = ("_complain",)

    def __init__(self, complain: Callable[[], RestoreError]) -> None:
        self._complain = complain

    def __iter__(self) -> StrayLoop:
        return self

    def __next__(self) -> Any:
        raise self._complain()
