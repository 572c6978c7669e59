"""Durations and sizes as people write them, to numbers and back."""

from __future__ import annotations

import _signal  # type: ignore[import-not-found] # `signal` makes an enum of each number
import re
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any, TypeAlias

from resume.errors import ConfigError

Duration: TypeAlias = "float | int | str | timedelta"
DeadlineGiven: TypeAlias = "Duration | datetime | None"
"""`"auto"`, how long from the start of the process, when, or None for never."""

_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
_BYTES = {
    "": 1,
    "b": 1,
    "kb": 1000,
    "mb": 1000**2,
    "gb": 1000**3,
    "kib": 1 << 10,
    "mib": 1 << 20,
    "gib": 1 << 30,
    "tib": 1 << 40,
}
_SIGNALS = {
    name[3:]: number
    for name, number in vars(_signal).items()
    if name.startswith("SIG") and name[3:4].isalpha() and isinstance(number, int)
}
_NEVER_CAUGHT = ("KILL", "STOP", "SEGV", "BUS", "FPE", "ILL")
_MOST_STATUS = 255
_PART = re.compile(r"(\d+(?:\.\d+)?)\s*([a-z]*)\s*")


def parse_seconds(value: Duration, what: str = "duration") -> float:
    """Seconds of *value*: a number (seconds), a timedelta, or text such as `30s`, `5m`, `1h30m`.

    Raises:
        ConfigError: *value* is negative, not a number, or no such text; the message names *what*.
    """
    seconds = value.total_seconds() if isinstance(value, timedelta) else value
    if isinstance(seconds, str):
        seconds = _sum_of_parts(seconds, what)
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not seconds >= 0:
        raise ConfigError(
            f"{what}={value!r} is no duration: give seconds (30), text ('5m', '1h30m') or a "
            "timedelta"
        )
    return float(seconds)


def _sum_of_parts(text: str, what: str) -> float:
    parts = _PART.findall(text.strip().lower())
    whole = "".join(_PART.sub("", text.strip().lower()))
    if not parts or whole or any((unit or "s") not in _SECONDS for _, unit in parts):
        raise ConfigError(f"{what}={text!r} is no duration: write '30s', '5m', '1h30m' or '2d'")
    return sum(float(number) * _SECONDS[unit or "s"] for number, unit in parts)


def parse_bytes(value: int | str, what: str = "size") -> int:
    """Bytes of *value*: a whole number, or text such as `256MiB` or `1.5 GB`.

    Raises:
        ConfigError: *value* is negative or no such text; the message names *what*.
    """
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    match = _PART.fullmatch(value.strip().lower()) if isinstance(value, str) else None
    if match is None or match[2] not in _BYTES:
        raise ConfigError(f"{what}={value!r} is no size: write bytes (1048576) or text ('256MiB')")
    return int(float(match[1]) * _BYTES[match[2]])


def show_seconds(seconds: float) -> str:
    """A short text for a person: `12 s`, `3 min`, `2 h`, `5 d`."""
    for limit, unit, name in ((90, 1, "s"), (5400, 60, "min"), (172800, 3600, "h")):
        if abs(seconds) < limit:
            return f"{seconds / unit:.0f} {name}"
    return f"{seconds / 86400:.0f} d"


def show_bytes(size: float) -> str:
    """A short text for a person: `512 B`, `3.4 MiB`."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if abs(size) < 1024:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:.1f} TiB"


def parse_signals(value: Any, what: str = "signals") -> tuple[int, ...] | None:
    """Numbers of the signals that *value* names; None for `"auto"`.

    A name, a number or several of them; as text, with commas between them, or `none`.

    Raises:
        ConfigError: There is no such signal here, or no program can answer it; it names *what*.
    """
    if value == "auto":
        return None
    several = value
    if isinstance(value, str):
        several = [part.strip() for part in value.split(",") if value != "none"]
    elif isinstance(value, int):
        several = [value]
    if not isinstance(several, Iterable | None):
        raise ConfigError(f"{what}={value!r}: give names, numbers, or () for none")
    return tuple(_signal_number(value, one, what) for one in several or ())


def _signal_number(value: Any, one: Any, what: str) -> int:
    name = one.upper().removeprefix("SIG") if isinstance(one, str) else ""
    number = _SIGNALS.get(name, int(name) if name.isdecimal() else one)
    known = [each for each, there in _SIGNALS.items() if there == number]
    if not known or isinstance(number, str):
        raise ConfigError(
            f"{what}={value!r}: there is no signal {one!r} here. Give names ('SIGTERM', 'USR1'), "
            "numbers or signal.Signals; () for none"
        )
    if isinstance(one, bool) or any(each in _NEVER_CAUGHT for each in known):
        raise ConfigError(f"{what}={value!r}: SIG{known[0]} cannot be answered by a save")
    return int(number)


def parse_status(value: Any, what: str = "exit_code") -> int | None:
    """The exit status *value*; None for the usual one.

    Raises:
        ConfigError: It is no status; the message names *what*.
    """
    if value is not None and (type(value) is not int or not 0 <= value <= _MOST_STATUS):
        raise ConfigError(f"{what}={value!r}: give a status from 0 to {_MOST_STATUS}, or None")
    return value
