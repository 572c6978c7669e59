"""The course of a run through its loops: where it is, which places are safe, how it finds back.

The loops of the owner report here. A safe point between two items is saved with the path of loops
around it; on a rerun the same loops lead the program back to that place, its *door*, where the
saved state is applied once more, so that what the statements on the way did to it is undone.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import CodeType, FrameType
from typing import Any, Protocol

from resume.application import Application
from resume.errors import ConfigError, IntegrityError, RestoreError, ResumeError, StoreError
from resume.frames import (
    LoopSite,
    call_of_lookup,
    enclosing_loops,
    fingerprint,
    instruction_at,
    left_elsewhere,
    loop_site,
    names_read_in_loop,
    safe_point_key,
)
from resume.loops import (
    ELSEWHERE,
    LEFT,
    Loop,
    LoopIterator,
    Pilot,
    SkippedLoop,
    StrayLoop,
    Track,
    Way,
)
from resume.owner import Owner
from resume.position import Position, SavedLoop
from resume.progress import progress
from resume.replay import (
    RandomStart,
    is_same_state,
    make_iterator,
    random_start,
    random_state,
    replay,
)
from resume.snapshot import LoopScene, Revived
from resume.types import Content, Manifest


class Ship(Pilot, Protocol):
    """The run, as its course sees it."""

    owner: Owner

    def names(self, frame: FrameType | None) -> Mapping[str, Any]:
        """The state's names as they are now."""

    def wants_save(self) -> bool:
        """Whether a save is due at this safe point, which counts as one."""

    def saves_at_finish(self) -> bool:
        """Whether the end of the block will be saved."""

    def save_at(self, frame: FrameType | None, position: Position, trigger: str | None) -> bool:
        """Save here; tells whether it was done."""

    def read(self, manifest: Manifest, again: Content) -> Content:
        """The bytes of a generation that was read before, as *again*."""

    def arrived(self, values: Mapping[str, Any]) -> None:
        """The way back has ended, with these named values."""

    def fail(self, error: ResumeError) -> None:
        """Nothing is to be saved from now on."""


@dataclass(frozen=True, slots=True)
class Destination:
    """The saved state that a run is on its way back to."""

    manifest: Manifest
    content: Content
    """Its buffers; the stream is read again."""
    application: Application
    is_same_code: bool


