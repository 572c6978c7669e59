"""When a run saves, what comes of it, and what is still on its way to the disk."""

from __future__ import annotations

import logging
import math
import weakref
from collections.abc import Callable
from functools import partial
from time import monotonic
from types import FrameType
from typing import Protocol

from resume import notices, registry
from resume.asking import Asking, Wishes
from resume.call import Call
from resume.engine import Engine
from resume.errors import CaptureError, CheckpointBusyError, ResumeError, StoreError
from resume.owner import Owner
from resume.pickling import Reducers
from resume.position import Position
from resume.replay import item_digest
from resume.results import BUSY, FAILED, NOT_DUE, REQUESTED, Deferred, Saved
from resume.settings import Settings
from resume.snapshot import Scene
from resume.triggers import Schedule
from resume.units import show_seconds

_ITEM_PATIENCE = 4  # a save due for so many rates inside one item: say so, once
_BUSY_S = 0.05
"""After meeting a busy writer, look again after so many seconds."""


class Savable(Protocol):
    """The run, as a save sees it."""

    due_at: float
    title: str
    owner: Owner
    engine: Engine
    call: Call
    settings: Settings

    def scene(self, frame: FrameType | None) -> Scene:
        """Everything that a save is made of, as it is now."""


class Saving:
    """The steps of a save, and the time of the next."""

    def __init__(self, run: Savable, reducers: Callable[[], Reducers]) -> None:
        settings = run.settings
        self._run = run
        self._reducers = reducers
        self._schedule = Schedule(
            settings.rate,
            settings.iterations,
            max_overhead=settings.max_overhead,
            max_loss=settings.max_loss,
        )
        self.saved_at = monotonic()
        """When the last save was made, or the run began."""
        self.skipped = 0
        """Due saves that met a busy writer, each once, however often it was looked at again."""
        self._is_put_off = False
        """Whether the save that is due is counted there."""
        self.asked: str | None = None
        """Trigger of a save that is asked for, and waits for a place where it is exact."""
        self._said_waiting = False
        self._pause_s: float | None = None
        """Of a save whose writer's cost is not known yet."""
        self._due_at = -math.inf
        """When the next save is due by itself; `run.due_at` is when to look."""
        self._writes_since: float | None = None
        self.asking = Asking(self._wake, self._wake)
        """What others ask for."""

    def begin(self) -> None:
        """The run is open: the first safe point is looked at."""
        self.saved_at = monotonic()
        self._due_at = self._run.due_at = -math.inf

    def arrived(self) -> None:
        """The way back has ended; the time to the next save begins."""
        self.asked = None
        self.saved_at = monotonic()
        self.asking.begin_gap(self.saved_at)
        self._look_again_at(self._schedule.first_due_at(self.saved_at))

    # --- when ----------------------------------------------------------------------------------

    def ask(self, trigger: str) -> Deferred:
        """What another thread can do: ask for a save, or find that none is due."""
        if trigger != "save" and monotonic() < self.saved_at + self._schedule.wait_s:
            return NOT_DUE
        self.asked = trigger  # first this, then the time: `_look_again_at` reads them backwards
        self._run.due_at = -math.inf
        return REQUESTED

    def wants_save(self) -> bool:
        """Whether a save is due at this safe point, which counts as one."""
        self.hear()
        now = monotonic()
        if self.asking.look(now) is not None or self.asked is not None:
            return True
        is_counted = self._schedule.iterations is not None
        if not is_counted and self._run.due_at == -math.inf:
            self._due_at = self.saved_at + self._schedule.wait_s
        is_due = self._schedule.is_due(now, self._due_at, self.saved_at)
        if not is_due and self._due_at <= now and not is_counted:
            # the writer took more than was guessed
            self._due_at = self.saved_at + self._schedule.wait_s
        self._look_again_at(self._due_at)
        return is_due

    def _look_again_at(self, due_at: float) -> None:
        self._due_at = due_at
        self._run.due_at = min(due_at, self.asking.next_look_at)
        if self.asked is not None or self.asking.is_asked or self._run.engine.has_failed:
            self._run.due_at = -math.inf

    def _wake(self) -> None:
        self._run.due_at = -math.inf

    def defer(self, trigger: str, line: int) -> None:
        """A save that is due waits for the end of the item of the loop at *line*."""
        self.asked = self.asked or trigger
        self._run.due_at = -math.inf
        overdue_s = monotonic() - self.saved_at
        if not self._said_waiting and overdue_s > max(60.0, _ITEM_PATIENCE * self._schedule.wait_s):
            self._said_waiting = True
            notices.say(
                "⚠ %s: a save has been due for long inside one item of the loop at line %d; it is "
                "made at the item's end. Put a chp.loop inside the item, or use @resumable",
                self._run.title, line, level=logging.WARNING,
            )  # fmt: skip

    # --- a save --------------------------------------------------------------------------------

    def save(
        self, frame: FrameType | None, position: Position, trigger: str, *, complete: bool = False
    ) -> Saved | Deferred:
        """Save now, or skip it where it is only time that asks, and the writer is still busy.

        Where every safe point or every n-th was asked for, the writer is waited for. A `save()`
        outside loops and the end of a block wait until the generation is durable, too, and so does
        one that somebody else has asked for. He may want the program to be left behind it.

        Raises:
            BaseException: By which the program is left.
        """
        if trigger == "sync":
            trigger = self.asked or trigger
        is_asked = self.asking.is_asked
        is_by_time = trigger == "sync" and self._schedule.is_by_time and not is_asked
        if is_by_time and self._run.engine.is_writing:
            return self._skip()
        self.settle()
        wishes = self.asking.take()
        self.asked = None  # what is asked for from here on may not be in this save
        save = partial(self._save, frame, position, complete=complete)
        return self._answer(save, trigger, wishes) if wishes else save(trigger, wishes)

    def _answer(
        self, save: Callable[[str, Wishes], Saved | Deferred], trigger: str, wishes: Wishes
    ) -> Saved | Deferred:
        if trigger in ("sync", "save"):
            trigger = wishes.trigger
        saved: Saved | Deferred = FAILED
        try:
            saved = save(trigger, wishes)
        except ResumeError as why:
            wishes.answer(None, why)
            if not wishes.leaves:
                raise
            self._say_failure(why)
        except BaseException as why:
            wishes.answer(None, why)
            raise
        if isinstance(saved, Saved):
            wishes.answer(saved.generation)
        if not wishes.leaves:
            return saved
        if isinstance(saved, Saved):
            notices.say(
                "%s: saved as generation %d (%s); run the program again to go on from there",
                self._run.title, saved.generation, wishes.why,
            )  # fmt: skip
        raise wishes.way_out()

    def _save(
        self,
        frame: FrameType | None,
        position: Position,
        trigger: str,
        wishes: Wishes,
        *,
        complete: bool,
    ) -> Saved | Deferred:
        waits = complete or bool(wishes) or (trigger == "save" and not position.loops)
        began = self._writes_since = monotonic()
        try:
            number = self._run.engine.save(
                self._run.scene(frame),
                position,
                self._run.call,
                trigger=trigger,
                reducers=self._reducers(),
                complete=complete,
                digest=item_digest,
                extra=wishes.extra,
                beside=self._run.settings.background and not waits,
                when_done=_waking(weakref.ref(self)),
            )
        except (CheckpointBusyError, CaptureError):
            raise
        except StoreError as why:
            self._rest(began)
            if self._is_raised:
                raise
            wishes.answer(None, why)
            self._say_failure(why)
            return FAILED
        if not self._run.engine.is_writing:
            self._note_durable()
        self._rest(began)
        return Saved(number, is_durable=not self._run.engine.is_writing)

    def _note_durable(self) -> None:
        # the writer and the program may both find that it is done
        began, self._writes_since = self._writes_since, None
        if began is not None:
            self.asking.saves.note(monotonic() - began)

    def _skip(self) -> Deferred:
        is_first = not self._is_put_off
        self._is_put_off = True
        self.skipped += is_first
        if self.asked == "sync":
            self.asked = None  # only time asks, and does so again
        self._look_again_at(monotonic() + _BUSY_S)
        if is_first and self.skipped == 1:
            notices.say(
                "%s: the disk is still busy with the save before (begun %s ago), so the one that "
                'is due waits; a longer rate=, or rate="auto", asks for fewer',
                self._run.title, show_seconds(monotonic() - self.saved_at),
            )  # fmt: skip
        return BUSY

    def _rest(self, began: float) -> None:
        self.saved_at = monotonic()
        self._said_waiting = self._is_put_off = False
        self._pause_s = self.saved_at - began
        self.asking.paused(self.saved_at)
        self._look_again_at(self._schedule.next_due_at(self.saved_at, self._pause_s))

    def wake(self) -> None:
        """Called by the writer: a failure is told at the very next safe point."""
        if self._run.engine.has_failed:
            self._run.due_at = -math.inf
        else:
            self._note_durable()

    # --- what the writer says ------------------------------------------------------------------

    def hear(self) -> None:
        """Take note of how the save before ended, where it has.

        Raises:
            StoreError: It failed, and `on_save_error="raise"` was asked for.
        """
        if not self._run.engine.is_writing:
            self.settle()

    def settle(self) -> None:
        """Wait until the save before is durable, or has failed.

        Raises:
            StoreError: It failed, and `on_save_error="raise"` was asked for.
        """
        try:
            writer_s = self._run.engine.settle()
        except CheckpointBusyError:
            raise
        except StoreError as why:
            if self._is_raised:
                raise
            self._say_failure(why)
            return
        if writer_s is not None and self._pause_s is not None:
            self._schedule.note_cost(self._pause_s, writer_s)
            self._pause_s = None

    @property
    def _is_raised(self) -> bool:
        """Whether a failure is the program's to handle."""
        return self._run.settings.on_save_error == "raise"

    def _say_failure(self, why: BaseException, level: int = logging.WARNING) -> None:
        # no error goes to a log, which may keep it, and with it the frames of the program
        text = str(why) if isinstance(why, ResumeError) else f"{type(why).__name__}: {why}"
        notices.say("⚠ %s: could not save: %s", self._run.title, text, level=level)

    def close(self, *, died: bool = False) -> None:
        """The run ends. What is on its way goes on; how it ends is told here or by the writer.

        Args:
            died: By an error; what it restored may be why.
        """
        try:
            self._run.engine.close(self._tell_late, died=died)
        finally:  # a signal that nobody could answer acts now: it must not end the wait above
            self.asking.close()

    def _tell_late(self, why: BaseException) -> None:
        if not self._is_raised or not isinstance(why, ResumeError):
            self._say_failure(why)
            return
        self._say_failure(why, logging.ERROR)
        code = self._run.owner.code
        registry.report_later(why, code.co_filename if code else "")


def _waking(get: Callable[[], Saving | None]) -> Callable[[], None]:
    # weakly: the writer must not keep alive what the program has dropped
    def wake() -> None:
        saving = get()
        if saving is not None:
            saving.wake()

    return wake
