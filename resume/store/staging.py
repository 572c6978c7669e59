"""Memory for copies that wait for the disk: bounded, and used again.

A copy into fresh pages runs at a tenth of the speed of one into warm pages, on virtual machines at
less. So blocks are kept from save to save, and the one that came back last is lent first: a small
state stays in one warm block.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from queue import SimpleQueue

import numpy as np

from resume.store.extents import PIECE_BYTES, Slice

MEMORY_BYTES = 256 << 20
_LARGE_BLOCK_BYTES = 16 << 20
"""One block is one turn of the writer: few turns, for each may wait for a busy main loop."""
_FEWEST_BLOCKS = 4


class StagingBrokenError(Exception):
    """The writer gave up: what is staged from here on would lead nowhere."""


@dataclass(slots=True, eq=False)
class Run:
    """Consecutive bytes of one piece, copied; the writer fills in where they went."""

    start: int
    """First byte in the piece."""
    data: memoryview
    place: int
    """First byte in the block."""
    owner: int
    """Index of the buffer that it is part of."""
    slices: tuple[Slice, ...] = ()
    digest: bytes = b""
    parts: bytes = b""


@dataclass(slots=True, eq=False)
class Block:
    """Staging memory, filled from its start, and what lies in it."""

    memory: memoryview
    used: int = 0
    runs: list[Run] = field(default_factory=list)

    def has_room(self, size: int) -> bool:
        """Whether so many bytes still fit."""
        return self.used + size <= len(self.memory)

    def add(self, size: int, start: int, owner: int) -> Run:
        """Make a place for *size* bytes, to be copied there; there must be room."""
        place = self.memory[self.used : self.used + size]
        run = Run(start, place, self.used, owner)
        self.used += size
        self.runs.append(run)
        return run


class Pool:
    """Lends blocks up to a bound; who asks for one more waits until the writer is done with one.

    One thread takes and one gives. There is no lock, for a Ctrl-C may come at any line and would
    leave it taken: appending to a list, taking from it, and a `SimpleQueue` are one step each.
    """

    def __init__(self, most_bytes: int) -> None:
        block = min(_LARGE_BLOCK_BYTES, most_bytes // _FEWEST_BLOCKS)
        self._block_bytes = max(PIECE_BYTES, block - block % PIECE_BYTES)
        self._most = max(1, most_bytes // self._block_bytes)
        self._made = 0
        self._free: list[memoryview] = []
        self._news: SimpleQueue[None] = SimpleQueue()
        """Something has changed for who waits."""
        self._is_broken = False
        self.is_waited_for = False
        """Whether the program stands still for the writer: from where the blocks do not suffice,
        until all is staged."""
        self.is_bounded = True
        """Off only where nobody could give a block back before the last is taken."""

    def take(self) -> Block:
        """An empty block; waits for one where the bound is reached.

        Raises:
            StagingBrokenError: The writer has given up.
        """
        while not self._is_broken:
            if self._free:
                return Block(self._free.pop())
            if self._made < self._most or not self.is_bounded:
                self._made += 1
                return Block(np.empty(self._block_bytes, np.uint8).data)
            self.is_waited_for = True
            self._news.get()
        raise StagingBrokenError

    @property
    def is_used_up(self) -> bool:
        """Whether all that may be lent is lent."""
        return not self._free and self._made >= self._most

    def give(self, block: Block) -> None:
        """Take back a block: nothing in it is needed any more."""
        self._free.append(block.memory)
        self._news.put(None)

    def break_off(self) -> None:
        """Wake whoever waits, and lend nothing until `mend`."""
        self._is_broken = True
        self._news.put(None)

    def mend(self) -> None:
        """Lend again: all blocks count as free or gone."""
        self._is_broken = False
        self.is_waited_for = False
        self.is_bounded = True
        self._news = SimpleQueue()
        del self._free[self._most :]
        self._made = len(self._free)
