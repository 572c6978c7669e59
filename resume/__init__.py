"""Long Python computations that survive: kill the program, rerun it, it continues."""

from __future__ import annotations

from resume.checkpoint import Checkpoint
from resume.errors import (
    CaptureError,
    CheckpointBusyError,
    CodeChangedError,
    ConfigChangedError,
    ConfigError,
    IntegrityError,
    Preempted,
    RestoreError,
    ResumeError,
    ResumeWarning,
    SchemaVersionError,
    StoreError,
    TrustError,
    UnpicklableError,
)
from resume.loading import load
from resume.null import NullCheckpoint

__version__ = "1.0.0.dev0"

__all__ = [
    "CaptureError",
    "Checkpoint",
    "CheckpointBusyError",
    "CodeChangedError",
    "ConfigChangedError",
    "ConfigError",
    "IntegrityError",
    "NullCheckpoint",
    "Preempted",
    "RestoreError",
    "ResumeError",
    "ResumeWarning",
    "SchemaVersionError",
    "StoreError",
    "TrustError",
    "UnpicklableError",
    "load",
]
