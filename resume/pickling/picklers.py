"""The C pickler: its hooks, and one that is kept from save to save.

Goal: a pickler grows its memo while it works, for a million objects a dozen times over, each time
into fresh pages. Emptied it keeps the room, and the next save takes a sixth less time.

What does not work: to set `memo`, by which a fresh pickler gets its first objects (the anchors),
for that makes the memo anew, without the room. So they go through the emptied pickler one by one,
and none of their parts does (`Memo.note`). That needs the hook for persistent ids.

What stays of it: 3.11 and 3.12 cannot take that hook off again. A call in C that does nothing is
left there for saves that look for no sets, and costs a third of what is won.
"""

from __future__ import annotations

import pickle
import sys
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from resume.pickling import sets
from resume.pickling.reducers import Table
from resume.pickling.session import Session
from resume.pickling.sharing import Memo
from resume.pickling.stream import LARGE, Writer

WORTH_KEEPING = 1 << 22
"""Bytes of a memo; a smaller one is grown in no time."""
MOST_KEPT = 1 << 28
MOST_NOTED = 500
"""Anchors; each takes three microseconds."""
_CAN_UNHOOK = sys.version_info >= (3, 13)


class _Pickler(pickle.Pickler):
    """The C pickler, with room for the two hooks on the instance: no class, no cycle per save."""


def plain_pickler(session: Session, out: Any) -> pickle.Pickler:
    """A pickler that leaves everything in the stream, and sets to pickle."""
    made: Any = _Pickler(out, 5)
    made.reducer_override = _reducer(session)
    return made  # type: ignore[no-any-return]


class Press:
    """A pickler that works for one save after the other."""

    def __init__(self) -> None:
        self._outlet = _Outlet()
        self.pickler: Any = _Pickler(self._outlet, 5, buffer_callback=self._outlet.take)
        self._is_new = True

    def begin(
        self, session: Session, writer: Writer, anchors: Sequence[Any], *, with_sets: bool
    ) -> bool:
        """Be ready for the save of *session*, the first objects of which are *anchors*.

        Returns:
            Whether it is; else another press has to do the work.
        """
        self._outlet.lead_to(session, writer)
        if self._is_new:
            self.pickler.memo = {id(thing): (at, thing) for at, thing in enumerate(anchors)}
        elif not Memo(self.pickler, writer).note(anchors):
            return False
        self.pickler.reducer_override = _reducer(session)
        if with_sets:
            self.pickler.persistent_id = _set_hook(session)
        elif not self._is_new:
            _unhook(self.pickler)
        return True

    def dump_without_sets(self, thing: Any) -> None:
        """Let *thing* go through, in which there is no set, without a look for sets."""
        hook = self.pickler.persistent_id
        _unhook(self.pickler)
        try:
            self.pickler.dump(thing)
        finally:
            self.pickler.persistent_id = hook

    @property
    def room_bytes(self) -> int:
        """What its memo takes, whether it is used or not."""
        return sys.getsizeof(self.pickler)

    def empty(self) -> None:
        """Let go of all that went through."""
        self._is_new = False
        self.pickler.reducer_override = self.pickler.persistent_id = _nothing
        self._outlet.lead_to(Session(), Writer())
        self.pickler.clear_memo()


class Spare:
    """Keeps the press of one save for the next where its memo is large: emptied, it holds nothing.

    What it keeps takes 24 to 48 bytes for each object of the state, 256 MiB at most. A press that
    is lent is nobody else's, and one that does not come back (an exception, a Ctrl-C) is gone.
    """

    def __init__(self) -> None:
        self._kept: list[Press] = []

    def lend(
        self, session: Session, writer: Writer, anchors: Sequence[Any], *, with_sets: bool
    ) -> Press:
        """A press that is ready for the save of *session*: see `Press.begin`."""
        try:
            press = self._kept.pop()  # one step: two threads never get the same
        except IndexError:
            press = Press()
        if len(anchors) > MOST_NOTED or not press.begin(
            session, writer, anchors, with_sets=with_sets
        ):
            press = Press()
            press.begin(session, writer, anchors, with_sets=with_sets)
        return press

    def take_back(self, press: Press, stream_bytes: int) -> None:
        """Empty *press*, and keep it where the next save gains by that.

        Args:
            press: As it was lent.
            stream_bytes: What it wrote. An object takes four at the very least, and its place in
                the memo 16: far more places than that are left from a state that is gone.
        """
        room = press.room_bytes
        if WORTH_KEEPING <= room <= min(MOST_KEPT, 64 * stream_bytes):
            press.empty()
            self._kept[:] = [press]


class _Outlet:
    """Leads what a pickler says to the writer of the save that it works for."""

    # No part of the press: that would be a cycle through the pickler, whose memo holds the whole
    # state until the collector comes (tests/unit/pickling/test_lifetime.py).

    def __init__(self) -> None:
        self.lead_to(Session(), Writer())

    def lead_to(self, session: Session, writer: Writer) -> None:
        """From now on it is *writer* that is written to."""
        self._session = session
        self._writer = writer

    def write(self, data: Any) -> int:
        """See `Writer.write`."""
        return self._writer.write(data)

    def take(self, buffer: pickle.PickleBuffer) -> bool:
        """What the pickler asks about a buffer: False takes it out of the stream."""
        kind, self._session.kind = self._session.kind or "raw", ""
        view = buffer.raw()
        if view.nbytes < LARGE:
            return True
        self._writer.add(view, kind)
        return False


def _nothing(_thing: Any) -> None:
    """Hooks of a pickler at rest."""


def _unhook(pickler: Any) -> None:
    if _CAN_UNHOOK:
        del pickler.persistent_id
    else:
        pickler.persistent_id = deque[Any](maxlen=0).append  # gives None, whatever it is asked


def _reducer(session: Session) -> Callable[[Any], Any]:
    table = Table(session)
    table[sets.SetRecord] = sets.reduce_record
    known = table.__getitem__

    def reducer_override(thing: Any) -> Any:
        reducer = known(type(thing))
        return NotImplemented if reducer is None else reducer(session, thing)

    return reducer_override


def _set_hook(session: Session) -> Callable[[Any], Any]:
    kinds = frozenset({set, frozenset})

    def persistent_id(thing: Any) -> Any:
        if type(thing) in kinds and id(thing) not in session.anchored:
            return sets.record(session, thing)
        return None

    return persistent_id
