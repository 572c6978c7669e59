"""Which objects a saved graph holds, by identity."""

from __future__ import annotations

import pickle
from typing import Any


class Graph:
    """The saved objects; the table is made when it is first asked for."""

    def __init__(self, pickler, ends, anchors, own) -> None:
        self._pickler = pickler
        self._ends = ends

    def owner(self, thing: Any) -> str | None:
        return None

    def shared_with(self, value: Any) -> str | None:
        return None
