"""What the process was before its program began: what is otherwise by now, the program has set.

Goal: of what lies in the process, only what the program changed is part of its state. A rerun may
have another environment (another machine, another device to compute on), and what the program left
alone stays as the rerun has it.

What we do: one look at the beginning, before the program's first line, and one at each save; what
differs is kept. What came back from a saved state counts as changed from then on, whatever the
rerun had there.

Nothing is noted where a function alone is saved: the rest of its program runs again, and sets all
of this again. What a library has set while it was imported is kept, too; its import sets the same.
"""

from __future__ import annotations

import _locale
import _signal  # type: ignore[import-not-found] # `signal` makes an enum of each number
import gc
import os
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from resume.reentry import at_exit, standard_input


class Group(NamedTuple):
    """Settings of one kind, each with a key."""

    read: Callable[[], dict[str, Any]]
    put: Callable[[str, Any], object]
    drop: Callable[[str], object] | None = None
    """Takes away what the program has taken away; None: they cannot go."""


REFUSALS = (OSError, ValueError, _locale.Error)  # type: ignore[attr-defined]
"""What `put` raises where the process does not take a setting."""
_noted: dict[tuple[str, str], Any] = {}
_OURS = object()
"""In place of what was there at the beginning: the program has set it, in this run or before."""


def note() -> None:
    """Take what is there now for the beginning."""
    at_exit.begin()
    standard_input.begin()
    _noted.clear()
    for name, group in {**PLAIN, **OBJECTS}.items():
        for key, value in group.read().items():
            _noted[name, key] = value


def forget() -> None:
    """Let there be no beginning: nothing counts as set by a program."""
    at_exit.end()
    standard_input.end()
    _noted.clear()


def is_noted() -> bool:
    """Whether it is known what the program has set."""
    return bool(_noted)


def changed(groups: Mapping[str, Group]) -> dict[tuple[str, str], Any]:
    """What the program has set, by group and key."""
    if not _noted:
        return {}
    return {
        (name, key): value
        for name, group in groups.items()
        for key, value in group.read().items()
        if _noted.get((name, key), _OURS) != value
    }


def gone(groups: Mapping[str, Group]) -> list[tuple[str, str]]:
    """What the program has taken away."""
    there = {name: group.read() for name, group in groups.items() if group.drop is not None}
    return [(name, key) for name, key in _noted if name in there and key not in there[name]]


def put(name: str, key: str, value: Any) -> None:
    """Set what a program had set."""
    {**PLAIN, **OBJECTS}[name].put(key, value)
    _noted[name, key] = _OURS


def drop(name: str, key: str) -> None:
    """Take away what a program had taken away."""
    take = PLAIN[name].drop
    if take is not None:
        take(key)
    _noted[name, key] = _OURS


# ---------------------------------------------------------------- plain data


def _set_variable(key: str, value: str) -> None:
    os.environ[key] = value
    _tell_time_zone(key)


def _drop_variable(key: str) -> None:
    os.environ.pop(key, None)
    _tell_time_zone(key)


def _tell_time_zone(key: str) -> None:
    if key == "TZ" and hasattr(time, "tzset"):
        time.tzset()


def _interpreter() -> dict[str, Any]:
    found: dict[str, Any] = {
        "collects": gc.isenabled(),
        "thresholds": list(gc.get_threshold()),
        "switch interval": sys.getswitchinterval(),
    }
    if all(type(word) is str for word in sys.argv):
        found["argv"] = list(sys.argv)
    return found


def _set_interpreter(key: str, value: Any) -> None:
    if key == "argv":
        sys.argv[:] = value
    elif key == "switch interval":
        sys.setswitchinterval(value)
    elif key == "thresholds":
        gc.set_threshold(*value)
    elif value:
        gc.enable()
    else:
        gc.disable()


_STATUS = "/proc/self/status"


