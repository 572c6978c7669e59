"""Files that a program appends to: how far they were at a save, and cut back at a restore."""

from __future__ import annotations

from resume.tracked.output import OutputMark, cut_back, marks_of_output

__all__ = ["OutputMark", "cut_back", "marks_of_output"]
