"""The way to the object that cannot be saved: `loader.workers[0].socket`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from resume.pickling.session import Session, Unsavable


@dataclass(frozen=True, slots=True)
class Culprit:
    """What stands in the way."""

    path: str
    type: str
    why: str
    remedy: str


def find(thing: Any, path: str, why: Exception, session: Session) -> Culprit:
    """Who is behind *why*, which came up when *thing* was saved."""
    from resume.pickling.anchors import type_name

    remedy = why.remedy if isinstance(why, Unsavable) else ""
    return Culprit(path, type_name(thing), f"{why}", remedy)
