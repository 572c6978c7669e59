"""Durations and sizes as people write them, to numbers and back."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import TypeAlias

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
