"""The time at which the program has to be gone, and what is done about it in time.

`deadline="auto"` reads, where they are there:

- `RESUME_DEADLINE`, and nothing else then: how long the process may run, from when it began
  (`23h30m`, or seconds below 1,000,000,000), when it has to end (`2026-11-23T08:00`, local time
  where no zone is named, or Unix seconds), or `none`.
- what schedulers tell (`resume/triggers/schedulers.py`); of several the earliest.

The same texts can be given as `deadline=`.
"""

from __future__ import annotations

import functools
import logging
import math
import re
from collections.abc import Callable
from datetime import datetime
from typing import NamedTuple

from resume import notices
from resume.errors import ConfigError
from resume.triggers.clocks import process_began, since_boot, wall_clock
from resume.triggers.signs import VARIABLE, signs
from resume.units import DeadlineGiven, Duration, parse_seconds

_FIRST_UNIX_TIME = 1e9
"""Numbers from here on are Unix times (from the year 2001 on), smaller ones are durations."""
_NUMBER = re.compile(r"\d+(\.\d*)?")
_DATE = re.compile(r"\d{4}-\d\d-\d\d(?!\d).*", re.DOTALL)


class Deadline(NamedTuple):
    """When the program has to be gone; a named tuple, for `resume run` makes one at its start."""

    at: float
    """On its clock, in seconds."""
    clock: Callable[[], float]
    why: str
    """Who says so: `SLURM_JOB_END_TIME`."""

    def left_s(self) -> float:
        """Seconds from now; negative: it is past."""
        return self.at - self.clock()


def find_deadline(given: DeadlineGiven) -> Deadline | None:
    """The deadline that *given* means; None: there is none.

    What `"auto"` cannot make out is said in one line, once a process, and is no deadline.

    Raises:
        ConfigError: *given* is neither `"auto"` nor a time.
    """
    if given is None:
        return None
    return _found(signs()) if given == "auto" else parse_deadline(given)


@functools.lru_cache(maxsize=4)
def _found(signs: tuple[tuple[str, str], ...]) -> Deadline | None:
    known = dict(signs)
    if VARIABLE in known:
        return _said_by_operator(known[VARIABLE])
    if not known:
        return None
    from resume.triggers.schedulers import ask_schedulers  # noqa: PLC0415 - subprocess: 5 ms

    return ask_schedulers(known)


def _said_by_operator(text: str) -> Deadline | None:
    if text.lower() == "none":
        return None
    try:
        return parse_deadline(text, VARIABLE)
    except ConfigError as why:
        notices.say("⚠ no deadline: %s", why, level=logging.WARNING)
        return None


def parse_deadline(given: Duration | datetime, what: str = "deadline") -> Deadline:
    """A duration from the start of the process on, a date with a time, or Unix seconds.

    Raises:
        ConfigError: It is none of them; the message names *what*.
    """
    try:
        if isinstance(given, datetime):
            deadline = Deadline(given.timestamp(), wall_clock, what)
        elif isinstance(given, str):
            deadline = _parse_text(given.strip(), what)
        else:
            deadline = _from_the_start(given, what)
    except (ConfigError, ValueError, OverflowError, OSError) as why:
        raise _refusal(given, what) from why
    if not math.isfinite(deadline.at):
        raise _refusal(given, what)
    return deadline


def _parse_text(text: str, what: str) -> Deadline:
    if _NUMBER.fullmatch(text) and float(text) >= _FIRST_UNIX_TIME:
        return Deadline(float(text), wall_clock, what)
    if _DATE.fullmatch(text):
        return Deadline(datetime.fromisoformat(text).timestamp(), wall_clock, what)
    return _from_the_start(text, what)


def _from_the_start(given: Duration, what: str) -> Deadline:
    return Deadline(process_began() + parse_seconds(given, what), since_boot, what)


def _refusal(given: object, what: str) -> ConfigError:
    others = "" if what == VARIABLE else ", a datetime, 'auto' or None"
    return ConfigError(
        f"{what}={given!r} is no deadline: give how long the process may run ('23h30m', 3600), "
        f"or when it has to end ('2026-11-23T08:00', Unix seconds){others}"
    )


# --- what is said ------------------------------------------------------------------------------

_announced: set[tuple[str, float, float]] = set()


def announce(deadline: Deadline, before_end_s: float) -> None:
    """Say how much time is left and what will be done; once a process, however many ask."""
    known = (deadline.why, deadline.at, before_end_s)
    if known in _announced:
        return
    _announced.add(known)
    left_s = deadline.left_s()
    left, why = show_span(left_s), deadline.why
    if left_s <= 0:
        notices.say(
            "⚠ wall clock: the time was up %s ago (%s): will save at the next safe point and "
            "leave, and so will each rerun; %s lets it go on",
            show_span(-left_s), why, _remedy(why), level=logging.WARNING,
        )  # fmt: skip
    elif left_s <= before_end_s:
        notices.say(
            "⚠ wall clock: %s left (%s), and before_end is %s: will save at the next safe point "
            "and leave, and so will each rerun until then; a shorter before_end lets it go on",
            left, why, show_span(before_end_s), level=logging.WARNING,
        )  # fmt: skip
    else:
        notices.say(
            "⏱ wall clock: %s left (%s): will save and leave at %s",
            left, why, show_span(left_s - before_end_s),
        )  # fmt: skip


def _remedy(why: str) -> str:
    return "a later deadline, or none," if why == "deadline" else f"{VARIABLE}=none"


def show_span(seconds: float) -> str:
    """A short text for a person, cut to two units: `23h59m`, `4m30s`, `12s`."""
    rest = max(0, int(seconds))
    counts = []
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60), ("s", 1)):
        count, rest = divmod(rest, size)
        counts.append((count, unit))
    while len(counts) > 1 and not counts[0][0]:
        counts.pop(0)
    shown = [f"{count}{unit}" for count, unit in counts[:2] if count]
    return "".join(shown) or "0s"
