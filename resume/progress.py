"""How far a loop is, for people."""

from __future__ import annotations

from types import CodeType
from typing import Any

from resume.frames import loop_target
from resume.loops import Loop

_SIMPLE = (int, str)
_LONGEST = 20


def progress(loop: Loop, code: CodeType | None) -> str:
    """Say which item *loop* is at: `epoch=47/300`, `fold=b`, `item 12 of the loop at line 7`.

    May be called from another thread than the one that loops: it runs no code of the program.
    """
    total = _total(loop)
    of = f"/{total}" if total is not None else ""
    target = loop_target(code, loop.site) if code is not None else None
    item: Any = loop.item
    if type(item) is tuple and item:
        item = item[0]
    if target is None or type(item) not in _SIMPLE or len(str(item)) > _LONGEST:
        return f"item {loop.done}{of} of the loop at line {loop.line}"
    if type(item) is str:
        return f"{target}={item}"
    return f"{target}={item}{of}"


def _total(loop: Loop) -> int | None:
    """Items in all, where a built-in iterator knows how many are left."""
    iterator: Any = loop.iterator
    hint = getattr(type(iterator), "__length_hint__", None)
    if hint is None or type(iterator).__module__ != "builtins":
        return None
    left: int = hint(iterator)
    return loop.done + left
