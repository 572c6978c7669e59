"""Files that a program writes: how they were at a save, and brought back to that at a restore."""

from __future__ import annotations

from resume.tracked.output import OutputMark, cut_back, marks_of_output
from resume.tracked.undo import UndoLog

__all__ = ["OutputMark", "UndoLog", "cut_back", "marks_of_output"]
