"""Long Python computations that survive: kill the program, rerun it, it continues."""

from __future__ import annotations

__version__ = "1.0.0.dev0"
