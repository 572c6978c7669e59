"""What users tell of their own types: how an instance is saved, and where classes have moved."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from resume.errors import ConfigError

_reducers: dict[type, Callable[[Any], Any]] = {}
_renames: dict[str, str] = {}


def add_types(
    table: Mapping[type, Callable[[Any], Any]] | None = None,
    *,
    rename: Mapping[str, str] | None = None,
) -> None:
    """Add to the tables of this process; see `Checkpoint.add_types`."""
    for kind, reduce in (table or {}).items():
        if not isinstance(kind, type) or not callable(reduce):
            raise ConfigError(
                f"add_types() takes a class and a function for it, not {kind!r}: {reduce!r}"
            )
    for old, new in (rename or {}).items():
        if not all(isinstance(name, str) and "." in name for name in (old, new)):
            raise ConfigError(f"rename= takes full names, 'module.Class', not {old!r}: {new!r}")
    _reducers.update(table or {})
    _renames.update(rename or {})


def current_reducers() -> Mapping[type, Callable[[Any], Any]]:
    """The table of reducers, as it is now."""
    return _reducers.copy()


def current_renames() -> Mapping[str, str]:
    """The table of renamed classes, as it is now."""
    return _renames.copy()
