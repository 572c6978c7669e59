"""What asks a run for a save from outside, and how long it usually waits for one.

Goal: an answer within about a second, and `sync()` stays a clock read where nothing is asked for.

What we do: who asks leaves a note and sets the time of the next look to now; who has to be looked
after (a file, a clock) is looked at once a second, at a safe point. Behind each such look the next
safe point is looked at as well. So one gap a second is measured, and the long ones are not found
more often than they are: a look falls more likely behind a long gap, but not before one.
"""

from __future__ import annotations

import _thread
import contextlib
import math
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from resume.errors import StoreError
from resume.triggers.durations import Durations

if TYPE_CHECKING:
    from resume.triggers.asked import Asked, Source
    from resume.triggers.interruption import Terms
    from resume.types import JSON

_EVERY_S = 1.0
"""Sources are looked at so often, and more often where they say so."""
_PATIENCE_S = 10.0
_USUAL_GAPS = 5
"""Safe points are coming while the last one is so many usual gaps ago, or `_PATIENCE_S`."""


class Asking:
    """What one run is asked for.

    Args:
        wake: Lets the next safe point save; called from any thread, and from a signal's handler.
        look: Lets the next safe point look at a new source; a timer that polls does so by itself.
    """

    def __init__(
        self, wake: Callable[[], None] = lambda: None, look: Callable[[], None] = lambda: None
    ) -> None:
        self.wake = wake
        self._let_look = look
        self.gaps = Durations()
        """Between two safe points, saves not counted."""
        self.saves = Durations()
        """From the beginning of a save until it is durable."""
        self.seen_at: float | None = None
        """When a safe point was looked at last; up to a second before the last one."""
        self._sources: list[Source] = []
        self._waiting: list[Asked] = []
        self._look_at = math.inf
        self._gap_from: float | None = None
        self._looking = _thread.allocate_lock()

    # -- who asks

    def add(self, source: Source) -> None:
        """Look at *source* from now on, until the run ends."""
        self._sources.append(source)
        self._look_at = -math.inf
        self._let_look()

    def ask(self, asked: Asked) -> None:
        """Ask for a save; from any thread, and from a signal's handler."""
        self._waiting.append(asked)
        self.wake()

    def withdraw(self, asked: Asked) -> None:
        """That save is not wanted any more; from any thread, and from a signal's handler.

        A program that still comes to a safe point goes on: there its sources are looked at again.
        """
        with contextlib.suppress(ValueError):  # it is being made
            self._waiting.remove(asked)
        self._look_at = -math.inf if self._sources else math.inf
        self._let_look()

    @property
    def is_asked(self) -> bool:
        """Whether somebody waits for a save."""
        return bool(self._waiting)

    # -- who saves

    def look(self, now: float) -> Asked | None:
        """Return what is asked for at this safe point: what leaves the program before the rest."""
        if self._gap_from is not None:
            self.gaps.note(now - self._gap_from)
            self._gap_from = None
        if now >= self._look_at and self._sources:
            self._gap_from = now
        self.seen_at = now
        return self.poll(now)

    def poll(self, now: float) -> Asked | None:
        """`look`, from where no safe point is: the thread of a timer."""
        if now >= self._look_at and self._looking.acquire(blocking=False):
            try:
                self._ask_sources(now)
            finally:
                self._looking.release()
        waiting = self._waiting.copy()
        return next((one for one in waiting if one.leaves), waiting[0] if waiting else None)

    def _ask_sources(self, now: float) -> None:
        self._look_at = now + _EVERY_S if self._sources else math.inf
        for source in self._sources.copy():
            asked = source.look(now)
            if asked is not None:
                self.ask(asked)
            self._look_at = min(self._look_at, source.next_look_at(now))

    @property
    def next_look_at(self) -> float:
        """When the next safe point has to be looked at; -inf: now."""
        if self._waiting or self._gap_from is not None:
            return -math.inf
        return self._look_at

    @property
    def next_poll_at(self) -> float:
        """When a timer has to look at the sources."""
        return self._look_at

    def paused(self, now: float) -> None:
        """A save ended at *now*: the gap that is measured begins there."""
        if self._gap_from is not None:
            self._gap_from = now

    def begin_gap(self, now: float) -> None:
        """The program stands at a safe point that nobody looked at, and goes on from there."""
        self.seen_at = now
        if self._sources:
            self._gap_from = now

    def are_coming(self, now: float) -> bool:
        """Whether a safe point can be expected soon, from when the last ones came."""
        if self.seen_at is None:
            return False
        return now - self.seen_at <= _EVERY_S + self.patience_s()

    def patience_s(self) -> float:
        """Seconds that the next safe point may well take."""
        return max(_PATIENCE_S, _USUAL_GAPS * (self.gaps.most() or 0.0))

    def take(self) -> Wishes:
        """Take all that is asked for; what comes from here on may not be in this save."""
        taken = self._waiting.copy()
        del self._waiting[: len(taken)]
        return Wishes(taken)

    def give_back(self, wishes: Wishes) -> None:
        """No save was made for them here: they wait for the next safe point."""
        self._waiting[:0] = wishes.asked

    # -- the end

    def close(self) -> None:
        """The run has ended: who still waits is told so."""
        sources, self._sources = self._sources, []
        for source in sources:
            source.close()
        self._look_at, self._gap_from = math.inf, None
        if self._waiting:
            self.take().answer(None, StoreError("the run ended before its next safe point"))

    def forget(self) -> None:
        """In a forked child: what is asked for is the parent's business."""
        self._sources.clear()
        self._waiting.clear()
        self._look_at, self._gap_from = math.inf, None


class Askable:
    """A run that signals ask through its `asking`; the other half of `signals.Interruptible`."""

    asking: Asking

    def ask(self, asked: Asked) -> None:
        """Save at the next safe point."""
        self.asking.ask(asked)

    def withdraw(self, asked: Asked) -> None:
        """That save is not wanted any more."""
        self.asking.withdraw(asked)

    def patience_s(self) -> float:
        """Seconds that the next safe point may well take."""
        return self.asking.patience_s()

    def terms(self) -> Terms | None:
        """It saves at its next safe point."""
        return None


class Wishes:
    """What one save is the answer to."""

    def __init__(self, asked: Iterable[Asked]) -> None:
        every = list(asked)
        every.sort(key=lambda one: one.leaves is None)
        self.asked = every
        self._is_answered = False

    def __bool__(self) -> bool:
        return bool(self.asked)

    @property
    def trigger(self) -> str:
        """For the manifest: what leaves the program counts before the rest."""
        return self.asked[0].trigger

    @property
    def why(self) -> str:
        """For people."""
        return ", ".join(dict.fromkeys(one.why for one in self.asked))

    @property
    def leaves(self) -> bool:
        """Whether the program is left behind the save."""
        return bool(self.asked) and self.asked[0].leaves is not None

    @property
    def extra(self) -> dict[str, JSON]:
        """For the manifest."""
        return {key: value for one in self.asked for key, value in one.extra.items()}

    def answer(self, number: int | None, why: BaseException | None = None) -> None:
        """Tell all what came of it; what is told first holds."""
        if not self._is_answered:
            self._is_answered = True
            for one in self.asked:
                one.answer(number, why)

    def way_out(self) -> BaseException:
        """Do what comes before the program is left, and return what is to be raised."""
        leaves = self.asked[0].leaves
        assert leaves is not None
        leaves.before()
        return leaves.error()
