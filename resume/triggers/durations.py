"""How long something usually takes, from the last times that it was measured."""

from __future__ import annotations

import math

_MOST = 100


class Durations:
    """The last durations of one thing, in seconds; any thread may note one."""

    def __init__(self, most: int = _MOST) -> None:
        self._most = most
        self._last: list[float] = []

    def __len__(self) -> int:
        return len(self._last)

    def note(self, seconds: float) -> None:
        """One more; of too many the oldest goes."""
        self._last.append(seconds)
        del self._last[: -self._most]

    def most(self) -> float | None:
        """The 95th percentile: one in twenty takes longer. None: nothing was measured."""
        ordered = sorted(self._last)
        return ordered[math.ceil(0.95 * len(ordered)) - 1] if ordered else None
