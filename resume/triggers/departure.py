"""Leaving in time: asks for the save behind which the program leaves, while that is still possible.

The program leaves `before_end` ahead of its deadline. Where the way to the next safe point and two
saves have been measured to take longer together (the 95th percentile of each), it leaves that much
ahead: at the next safe point it might be too late. Two, for one that is due by time may just have
begun, and the last one waits for it.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from resume import notices
from resume.triggers.deadline import Deadline, announce, find_deadline, show_span
from resume.triggers.durations import Durations
from resume.units import DeadlineGiven

if TYPE_CHECKING:
    from resume.triggers.asked import Asked, Leave

_LONGEST_S = 10.0
"""The wall clock may be set and the machine may sleep: look again so soon at least."""


def departure(
    given: DeadlineGiven,
    before_end_s: float,
    *,
    gaps: Durations,
    saves: Durations,
    leave: Leave | None,
    requeue: str | None = None,
) -> Departure | None:
    """Return what asks for the last save, and say how much time is left; None: no deadline.

    Args:
        given: The deadline, as `find_deadline` takes it.
        before_end_s: Leave so many seconds ahead.
        gaps: Between two safe points, as they are measured.
        saves: From the beginning of a save until it is durable.
        leave: How the program is left; None: it cannot be, and is only saved.
        requeue: Slurm is asked to start this job again; empty: it is not known. None: not asked.

    Raises:
        ConfigError: *given* is no time.
    """
    deadline = find_deadline(given)
    if deadline is None:
        return None
    announce(deadline, before_end_s)
    return Departure(deadline, before_end_s, gaps=gaps, saves=saves, leave=leave, requeue=requeue)


class Departure:
    """Asks for the last save in time; a `Source`."""

    def __init__(
        self,
        deadline: Deadline,
        before_end_s: float,
        *,
        gaps: Durations,
        saves: Durations,
        leave: Leave | None,
        requeue: str | None = None,
    ) -> None:
        self._deadline, self._before_end_s = deadline, before_end_s
        self._gaps, self._saves = gaps, saves
        self._leave, self._requeue = leave, requeue
        self._has_asked = False

    def look(self, now: float) -> Asked | None:  # noqa: ARG002 - it has a clock of its own
        """Ask for the save, once, when the time has come."""
        left_s = self._deadline.left_s()
        if self._has_asked or left_s > self._margin_s():
            return None
        from resume.triggers.asked import Asked  # noqa: PLC0415 - dataclasses: 10 ms

        self._has_asked = True
        return Asked("deadline", self._why(left_s), self._leave, answer=self._answered)

    def next_look_at(self, now: float) -> float:
        """When the time will have come, as far as is known now."""
        ahead_s = self._deadline.left_s() - self._margin_s()
        return now + min(max(ahead_s, 0.0), _LONGEST_S)

    def close(self) -> None:
        """Nothing is held."""

    def _margin_s(self) -> float:
        return max(self._before_end_s, self._needed_s())

    def _needed_s(self) -> float:
        return (self._gaps.most() or 0.0) + 2 * (self._saves.most() or 0.0)

    def _why(self, left_s: float) -> str:
        why = self._deadline.why
        told = f"{why}: the time is up" if left_s <= 0 else f"{why}: {show_span(left_s)} left"
        if self._needed_s() <= self._before_end_s:
            return told
        gap, save = (show_span(one.most() or 0.0) for one in (self._gaps, self._saves))
        return f"{told}, a save takes up to {save} and the way to the next safe point {gap}"

    def _answered(self, number: int | None, why: BaseException | None) -> None:
        if self._leave is None:
            if number is not None:
                notices.say(
                    "%s: saved as generation %d; only the main thread can leave the program",
                    self._deadline.why, number,
                )  # fmt: skip
        elif self._requeue is not None:
            self._put_into_queue(number, why)

    def _put_into_queue(self, number: int | None, why: BaseException | None) -> None:
        if number is None:
            notices.say(
                "⚠ the job is not put into the queue again, for nothing was saved: %s",
                why, level=logging.WARNING,
            )  # fmt: skip
            return
        from resume.triggers.requeue import requeue_slurm_job  # noqa: PLC0415 - subprocess: 5 ms

        assert self._requeue is not None
        requeue_slurm_job(self._requeue)
