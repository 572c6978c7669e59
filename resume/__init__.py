"""Long Python computations that survive: kill the program, rerun it, it continues.

The names come when they are asked for: `resume run` starts a script that may need none of them, and
must not pay for numpy on its behalf.
"""

from __future__ import annotations

TYPE_CHECKING = False  # as in typing, which takes longer than all this
if TYPE_CHECKING:
    from resume.checkpoint import Checkpoint
    from resume.decorated.decorator import resumable
    from resume.errors import (
        CaptureError,
        CheckpointBusyError,
        ConfigError,
        IntegrityError,
        Preempted,
        RestoreError,
        ResumeError,
        ResumeWarning,
        SchemaVersionError,
        StoreError,
        SweepError,
        TrustError,
        UnpicklableError,
    )
    from resume.loading import load
    from resume.null import NullCheckpoint
    from resume.points import save, sync
    from resume.sweep.sweep import ResumableSweep

__version__ = "1.0.0.dev0"

__all__ = [
    "CaptureError",
    "Checkpoint",
    "CheckpointBusyError",
    "ConfigError",
    "IntegrityError",
    "NullCheckpoint",
    "Preempted",
    "RestoreError",
    "ResumableSweep",
    "ResumeError",
    "ResumeWarning",
    "SchemaVersionError",
    "StoreError",
    "SweepError",
    "TrustError",
    "UnpicklableError",
    "load",
    "resumable",
    "save",
    "sync",
]

_HOMES = {
    "Checkpoint": "checkpoint",
    "NullCheckpoint": "null",
    "ResumableSweep": "sweep.sweep",
    "load": "loading",
    "resumable": "decorated.decorator",
    "save": "points",
    "sync": "points",
}
"""Modules of the names that are no errors."""

_RARE = frozenset({"CodeChangedError", "ConfigChangedError"})
"""Kinds of `RestoreError`: to be imported by who tells them apart, not listed."""


def __getattr__(name: str) -> object:
    if name not in __all__ and name not in _RARE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module  # noqa: PLC0415 - of no use to a script that asks nothing

    found: object = getattr(import_module(f"resume.{_HOMES.get(name, 'errors')}"), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
