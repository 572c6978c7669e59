"""What a program has set in its process: limits, folder, search path, contexts, streams, loggers.

The statements that set it do not run again, and other code looks at it: so it is part of the state.
Plain data comes back before the definitions run, for imports need the search path and look at the
environment; objects of the graph behind the decode, each setting a root of its own.

Where a whole program is saved, its beginning is known (`beginning.py`), and what it has set since
is state as well: the environment, signal handlers, hooks, loggers, what is called at its end.
Where a function alone is saved, the rest of its program sets those again.

What a `with` on the stack has set is left to that: it is entered again, and must find what was
there before it. What can still go wrong: what a program sets elsewhere (a library's own settings,
resource limits), and what it had set before such a `with`.
"""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Collection, Mapping
from typing import Any

import numpy as np

from resume.errors import RestoreError
from resume.reentry import at_exit, beginning, loggers, standard_input

_STREAMS = ("stdin", "stdout", "stderr")
_AT_EXIT = "at exit "
NEEDED = frozenset({*_STREAMS, *beginning.OBJECTS})
"""First words of settings without which nothing is saved; others are left out, which is said."""


def plain(*, is_whole: bool = False) -> dict[str, Any]:
    """What can be told as plain data.

    Args:
        is_whole: A whole program is saved, not a function of it.

    Raises:
        UnpicklableError: Nobody can tell how far the program has read its standard input.
    """
    found = {
        "folder": os.getcwd(),  # noqa: PTH109 - a string, as the manifest holds it
        "path": [entry for entry in sys.path if isinstance(entry, str)],
        "recursion_limit": sys.getrecursionlimit(),
        "digits": sys.get_int_max_str_digits(),
    }
    if is_whole and beginning.is_noted():
        found["set"] = [[*key, value] for key, value in beginning.changed(beginning.PLAIN).items()]
        found["gone"] = [list(key) for key in beginning.gone(beginning.PLAIN)]
        found["input"] = standard_input.mark()
    return found


def apply_plain(known: Mapping[str, Any]) -> None:
    """Set again what `plain` told: before any definition of the program runs.

    Raises:
        RestoreError: The folder that the program worked in is gone, or a setting cannot be made
            here, or standard input is not what it was.
    """
    if os.getcwd() != known["folder"]:  # noqa: PTH109
        try:
            os.chdir(known["folder"])
        except OSError as why:
            raise RestoreError(
                f"the program worked in {known['folder']}, which cannot be entered: "
                f"{why.strerror}. The saved state is whole and stays. Put the folder back, or "
                "start anew"
            ) from why
    for index, entry in enumerate(known["path"]):
        if entry not in sys.path:
            sys.path.insert(index, entry)
    sys.setrecursionlimit(known["recursion_limit"])
    sys.set_int_max_str_digits(known["digits"])
    for name, key, value in known.get("set", ()):
        _put(name, key, value)
    for name, key in known.get("gone", ()):
        beginning.drop(name, key)
    standard_input.go_on(known.get("input"))


def _put(name: str, key: str, value: Any) -> None:
    try:
        beginning.put(name, key, value)
    except beginning.REFUSALS as why:
        raise RestoreError(
            f"the program had set its {name} ({key}) to {value!r}, which this process refuses: "
            f"{why}. The saved state is whole and stays; start anew with --fresh"
        ) from why


def held(managers: Collection[Any], modules: Collection[str] = ()) -> dict[str, Any]:
    """What is told by objects.

    Args:
        managers: Context managers on the stack that are entered again: what they set is left out.
        modules: Names of the program's modules, where all of it is saved, not a function alone.
    """
    left_out = {name for manager in managers for name in _set_by(manager)}
    found: dict[str, Any] = {"numpy errors": np.geterr(), "numpy print": np.get_printoptions()}
    found["warnings"] = list(warnings.filters)
    decimal = sys.modules.get("decimal")
    if decimal is not None:
        found["decimal"] = decimal.getcontext()
    for name in _STREAMS:
        if getattr(sys, name) is not getattr(sys, f"__{name}__"):
            found[name] = getattr(sys, name)
    if modules and beginning.is_noted():
        for (group, key), value in beginning.changed(beginning.OBJECTS).items():
            found[f"{group} {key}"] = value
        found |= loggers.state(modules)
        for number, each in enumerate(at_exit.registered(modules)):
            found[f"{_AT_EXIT}{number}"] = each
    return {name: value for name, value in found.items() if name not in left_out}


def _set_by(manager: Any) -> tuple[str, ...]:
    kind = type(manager)
    name = f"{kind.__module__}.{kind.__qualname__}"
    maker = getattr(getattr(manager, "func", None), "__name__", "")
    if name.endswith(".errstate"):
        return ("numpy errors",)
    if name == "warnings.catch_warnings":
        return ("warnings", "hook warnings.showwarning")
    if maker == "printoptions":
        return ("numpy print",)
    return (str(manager._stream),) if hasattr(manager, "_stream") else ()  # noqa: SLF001


def apply_held(known: Mapping[str, Any], modules: Collection[str] = ()) -> None:
    """Set again what `held` gave, its objects in place."""
    np.seterr(**known.get("numpy errors", {}))
    np.set_printoptions(**known.get("numpy print", {}))
    if "warnings" in known and warnings.filters != known["warnings"]:
        warnings.filters[:] = known["warnings"]  # type: ignore[index]
        warnings._filters_mutated()  # type: ignore[attr-defined]  # noqa: SLF001
    if "decimal" in known:
        import decimal  # noqa: PLC0415 - only where the program has done so

        decimal.setcontext(known["decimal"])
    for name in _STREAMS:
        if name in known:
            setattr(sys, name, known[name])
    loggers.apply(known)
    registered = (value for name, value in known.items() if name.startswith(_AT_EXIT))
    at_exit.register_again(modules, registered)
    for group in beginning.OBJECTS:
        for name, value in known.items():
            first, _, key = name.partition(" ")
            if first == group:
                beginning.put(group, key, value)