class Course:
    """The loops of one run, and its way back where it is on one."""

    def __init__(self, ship: Ship) -> None:
        self.track = Track()
        self.way: Way | None = None
        self._destination: Destination | None = None
        self._ship = ship
        self._saved_item: tuple[Loop, int] | None = None
        self._looked_up: tuple[CodeType, int, RandomStart] | None = None
        self.is_sealed = False
        """The block had ended before: nothing is saved."""

    def set_out(self, position: Position, destination: Destination) -> None:
        """From here on the program is on its way back to *position*."""
        self.way = Way(position)
        self._destination = destination

    # --- places --------------------------------------------------------------------------------

    def straight_position(self, frame: FrameType | None, caller: FrameType) -> Position:
        """Where a safe point outside all `chp.loop`s stands; a door if it is in no loop at all."""
        finished = self.track.finished_keys()
        line = caller.f_lineno
        if frame is None or frame is not caller or enclosing_loops(frame.f_code, frame.f_lasti):
            return Position(None, line=line, finished=finished)
        return Position("call", safe_point_key(frame.f_code, frame.f_lasti), line, (), finished)

    def pass_by(self, frame: FrameType | None, caller: FrameType) -> None:
        """A safe point in no loop, on the way back: nothing is saved, and it may be the door."""
        assert self.way is not None
        self.check_way()
        if self.way.position.door != "call" or frame is None or frame is not caller:
            return
        if self.straight_position(frame, caller).call == self.way.position.call:
            self._arrive(frame)

    def end_position(self) -> Position:
        """The end of the block."""
        return Position("end", None, None, (), self.track.finished_keys()[:1])

    # --- loops ---------------------------------------------------------------------------------

    def begin_loop(self, iterable: Any, name: str | None, caller: FrameType) -> Any:
        """The iterator for a `for` statement of the owner that starts where *caller* stands."""
        site = loop_site(caller.f_code, caller.f_lasti)
        if isinstance(site, str):
            raise ConfigError(_misplaced(site, caller.f_lineno))
        if [header for header, _, _ in site.enclosing] != [loop.site for loop in self.track.active]:
            raise ConfigError(_plain_loop_around(site, self.track))
        key = name or self._key(site, caller)
        loop = Loop(key, site.line, site.offset, lambda: make_iterator(iterable))
        if self.way is not None:
            return self._meet(loop, iterable, caller)
        loop.start = random_start(iterable, lambda: self._ship.names(caller))
        loop.has_drawn = self._has_drawn(loop, caller)
        loop.iterator = loop.make()
        self._note_sharing(loop, iterable, caller)
        self.track.begin(loop)
        return LoopIterator(self._ship, self.track, loop)

    def look_up(self, caller: FrameType) -> None:
        """`chp.loop` was looked up: its argument is evaluated next, and may draw."""
        self._looked_up = None
        call = call_of_lookup(caller.f_code, caller.f_lasti)
        if call is not None and self.way is None and not self.is_sealed:
            state = random_state(self._ship.names(caller))
            self._looked_up = (caller.f_code, call, state)

    def _has_drawn(self, loop: Loop, caller: FrameType) -> bool:
        """Whether the random state is another than before the loop's expression."""
        looked_up, self._looked_up = self._looked_up, None
        if looked_up is None or loop.start is None or looked_up[0] is not caller.f_code:
            return False
        is_its_call = looked_up[1] == instruction_at(caller.f_code, caller.f_lasti)
        return is_its_call and not is_same_state(looked_up[2], loop.start)

    def _key(self, site: LoopSite, caller: FrameType) -> str:
        ordinal = str(site.ordinal)
        if caller.f_code is self._ship.owner.code:
            return ordinal
        return f"{fingerprint(caller.f_code)[:8]}:{ordinal}"  # another cell of a notebook

    def _meet(self, loop: Loop, iterable: Any, caller: FrameType) -> Any:
        """A loop that the way back comes to."""
        self.check_way()
        assert self.way is not None
        depth = len(self.track.active)
        kind = self.way.meet(loop.key, depth)
        if kind == "finished":
            self.track.finished[-1][loop.key] = LEFT
            return SkippedLoop()
        if kind == "off":
            return StrayLoop(lambda: self._lose(f"the loop at line {loop.line} is not on it"))
        self.way.entered += 1
        self._note_sharing(loop, iterable, caller)
        self.track.begin(loop)
        return LoopIterator(self._ship, self.track, loop)

    def _note_sharing(self, loop: Loop, iterable: Any, caller: FrameType) -> None:
        if not hasattr(type(iterable), "__next__"):
            return
        read = names_read_in_loop(caller.f_code, loop.site)
        names = self._ship.names(caller)
        shared = (name for name, value in names.items() if value is iterable and name in read)
        loop.shared_as = next(shared, None)

    def before_item(self, loop: Loop, frame: FrameType) -> None:
        """The place between two items, when something may have to be done there."""
        if self.way is not None:
            self._lead(loop, frame)
        elif loop.done and not self.is_sealed and self._ship.wants_save():
            self._save_between(loop, frame, None)

    def _save_between(self, loop: Loop, frame: FrameType, trigger: str | None) -> None:
        depth = self.track.depth_of(loop)
        loop.inside.clear()  # what finished inside the item belongs to it alone
        loops = tuple(
            SavedLoop(other.key, other.line, other.done, by_value=True, item_digest=None)
            for other in self.track.active[: depth + 1]
        )
        finished = self.track.finished_keys()[: depth + 2]
        if self._ship.save_at(frame, Position("loop", None, loop.line, loops, finished), trigger):
            self._saved_item = (loop, loop.done)

    def exhausted(self, loop: Loop, frame: FrameType) -> None:
        """The loop has no more items."""
        saves = self.way is None and not self.is_sealed and self._ship.saves_at_finish()
        if saves and loop.done and loop is self.track.active[0] and not self._is_saved(loop):
            # the state in which the block's last statements begin: a rerun of the finished block
            # goes on from here
            self._save_between(loop, frame, "finish")
        self.track.end(loop, LEFT)
        if self.way is None and not self.is_sealed:
            self._ship.due_at = -math.inf  # the next safe point has to be looked at

    def _is_saved(self, loop: Loop) -> bool:
        return self._saved_item is not None and self._saved_item == (loop, loop.done)

    def dropped(self, loop: Loop, frame: FrameType | None) -> None:
        """The `for` let go of its iterator before the end: break, return, an exception."""
        here = self._ship.owner.find(frame) if frame is not None else None
        is_plain = (
            here is not None
            and here is frame
            and not left_elsewhere(here.f_code, loop.site, here.f_lasti)
        )
        self.track.end(loop, LEFT if is_plain else ELSEWHERE)
        if self.way is not None:
            self.way.lost = self.way.lost or f"the loop at line {loop.line} was left before"

    def place(self) -> str:
        """Where the loops are, for people: `epoch=47/300`; empty outside of them."""
        shown = [progress(loop, self._ship.owner.code) for loop in self.track.active.copy()]
        return ", ".join(shown)

    # --- the way back --------------------------------------------------------------------------

    def _lead(self, loop: Loop, frame: FrameType) -> None:
        self.check_way()
        assert self.way is not None
        depth = self.track.depth_of(loop)
        if depth == len(self.way.position.loops) - 1 and self.way.is_at_loop_door:
            self._arrive(frame)
        elif loop.done:
            raise self._lose(f"the loop at line {loop.line} asked for its next item before")
        else:
            self._hand_over(loop, self.way.position.loops[depth], depth, frame)

    def _hand_over(self, loop: Loop, saved: SavedLoop, depth: int, frame: FrameType) -> None:
        """Let *loop* hand out again the item that was in work."""
        scene = self._revived_loops()[depth]
        item, loop.start = scene.item, scene.start
        if not saved.by_value:
            loop.rest, item = replay(
                loop.make,
                start=loop.start,
                names=lambda: self._ship.names(frame),
                skip=saved.done,
                digest=saved.item_digest,
                line=loop.line,
            )
        loop.iterator = iter((item,))
        loop.done = saved.done - 1

    def _arrive(self, frame: FrameType | None) -> None:
        """The door: undo what the statements on the way did to the state, and go on."""
        assert self._destination is not None
        assert self.way is not None
        destination, position = self._destination, self.way.position
        revived = self._apply_again(destination, frame)
        if destination.is_same_code:
            self._unbind(destination.application, frame)
        for depth, keys in enumerate(position.finished[: len(self.track.finished)]):
            self.track.finished[depth].clear()
            self.track.finished[depth].update(dict.fromkeys(keys, LEFT))
        for loop, saved, scene in zip(
            self.track.active, position.loops, revived.loops, strict=True
        ):
            loop.done, loop.start = saved.done, scene.start
            loop.item = scene.item if saved.by_value else loop.item
            loop.iterator = scene.iterator if saved.by_value else loop.rest
        self._end_way(revived.values)
        if position.door == "loop" and not position.loops[-1].by_value:
            self._skip(self.track.active[-1], position.loops[-1], frame)

    def _apply_again(self, destination: Destination, frame: FrameType | None) -> Revived:
        assert self.way is not None
        try:
            content = self._ship.read(destination.manifest, destination.content)
            return destination.application.apply(content, frame, self._ship.names(frame))
        except StoreError as why:
            kind = IntegrityError if isinstance(why, IntegrityError) else StoreError
            error = kind(
                f"the saved state cannot be put back at {self.way.describe()}: {why} Nothing was "
                "saved since restore(), and nothing is from here on. Start the program anew: it "
                "goes on from the newest whole generation"
            )
            self._ship.fail(error)
            raise error from why
        except ResumeError as why:
            self._ship.fail(why)  # the state may stand between two moments: it is not to be saved
            raise

    def _unbind(self, application: Application, frame: FrameType | None) -> None:
        try:
            application.unbind_later_names(frame, list(self._ship.names(frame)))
        except RestoreError as why:
            self._ship.fail(why)
            raise

    def _skip(self, loop: Loop, saved: SavedLoop, frame: FrameType | None) -> None:
        """Bring the loop at the door to its place: only now are the names those of the save."""
        try:
            loop.iterator, loop.item = replay(
                loop.make,
                start=loop.start,
                names=lambda: self._ship.names(frame),
                skip=saved.done,
                digest=saved.item_digest,
                line=loop.line,
            )
        except ResumeError as why:
            self._ship.fail(why)
            raise

    def _revived_loops(self) -> tuple[LoopScene, ...]:
        assert self._destination is not None
        assert self._destination.application.revived is not None
        return self._destination.application.revived.loops

    def _end_way(self, values: Mapping[str, Any]) -> None:
        self.way = None
        self._destination = None
        active = self.track.active
        self._saved_item = (active[-1], active[-1].done) if active else None
        self._ship.arrived(values)

    def check_way(self) -> None:
        """Raise if the door can no longer be reached."""
        if self.way is not None and self.way.lost is not None:
            raise self._lose(self.way.lost)

    def end_early(self, what: str) -> RestoreError:
        """The error for a *what* (block, function) that ends before its door."""
        return self._lose(f"the {what} ended before")

    def _lose(self, why: str) -> RestoreError:
        assert self.way is not None
        error = self.way.error(why)
        self._ship.fail(error)
        return error


_REWRITES = {
    "wrapped": ("its result goes into another call", "for i, x in chp.loop(enumerate(xs)):"),
    "comprehension": ("it stands in a comprehension", "for x in chp.loop(xs): ys.append(f(x))"),
    "stored": ("its result is stored", "for x in chp.loop(xs):"),
}
_OTHER = ("it is not the iterable of a for statement", "for x in chp.loop(xs):")


def _misplaced(reason: str, line: int | None) -> str:
    why, rewrite = _REWRITES.get(reason, _OTHER)
    return (
        f"chp.loop() at line {line} cannot be led back to its place: {why}. Write: {rewrite}, "
        "or use @resumable"
    )


def _plain_loop_around(site: LoopSite, track: Track) -> str:
    known = {loop.site for loop in track.active}
    plain = [(is_for, line) for header, is_for, line in site.enclosing if header not in known]
    is_for, line = plain[0] if plain else (True, site.line)
    return (
        f"chp.loop() at line {site.line} stands inside a plain `{'for' if is_for else 'while'}` "
        f"(line {line}): a rerun could not tell which pass it was in. Make the outer loop a "
        "chp.loop too, or use @resumable"
    )
