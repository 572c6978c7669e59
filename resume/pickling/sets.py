"""Sets keep the order in which they iterate."""

from __future__ import annotations

from typing import Any

from resume.pickling.builders import bound
from resume.pickling.session import Rebuild, Session


class SetRecord:
    """Stands in the stream for one set; persistent ids are saved with the memo like the rest."""

    __slots__ = ("held",)

    def __init__(self, held: Any) -> None:
        self.held = held


@bound
def new_set(rebuild: Rebuild) -> set[Any]:  # noqa: ARG001
    """A set, its items still to come."""
    return set()


@bound
def fill_set(rebuild: Rebuild, target: set[Any], state: tuple[list[Any], int]) -> None:
    """Put the items into *target* so that they iterate in their saved order."""
    target.update(state[0])


@bound
def frozen_set(rebuild: Rebuild, items: list[Any], size: int) -> frozenset[Any]:
    """A frozenset that iterates in the saved order."""
    return frozenset(items)


def record(session: Session, held: Any) -> SetRecord:
    """The one record of *held* in this encode."""
    found = session.made.get(id(held))
    if found is None:
        session.has_sets = True
        found = session.made[id(held)] = SetRecord(held)
    made: SetRecord = found
    return made


def reduce_record(_session: Session, thing: SetRecord) -> Any:
    """The reduce value of a record: what comes back is the set itself."""
    held = thing.held
    if type(held) is frozenset:
        return frozen_set, (list(held), held.__sizeof__())
    return new_set, (), (list(held), held.__sizeof__()), None, None, fill_set
