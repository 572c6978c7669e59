"""The buffers of a generation that was read, handed out one by one to the objects made over them.

After the first hand-out the memory is the object's: nothing here keeps it alive. A state is applied
a second time at its door, and would be in memory twice if all of it were read again. So what was
handed out is looked at first: where it is alive, and its digests are those of the generation, it is
handed out once more.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

from resume.store.changes import part_digests
from resume.store.extents import PIECE_BYTES, UNKNOWN, Piece, Stored, cut, digest
from resume.store.filling import Plan, Scratch, carry_out, in_parallel
from resume.store.sources import Bodies, empty

COPIED_KINDS = ("bytes", "bytearray")
"""What is unpickled by a copy of the buffer, and not over it."""
_AHEAD_BYTES = 32 << 20
"""So much is looked at, or read, at once: enough for several threads."""


class SavedBuffers:
    """Buffers that are verified before they are handed out; see `resume.types.Buffers`."""

    def __init__(
        self,
        stored: Sequence[Stored],
        held: Sequence[memoryview | None],
        open_bodies: Callable[[], Bodies],
    ) -> None:
        """Lend *held*; what is None there is read from *open_bodies* when it is asked for.

        Args:
            stored: The stream and the buffers as they lie on disk.
            held: The memory of the buffers, verified, as far as it was read already.
            open_bodies: Opens the bodies of the generation.
        """
        self.stream = stored[0]
        self._stored = stored[1:]
        self._held = list(held)
        self._lent: list[weakref.ref[Any] | None] = [None] * len(self._stored)
        self._apart: frozenset[int] = frozenset()
        self._open = open_bodies
        self._bodies: Bodies | None = None

    def __len__(self) -> int:
        return len(self._stored)

    def __iter__(self) -> Iterator[memoryview]:
        return (self[index] for index in range(len(self)))

    def __getitem__(self, index: int) -> memoryview:
        index = range(len(self))[index]
        if self._held[index] is None:
            self._bring(index)
        memory = self._held[index]
        assert memory is not None
        self._held[index] = None
        self._lent[index] = weakref.ref(memory.obj)
        return memory

    def size_of(self, index: int) -> int:
        """See `Buffers.size_of`."""
        return self._stored[index].size_bytes

    def is_held(self, index: int) -> bool:
        """See `Buffers.is_held`."""
        return self._held[index] is not None

    def read_into(self, index: int, target: memoryview) -> None:
        """See `Buffers.read_into`."""
        held, self._held[index] = self._held[index], None
        if held is not None:
            target[:] = held
            return
        plan = Plan()
        plan.add_buffer(self._stored[index], target)
        carry_out(plan, self._opened())

    def set_apart(self, indexes: Collection[int]) -> None:
        """See `Buffers.set_apart`."""
        self._apart = frozenset(indexes)

    def fill(self, places: Mapping[int, memoryview]) -> None:
        """See `Buffers.fill`."""
        check, fill = Plan(in_place=False), Plan(in_place=False)
        for piece, view in _changed((self._stored[index], places[index]) for index in places):
            check.add_piece(piece, None)
            fill.add_piece(piece, view)
        if check:  # all of it, before any of it is in its place
            carry_out(check, self._opened())
            carry_out(fill, self._opened())

    def use(self, bodies: Bodies) -> None:
        """Read from *bodies* from now on."""
        self._bodies = bodies

    def _opened(self) -> Bodies:
        if self._bodies is None:
            self._bodies = self._open()
        return self._bodies

    def _bring(self, index: int) -> None:
        """Hold *index*, and some that come next: what was handed out, as it is, or read anew."""
        rows = list(self._rows_ahead(index))
        alive = {row: memory for row in rows if (memory := self._alive(row)) is not None}
        changed = {id(piece) for piece, _ in _changed((self._stored[r], alive[r]) for r in alive)}
        plan = Plan()
        for row in rows:
            stored = self._stored[row]
            memory = alive.get(row)
            if memory is None or any(id(piece) in changed for piece in stored.pieces):
                memory = empty(stored.size_bytes)
                plan.add_buffer(stored, memory)
            self._held[row] = memory
        try:
            carry_out(plan, self._opened())
        except BaseException:
            for row in rows:
                self._held[row] = None
            raise

    def _rows_ahead(self, index: int) -> Iterator[int]:
        yield index
        size = self._stored[index].size_bytes
        limit = None if self._opened().foreign else _AHEAD_BYTES  # those are read as a whole
        for row in range(index + 1, len(self)):
            stored = self._stored[row]
            size += stored.size_bytes
            if limit is not None and size > limit:
                return
            is_asked_for = stored.kind not in COPIED_KINDS and row not in self._apart
            if is_asked_for and self._held[row] is None:
                yield row

    def _alive(self, index: int) -> memoryview | None:
        lent = self._lent[index]
        owner = None if lent is None else lent()
        return None if owner is None else owner.data


def _changed(places: Iterable[tuple[Stored, memoryview]]) -> list[tuple[Piece, memoryview]]:
    """The pieces whose place does not hold their bytes."""
    found: list[tuple[Piece, memoryview]] = []
    work: list[list[tuple[Piece, memoryview]]] = []
    size = total = 0
    for stored, memory in places:
        for piece, view in zip(stored.pieces, cut(memory), strict=True):
            if not work or size + len(view) > PIECE_BYTES:
                work.append([])
                size = 0
            work[-1].append((piece, view))
            size += len(view)
            total += len(view)

    def look(item: list[tuple[Piece, memoryview]], _: Scratch) -> None:
        found.extend([one for one in item if not _is_same(*one)])

    in_parallel(look, work, total)
    return found


def _is_same(piece: Piece, view: memoryview) -> bool:
    if piece.digest != UNKNOWN:
        return digest(view) == piece.digest
    return bool(piece.parts) and part_digests(view) == piece.parts
