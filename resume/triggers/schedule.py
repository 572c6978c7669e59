"""Saves by time and by count of safe points, and as often as a share of the run time pays for.

`rate="auto"` keeps an account. What a save took has to be earned by run time, `max_overhead`
seconds a second, before the next is due. Where `max_loss` lets a save come before that, the rest
stays owed and is earned later: the share holds over the run, not for each save. What is earned
beyond the debt is not put by, or a run of cheap saves would pay for a burst of dear ones.
"""

from __future__ import annotations

import math

from resume.errors import ConfigError
from resume.units import Duration, parse_seconds

_FIRST_S = 30.0
"""Of `rate="auto"`: nothing is measured before the first save, so it waits as by default."""
_FLOOR_S = 0.1
"""A save that costs next to nothing need not be made at every safe point."""


class Schedule:
    """When the next throttled save is due, on the clock of `time.monotonic()` (seconds)."""

    def __init__(
        self,
        rate: Duration,
        iterations: int | None = None,
        *,
        max_overhead: float = 0.01,
        max_loss: Duration = "5m",
    ) -> None:
        if iterations is not None and (not isinstance(iterations, int) or iterations < 1):
            raise ConfigError(
                f"iterations={iterations!r}: give a whole number of at least 1, or None"
            )
        self.is_auto = rate == "auto"
        self.iterations = iterations
        self._account = _Account(_share(max_overhead), _loss(max_loss))
        if self.is_auto:
            self.rate_s = min(_FIRST_S, self._account.longest_s)
        else:
            self.rate_s = parse_seconds(rate, "rate")
        self._wait_s = self.rate_s
        self._saved_at = -math.inf
        self._since_save = 0

    @property
    def is_by_time(self) -> bool:
        """Whether a save may as well come a little later: nobody counts the safe points."""
        return self.iterations is None and (self.is_auto or self.rate_s > 0)

    @property
    def due_at(self) -> float:
        """When the next save is due, as far as is known now; -inf before the first save.

        After `note_cost` it may be another time than `next_due_at` said.
        """
        return -math.inf if self.iterations is not None else self._saved_at + self._wait_s

    @property
    def wait_s(self) -> float:
        """Seconds from a save, or from where the run began, to the next save by time."""
        return self._wait_s

    def first_due_at(self, now: float) -> float:
        """When to look first, in a run that begins at *now* and has saved nothing yet."""
        self._since_save = 0
        return -math.inf if self.iterations is not None else now + self._wait_s

    def next_due_at(self, now: float, save_s: float = 0.0) -> float:
        """When to look again after a save that paused the caller *save_s* seconds, to *now*.

        With `iterations` every safe point has to be counted, so each one is looked at.
        """
        self._since_save = 0
        self._account.pay(now, save_s)
        self._rest(now)
        return self.due_at

    def note_cost(self, pause_s: float, writer_s: float) -> None:
        """Learn what a save took, before or after its `next_due_at`, once a save.

        Until it is called for a save, the writer is taken to need what it needed last time.

        Args:
            pause_s: Seconds for which the caller waited.
            writer_s: CPU seconds of the writer beside it, each of which may have been taken from
                the caller.
        """
        self._account.correct(pause_s, writer_s)
        self._rest(self._saved_at)

    def is_due(self, now: float, due_at: float, saved_at: float) -> bool:
        """Count one safe point and tell whether a save is wanted at it."""
        if self.iterations is not None:
            self._since_save += 1
            if self._since_save >= self.iterations:
                return True
        return now >= due_at and now >= saved_at + self._wait_s

    def _rest(self, saved_at: float) -> None:
        self._saved_at = saved_at
        if self.is_auto and saved_at > -math.inf:
            self._wait_s = self._account.wait_s


class _Account:
    """What saves have taken, and the run time that has still to pass to make up for it."""

    def __init__(self, share: float, longest_s: float) -> None:
        self._share = share
        self.longest_s = longest_s
        self._owed_s = 0.0
        """Run time that has to pass from the end of the last save on; never below zero."""
        self._ended_at = -math.inf
        self._pause_s: float | None = None
        """Of a save that is paid with the writer's cost as guessed."""
        self._writer_s = 0.0
        self._noted: tuple[float, float] | None = None
        """The cost of a save that is not paid yet."""

    @property
    def wait_s(self) -> float:
        """How long to wait from the end of the last save on."""
        return min(max(self._owed_s, _FLOOR_S), self.longest_s)

    def pay(self, now: float, pause_s: float) -> None:
        """Take up the cost of a save that ended at *now*."""
        self._owed_s = max(0.0, self._owed_s - (now - pause_s - self._ended_at))
        self._ended_at = now
        if self._noted is not None:
            pause_s, self._writer_s = self._noted
            self._noted = None
        else:
            self._pause_s = pause_s
        self._owed_s += self._worth(pause_s, self._writer_s)

    def correct(self, pause_s: float, writer_s: float) -> None:
        """Put what was measured in the place of what was guessed."""
        if self._pause_s is None:
            self._noted = pause_s, writer_s
            return
        guessed = self._worth(self._pause_s, self._writer_s)
        self._owed_s += self._worth(pause_s, writer_s) - guessed
        self._pause_s, self._writer_s = None, writer_s

    def _worth(self, pause_s: float, writer_s: float) -> float:
        # The pause is part of the run time itself; the writer's time passes beside it.
        return (pause_s + writer_s) / self._share - pause_s


def _share(value: float) -> float:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or not 0 < value <= 1:
        raise ConfigError(
            f"max_overhead={value!r}: give the part of the run time that saves may take, above 0 "
            "and at most 1 (0.01 is one hundredth)"
        )
    return float(value)


def _loss(value: Duration) -> float:
    seconds = parse_seconds(value, "max_loss")
    if seconds == 0:
        raise ConfigError(
            f"max_loss={value!r}: give the longest time between two saves, above 0 seconds. To "
            "save at every safe point, give rate=0"
        )
    return seconds
