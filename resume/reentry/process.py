"""What a program has set in its process: limits, folder, search path, contexts, streams.

The statements that set it do not run again, and other code looks at it: so it is part of the state.
Plain data comes back before the definitions run, for imports need the search path; objects of the
graph behind the decode.

What a `with` on the stack has set is left to that: it is entered again, and must find what was
there before it. What can still go wrong: what a program sets elsewhere (the environment, signal
handlers, a library's own settings), and what it had set before such a `with`.
"""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Collection, Mapping
from typing import Any

import numpy as np

from resume.errors import RestoreError

_STREAMS = ("stdin", "stdout", "stderr")


def plain() -> dict[str, Any]:
    """What can be told as plain data."""
    return {
        "folder": os.getcwd(),  # noqa: PTH109 - a string, as the manifest holds it
        "path": [entry for entry in sys.path if isinstance(entry, str)],
        "recursion_limit": sys.getrecursionlimit(),
        "digits": sys.get_int_max_str_digits(),
    }


def apply_plain(known: Mapping[str, Any]) -> None:
    """Set again what `plain` told: before any definition of the program runs.

    Raises:
        RestoreError: The folder that the program worked in is gone.
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


def held(managers: Collection[Any]) -> dict[str, Any]:
    """What is told by objects.

    Args:
        managers: Context managers on the stack that are entered again: what they set is left out.
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
    return {name: value for name, value in found.items() if name not in left_out}


def _set_by(manager: Any) -> tuple[str, ...]:
    kind = type(manager)
    name = f"{kind.__module__}.{kind.__qualname__}"
    maker = getattr(getattr(manager, "func", None), "__name__", "")
    if name.endswith(".errstate"):
        return ("numpy errors",)
    if name == "warnings.catch_warnings":
        return ("warnings",)
    if maker == "printoptions":
        return ("numpy print",)
    return (str(manager._stream),) if hasattr(manager, "_stream") else ()  # noqa: SLF001


def apply_held(known: Mapping[str, Any]) -> None:
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
