"""What cannot be saved now, and can soon: a save waits for it.

A connection to a database is made again on a resume, and what it had not committed would be lost. A
tensor comes back without the graph that it was computed by, so `backward()` would find no gradient.
"""

from __future__ import annotations

import sys
from typing import Any

from resume.pickling import tensors
from resume.pickling.session import Reducer, Session, Unsavable

OPEN_TRANSACTION = "a database has changes that are not committed"
OPEN_GRAPH = "a tensor has a graph that backward() has not gone through"


def look(kind: type) -> Reducer | None:
    """Return what things of this type are asked by before the core saves them; mostly None."""
    return _ask if _is_connection(kind) or tensors.is_tensor_type(kind) else None


def reason_for(thing: Any) -> str:
    """Why a save waits for *thing*; empty where it does not."""
    if tensors.is_tensor_type(type(thing)):
        return OPEN_GRAPH if tensors.has_open_graph(thing) else ""
    return OPEN_TRANSACTION if _is_in_transaction(thing) else ""


def _ask(_session: Session, thing: Any) -> Any:
    if why := reason_for(thing):
        raise Unsavable(why)
    return NotImplemented


def _is_connection(kind: type) -> bool:
    """Whether *kind* is one of `sqlite3`, told without an import of it."""
    known = sys.modules.get("sqlite3")
    return known is not None and issubclass(kind, known.Connection)


def _is_in_transaction(thing: Any) -> bool:
    """Whether it is a connection that, made again, would know nothing of what it was told."""
    if not _is_connection(type(thing)):
        return False
    try:
        return bool(thing.in_transaction)
    except sys.modules["sqlite3"].ProgrammingError:  # it is closed
        return False