def _mask() -> dict[str, Any]:
    try:
        with open(_STATUS, "rb") as file:  # noqa: PTH123 - `pathlib` takes long to import
            rows = dict(row.split(b":", 1) for row in file.read().splitlines())
            return {"mask": int(rows[b"Umask"], 8)}
    except (OSError, KeyError):  # elsewhere it must be set to be seen; other threads make files
        mask = os.umask(0o077)
        os.umask(mask)
        return {"mask": mask}


def _locales() -> dict[str, Any]:
    return {"all": _locale.setlocale(_locale.LC_ALL, None)}


_STREAMS = ("stdin", "stdout", "stderr")
_HOW = ("encoding", "errors", "line_buffering", "write_through")
"""In this order: another encoding sets how errors are treated."""


def _streams() -> dict[str, Any]:
    found = {}
    for name in _STREAMS:
        for attribute in _HOW:
            try:
                found[f"{name} {attribute}"] = getattr(getattr(sys, f"__{name}__"), attribute)
            except (AttributeError, ValueError):  # there is none, or the program took it apart
                continue
    return found


def _reconfigure(key: str, value: Any) -> None:
    name, _, attribute = key.partition(" ")
    stream = getattr(sys, f"__{name}__")
    if stream is not None and getattr(stream, attribute) != value:
        kept = {"errors": stream.errors} if attribute == "encoding" else {}
        stream.reconfigure(**kept, **{attribute: value})


PLAIN: Mapping[str, Group] = {
    "environment": Group(lambda: dict(os.environ), _set_variable, _drop_variable),
    "interpreter": Group(_interpreter, _set_interpreter),
    "files": Group(_mask, lambda _, mask: os.umask(mask)),
    "locale": Group(_locales, lambda _, value: _locale.setlocale(_locale.LC_ALL, value)),
    "streams": Group(_streams, _reconfigure),
}
"""What is set before any definition of the program runs: what it imports looks at it."""


# ---------------------------------------------------------------- objects


def _handlers() -> dict[str, Any]:
    found = {str(number): _signal.getsignal(number) for number in _signal.valid_signals()}
    return {number: handler for number, handler in found.items() if handler is not None}


def _timers() -> dict[str, Any]:
    return {str(which): list(_signal.getitimer(which)) for which in _TIMERS}


_TIMERS = (_signal.ITIMER_REAL, _signal.ITIMER_VIRTUAL, _signal.ITIMER_PROF)
_HOOKS = (
    ("sys", "excepthook", "__excepthook__"),
    ("sys", "displayhook", "__displayhook__"),
    ("sys", "unraisablehook", "__unraisablehook__"),
    ("threading", "excepthook", "__excepthook__"),
    ("warnings", "showwarning", "_showwarning_orig"),
    ("warnings", "formatwarning", "_formatwarning_orig"),
    ("logging", "_warnings_showwarning", ""),
    ("logging", "lastResort", "_defaultLastResort"),
    ("logging", "raiseExceptions", ""),
    ("logging", "_logRecordFactory", "LogRecord"),
    ("logging", "_loggerClass", "Logger"),
)
"""Attributes of modules that programs set, and where the module keeps what it had there itself."""


def _hooks() -> dict[str, Any]:
    found = {}
    for library, name, first in _HOOKS:
        held = vars(sys.modules.get(library, sys))
        usual = held.get(first) if first else _USUAL.get(name)
        if library in sys.modules and name in held and held[name] is not usual:
            found[f"{library}.{name}"] = held[name]
    return found


_USUAL: Mapping[str, Any] = {"_warnings_showwarning": None, "raiseExceptions": True}


def _set_hook(key: str, value: Any) -> None:
    library, _, name = key.rpartition(".")
    setattr(sys.modules[library], name, value)


OBJECTS: Mapping[str, Group] = {
    "hook": Group(_hooks, _set_hook),
    "signal": Group(_handlers, lambda key, handler: _signal.signal(int(key), handler)),
    "timer": Group(_timers, lambda key, both: _signal.setitimer(int(key), *both)),
}
"""What may be made of the program's own objects. Timers come last: they call handlers."""
