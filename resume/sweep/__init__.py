"""Many independent items: which are done, with what result, in a log that survives any kill."""

from __future__ import annotations

from resume.sweep.sweep import ResumableSweep

__all__ = ["ResumableSweep"]
