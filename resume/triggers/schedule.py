"""Saves by time and by count of safe points."""

from __future__ import annotations

import math

from resume.errors import ConfigError
from resume.units import Duration, parse_seconds

_AUTO_SHARE = 99.0  # a save may take one part in a hundred of the run time
_AUTO_LIMITS_S = (1.0, 300.0)


class Schedule:
    """When the next throttled save is due, on the clock of `time.monotonic()` (seconds)."""

    def __init__(self, rate: Duration, iterations: int | None = None) -> None:
        if iterations is not None and (not isinstance(iterations, int) or iterations < 1):
            raise ConfigError(
                f"iterations={iterations!r}: give a whole number of at least 1, or None"
            )
        self.is_auto = rate == "auto"
        self.rate_s = 30.0 if rate == "auto" else parse_seconds(rate, "rate")
        self.iterations = iterations
        self._since_save = 0

    def next_due_at(self, now: float, save_s: float = 0.0) -> float:
        """When to look again after a save that took *save_s* seconds and ended at *now*.

        With `iterations` every safe point has to be counted, so each one is looked at.
        """
        self._since_save = 0
        if self.iterations is not None:
            return -math.inf
        if self.is_auto:
            low, high = _AUTO_LIMITS_S
            return now + min(max(low, _AUTO_SHARE * save_s), high)
        return now + self.rate_s

    def is_due(self, now: float, due_at: float, saved_at: float) -> bool:
        """Count one safe point and tell whether a save is wanted at it."""
        if self.iterations is None:
            return now >= due_at
        self._since_save += 1
        return self._since_save >= self.iterations or now >= saved_at + self.rate_s
