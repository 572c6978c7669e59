"""What one run told of itself, read from the file that `script/telling.py` describes."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from resume.script.telling import TOLD


@dataclass(frozen=True, slots=True)
class Told:
    """What one run has told."""

    began_at: float | None = None
    """When the program's code began, on the clock of `time.monotonic()`; None: it never did."""
    saved_at: float | None = None
    """When it first saved, on the same clock."""
    gone_on_from: int | None = None
    """The generation that it began at; None: at its beginning."""
    saves: int = 0
    """How many generations it made durable."""
    postponed: Counter[str] = field(default_factory=Counter)
    """Why no save was made at some point, and how often."""


def read_told(folder: Path, process: int) -> Told:
    """Return what the run in *process* has told in *folder*; a line that is cut off is none."""
    path = folder / TOLD
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    lines = [json.loads(line) for line in text.splitlines(keepends=True) if line.endswith("\n")]
    mine = [line for line in lines if line["pid"] == process]
    first = next((line for line in mine if line["event"] == "begin"), None)
    if first is None:
        return Told()
    newest = max(line["generation"] or 0 for line in mine)
    return Told(
        began_at=first["at"],
        saved_at=next((line["at"] for line in mine if line["event"] == "save"), None),
        gone_on_from=first["generation"],
        saves=newest - (first["generation"] or 0),
        postponed=Counter(mine[-1]["postponed"]),
    )
