"""How far a sweep is: a line that is written over on a terminal, now and then one elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from time import monotonic

from resume import notices
from resume.units import show_seconds

ON_TERMINAL_S = 0.2
ELSEWHERE_S = 60.0
_BAR = 20


class Progress:
    """Shows counts, and a rate and the time left that only this launch counts for.

    Args:
        name: Of the sweep.
        before: Items that were done when this launch began.
        shown: Off: nothing is written.
    """

    def __init__(self, name: str, before: int, *, shown: bool) -> None:
        self._name = name
        self._before = before
        self._began = self._last = monotonic()
        self._shown = shown and not notices.is_quiet() and sys.stderr is not None
        self._rewrites = self._shown and _is_terminal()
        self._width = 0
        if self._rewrites:
            self._last = float("-inf")

    def show(self, count: Callable[[], Mapping[str, int]], *, running: int) -> None:
        """The state now, if it is time for it."""
        now = monotonic()
        if not self._shown or now - self._last < (ON_TERMINAL_S if self._rewrites else ELSEWHERE_S):
            return
        self._last = now
        text = self.text(count(), running=running, elapsed_s=now - self._began)
        if self._rewrites:
            self._write(text)
        else:
            notices.say("%s", text)

    def text(self, counts: Mapping[str, int], *, running: int, elapsed_s: float) -> str:
        """The line."""
        done, items = counts["done"], counts["items"]
        here = done - self._before
        parts = [f"{done}/{items} done"]
        parts += [f"{counts['failed']} failed"] * bool(counts["failed"])
        parts += [f"{counts['set_aside']} set aside"] * bool(counts["set_aside"])
        parts += [f"{running} running"] * bool(running)
        if here > 0 and elapsed_s > 0:
            rate = here / elapsed_s
            parts.append(f"{rate:.3g}/s" if rate >= 1 else f"{rate * 60:.3g}/min")
            parts.append(f"{show_seconds(counts['pending'] / rate)} left")
        filled = _BAR * done // max(1, items)
        bar = f"[{'#' * filled}{'.' * (_BAR - filled)}] " if self._rewrites else ""
        return f"{self._name}: {bar}{', '.join(parts)}"

    def end(self) -> None:
        """Leave the terminal's line to others."""
        if self._rewrites and self._width:
            self._write("")
            self._width = 0

    def _write(self, text: str) -> None:
        with suppress(OSError, ValueError):  # the terminal is gone: the work goes on
            sys.stderr.write(f"\r{text.ljust(self._width)}" + ("" if text else "\r"))
            sys.stderr.flush()
        self._width = len(text)


def _is_terminal() -> bool:
    with suppress(OSError, ValueError):
        return sys.stderr.isatty()
    return False
