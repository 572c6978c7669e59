"""The item of a sweep that this thread works on: what its checkpoints have to know of it."""

from __future__ import annotations

from _thread import _local
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class Item:
    """One item, while a function of the user's works on it.

    Args:
        key: Its key in the sweep.
        leave_file: Where it is there, the program is to leave; empty: nobody says so that way.
    """

    __slots__ = ("_named", "key", "leave_file", "saves_itself")

    def __init__(self, key: str, leave_file: str = "") -> None:
        self.key, self.leave_file = key, leave_file
        self.saves_itself = False
        """Whether a checkpoint was begun in it, of whatever name."""
        self._named: list[Callable[[], tuple[str, str]]] = []

    def own(self, place: Callable[[], tuple[str, str]]) -> None:
        """A checkpoint is named after the item; *place* returns its folder and name."""
        self._named.append(place)

    def checkpoints(self) -> tuple[tuple[str, str], ...]:
        """Folder and name of those that nobody needs any more when the item is done."""
        return tuple(dict.fromkeys(place() for place in self._named))


_here = _local()


def current() -> Item | None:
    """The item that this thread works on; None: it works on none."""
    item: Item | None = getattr(_here, "item", None)
    return item


@contextmanager
def working_on(item: Item) -> Iterator[None]:
    """In this thread, *item* is worked on."""
    before, _here.item = current(), item
    try:
        yield
    finally:
        _here.item = before
