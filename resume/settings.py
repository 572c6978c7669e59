"""The parameters of a checkpoint, checked once and in the user's words."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from resume.errors import ConfigError
from resume.types import JSON
from resume.units import (
    DeadlineGiven,
    Duration,
    parse_bytes,
    parse_seconds,
    parse_signals,
    parse_status,
    show_bytes,
)

_CHOICES = {
    "args": ("call", "caller", "saved"),
    "on_save_error": ("warn", "raise"),
    "on_change": ("refuse", "continue", "restart"),
    "requeue": (None, "slurm"),
    "watch": (None, "aws", "gcp", "azure"),
}
_LEAST_MEMORY = 4 << 20
"""Room for one piece of a buffer."""

DEFAULTS: Mapping[str, Any] = {
    "clean": False,
    "rate": None,
    "iterations": None,
    "max_overhead": 0.01,
    "max_loss": "5m",
    "at_start": False,
    "at_finish": True,
    "deadline": "auto",
    "before_end": None,
    "requeue": None,
    "include": (),
    "exclude": (),
    "args": "call",
    "config": None,
    "overridable": (),
    "extra": None,
    "keep": 3,
    "keep_every": None,
    "keep_best": None,
    "expire": "30d",
    "strict": False,
    "on_save_error": "warn",
    "on_change": "refuse",
    "background": True,
    "memory": "256MiB",
    "previews": True,
    "compress": "auto",
    "fsync": True,
    "trust": None,
    "signals": "auto",
    "exit_code": None,
    "watch": None,
}
"""What holds where nothing is said; `Checkpoint` shows the same in its signature."""

ENVIRONMENT: Mapping[str, str] = {
    "signals": "RESUME_SIGNALS",
    "exit_code": "RESUME_EXIT_CODE",
}
"""How a program is left is the business of the place that it runs at, unless it says itself."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What a `Checkpoint` was asked for; the meaning of each field stands at `Checkpoint`."""

    clean: bool
    rate: Duration
    iterations: int | None
    max_overhead: float
    max_loss: Duration
    at_start: bool
    at_finish: bool
    deadline: DeadlineGiven
    before_end: Duration | None
    requeue: str | None
    include: tuple[str, ...]
    exclude: tuple[str, ...]
    args: str
    config: JSON
    overridable: tuple[str, ...]
    extra: JSON | Callable[[], JSON]
    keep: int
    keep_every: int | None
    keep_best: str | None
    expire_s: float | None
    strict: bool
    on_save_error: str
    on_change: str
    compress: str | int
    fsync: bool
    background: bool
    memory_bytes: int
    previews: bool
    trust: bool | None
    signals: tuple[int, ...] | None
    """None: the usual ones, where nobody sits at a prompt."""
    exit_code: int | None
    watch: str | None


def check_settings(**given: Any) -> Settings:
    """The settings, with every value checked; `DEFAULTS` for what is not given.

    Raises:
        ConfigError: A value has the wrong type or is no known choice; the text names the parameter.
    """
    given = _with_environment({**DEFAULTS, **given})
    if given["watch"] is None:
        given["watch"] = os.environ.get("RESUME_WATCH") or None
    for parameter, choices in _CHOICES.items():
        if given[parameter] not in choices:
            listed = ", ".join(repr(choice) for choice in choices)
            raise ConfigError(
                f"{parameter}={given[parameter]!r} is unknown: choose one of {listed}"
            )
    for parameter in ("include", "exclude", "overridable"):
        given[parameter] = _names(parameter, given[parameter])
    if not isinstance(given["keep"], int) or given["keep"] < 1:
        raise ConfigError(
            f"keep={given['keep']!r}: give the number of generations to keep, at least 1"
        )
    given["signals"] = parse_signals(given["signals"], "signals")
    given["exit_code"] = parse_status(given["exit_code"], "exit_code")
    if not isinstance(given["background"], bool):
        raise ConfigError(f"background={given['background']!r}: give True or False")
    given["memory_bytes"] = _memory(given.pop("memory"))
    _seconds_or_none("before_end", given["before_end"])
    given["expire_s"] = _seconds_or_none("expire", given.pop("expire"))
    given["config"] = plain_json("config", given["config"])
    if not callable(given["extra"]):
        given["extra"] = plain_json("extra", given["extra"])
    if given["rate"] is None:
        given["rate"] = os.environ.get("RESUME_RATE", "30s")
    return Settings(**given)


def is_switched_off() -> bool:
    """Whether the operator wants nothing saved or restored."""
    return os.environ.get("RESUME_DISABLE", "") not in ("", "0")


def _seconds_or_none(parameter: str, value: Duration | None) -> float | None:
    return None if value is None else parse_seconds(value, parameter)


def _with_environment(given: dict[str, Any]) -> dict[str, Any]:
    """What the machine's owner says holds where the program says nothing, or the default."""
    for parameter, variable in ENVIRONMENT.items():
        said = os.environ.get(variable)
        if said and given[parameter] == DEFAULTS[parameter]:
            is_number = parameter == "exit_code" and said.isdecimal()
            given[parameter] = int(said) if is_number else said
    return given


def _names(parameter: str, value: str | Collection[str]) -> tuple[str, ...]:
    if isinstance(value, str):
        value = (value,)
    names = tuple(value) if isinstance(value, Iterable) else (None,)
    if not all(isinstance(name, str) for name in names):
        raise ConfigError(f"{parameter}={value!r}: give names or patterns, as text")
    return names


def _memory(value: int | str) -> int:
    size = parse_bytes(value, "memory")
    if size < _LEAST_MEMORY:
        raise ConfigError(
            f"memory={value!r} is too little: copies that wait for the disk need at least "
            f"{show_bytes(_LEAST_MEMORY)}"
        )
    return size


def plain_json(parameter: str, value: Any) -> JSON:
    """*value* as it comes back from JSON: a copy, and two runs compare like with like.

    Raises:
        ConfigError: It holds what JSON cannot say; the text names the parameter.
    """
    try:
        plain: JSON = json.loads(json.dumps(value, default=_as_json))
    except (TypeError, ValueError) as why:
        raise ConfigError(f"{parameter}= goes into the manifest as JSON: {why}") from why
    return plain


def _as_json(value: Any) -> Any:
    if hasattr(value, "__dataclass_fields__"):
        return {name: getattr(value, name) for name in value.__dataclass_fields__}
    if hasattr(value, "__dict__") and type(value).__module__ in ("argparse", "types"):
        return vars(value)
    if isinstance(value, os.PathLike | set | frozenset):
        return os.fspath(value) if isinstance(value, os.PathLike) else sorted(value)
    if isinstance(value, Sequence):
        return list(value)
    raise TypeError(f"a {type(value).__qualname__} is no JSON")


def config_differences(saved: JSON, now: JSON, path: str = "") -> list[tuple[str, str, str]]:
    """Where two configurations differ: dotted path, saved value, value now."""
    if isinstance(saved, dict) and isinstance(now, dict):
        found: list[tuple[str, str, str]] = []
        for key in [*saved, *(key for key in now if key not in saved)]:
            below = f"{path}.{key}" if path else key
            if key not in saved or key not in now:
                old = repr(saved[key]) if key in saved else "(absent)"
                new = repr(now[key]) if key in now else "(absent)"
                found.append((below, old, new))
            else:
                found += config_differences(saved[key], now[key], below)
        return found
    return [] if saved == now else [(path or "config", repr(saved), repr(now))]
