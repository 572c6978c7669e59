"""Work that the program stands still for, by two processors; above all copies of live memory.

One processor reads and copies at half the speed that the memory has. More than two gain little, and
take from others what they need. A thread waits up to 5 ms for the interpreter, so what is done by
two is made of few, large calls that do without it.
"""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from queue import SimpleQueue
from typing import TypeAlias

import numpy as np

from resume.store.extents import PART_BYTES, PIECE_BYTES
from resume.store.staging import Block, Pool, Run
from resume.store.threads import started

WORTH_SHARING = 4 << 20
"""Fewer bytes are done with before the other thread is awake."""
_WORTH_WAITING = 2
"""While so many times as much is looked at as is copied, one processor copies as fast."""
_LARGE_BYTES = 1 << 20
"""From this size on, a call for each copy costs nothing."""

_Task: TypeAlias = Callable[[], None]
_Order: TypeAlias = "_Task | weakref.ref[SecondThread] | None"
"""All but a task ends the thread."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """Consecutive bytes of a live buffer."""

    source: memoryview
    """All of the buffer."""
    start: int
    end: int

    @property
    def size_bytes(self) -> int:
        """How much it is."""
        return self.end - self.start

    def split(self, size: int) -> tuple[Stretch, Stretch]:
        """The first *size* bytes, and the others."""
        middle = self.start + size
        return Stretch(self.source, self.start, middle), Stretch(self.source, middle, self.end)

    def copy(self, target: memoryview) -> None:
        """Fill *target*."""
        # numpy's copy lets go of the interpreter, that of a memoryview does not
        source = np.frombuffer(self.source[self.start : self.end], np.uint8)
        np.copyto(np.frombuffer(target, np.uint8), source)


@dataclass(frozen=True, slots=True)
class Parts:
    """Parts of 64 KiB of a live buffer, that are copied by one call: each waits for its turn."""

    source: memoryview
    """All of the buffer."""
    rows: list[int]

    @property
    def size_bytes(self) -> int:
        """How much they are."""
        return len(self.rows) * PART_BYTES

    def split(self, size: int) -> tuple[Parts, Parts]:
        """About the first *size* bytes, and the others."""
        middle = size // PART_BYTES
        return Parts(self.source, self.rows[:middle]), Parts(self.source, self.rows[middle:])

    def copy(self, target: memoryview) -> None:
        """Fill *target*."""
        whole = len(self.source) - len(self.source) % PART_BYTES
        table = np.frombuffer(self.source[:whole], np.uint8).reshape(-1, PART_BYTES)
        out = np.frombuffer(target, np.uint8).reshape(-1, PART_BYTES)
        # "clip", for numpy fills a copy of its own first where it may refuse a row
        np.take(table, self.rows, axis=0, out=out, mode="clip")


Copy: TypeAlias = Stretch | Parts


class SecondThread:
    """Does one task at a time beside this thread; `close` it, so that it ends."""

    def __init__(self) -> None:
        self._tasks: SimpleQueue[_Order] = SimpleQueue()
        self._done: SimpleQueue[BaseException | None] = SimpleQueue()
        """What the thread met at a task, None where all went well."""
        self._is_busy = False
        self._thread: threading.Thread | None = None
        self._is_alone = False

    def begin(self, task: _Task) -> bool:
        """Let *task* be done as soon as the one before is; False where nobody would do it.

        Raises:
            BaseException: What the thread met at the task before.
        """
        self.wait()
        if not self._is_there():
            return False
        self._tasks.put(task)
        self._is_busy = True
        return True

    def wait(self) -> None:
        """Wait for what was begun.

        Raises:
            BaseException: What the thread met at it.
        """
        if self._is_busy:
            why = self._done.get()
            self._is_busy = False
            try:
                if why is not None:
                    raise why
            finally:
                del why  # it holds this frame: a cycle would keep the caller's alive

    def close(self) -> None:
        """Let the thread end, when it is done with its task."""
        thread, self._thread = self._thread, None
        if thread is not None:
            self._tasks.put(None)
            with suppress(RuntimeError):  # a Ctrl-C in `start` leaves open whether it runs
                thread.join()

    def _is_there(self) -> bool:
        if self._thread is None and not self._is_alone and _processors() > 1:
            self._thread = threading.Thread(
                target=_serve,
                # Where a Ctrl-C comes ahead of `close`, or in it, the last ends the thread. Python
                # code must not be called there: a Ctrl-C in it would be printed, and lost.
                args=(self._tasks, self._done, weakref.ref(self, self._tasks.put)),
                name="resume-copy",
                daemon=True,
            )
            if not started(self._thread):
                self._thread = None
                self._is_alone = True
        return self._thread is not None


def _serve(
    tasks: SimpleQueue[_Order],
    done: SimpleQueue[BaseException | None],
    _end: weakref.ref[SecondThread],
) -> None:
    while not (isinstance(task := tasks.get(), weakref.ref) or task is None):
        try:
            task()
        except BaseException as why:  # noqa: BLE001 - handed over to who waits
            done.put(why)
        else:
            done.put(None)


class Filling:
    """The block that is being filled. Its copies are made when it is full, all at once."""

    def __init__(self, pool: Pool, ship: Callable[[Block], None], second: SecondThread) -> None:
        """Fill blocks of *pool*, and hand each to *ship* when its copies are made."""
        self._pool = pool
        self._ship = ship
        self._second = second
        self._block: Block | None = None
        self._copies: list[Copy] = []
        self._beside: Block | None = None
        """Is being copied by the other thread."""
        self.looked_bytes = 0
        """How much was looked at for this block, without the other thread."""

    def add(self, source: memoryview, start: int, end: int, owner: int) -> Run:
        """Make a place for the bytes of *source*, all of buffer *owner*, from *start* to *end*."""
        size = end - start
        if self._block is not None and not self._block.has_room(size):
            self._pass_on()
        if self._block is None:
            self._block = self._take()
        if size < _LARGE_BYTES and start % PART_BYTES == end % PART_BYTES == 0:
            self._add_parts(source, range(start // PART_BYTES, end // PART_BYTES))
        else:
            self._copies.append(Stretch(source, start, end))
        return self._block.add(size, start % PIECE_BYTES, owner)

    def _add_parts(self, source: memoryview, rows: range) -> None:
        last = self._copies[-1] if self._copies else None
        if isinstance(last, Parts) and last.source is source:
            last.rows.extend(rows)
        else:
            self._copies.append(Parts(source, list(rows)))

    def finish(self) -> None:
        """Copy and ship what is there."""
        if self._block is not None:
            self.looked_bytes = 0
            self._pass_on()

    def _take(self) -> Block:
        if self._pool.is_used_up:
            self._ship_beside()
        return self._pool.take()

    def _pass_on(self) -> None:
        self._ship_beside()
        block, self._block = self._block, None
        assert block is not None
        copies, self._copies = self._copies, []
        target = block.memory[: block.used]
        is_little = self.looked_bytes < _WORTH_WAITING * block.used
        self.looked_bytes = 0
        if not is_little and self._second.begin(partial(fill, target, copies)):
            self._beside = block
            return
        fill_by_two(target, copies, self._second)
        self._ship(block)

    def _ship_beside(self) -> None:
        block, self._beside = self._beside, None
        if block is not None:
            self._second.wait()
            self._ship(block)


def fill_by_two(target: memoryview, copies: Sequence[Copy], second: SecondThread) -> None:
    """Fill *target* with *copies*, one behind the other; *second* does half where it pays.

    Raises:
        BaseException: What either met at it.
    """
    if len(target) >= WORTH_SHARING:
        mine, others = _halves(copies, len(target) // 2)
        middle = sum(one.size_bytes for one in mine)
        if others and second.begin(partial(fill, target[middle:], others)):
            fill(target[:middle], mine)
            second.wait()
            return
    fill(target, copies)


def _halves(copies: Sequence[Copy], middle: int) -> tuple[list[Copy], list[Copy]]:
    """*copies* in two, the first of about *middle* bytes."""
    place = 0
    for row, one in enumerate(copies):
        if place + one.size_bytes > middle:
            first, last = one.split(middle - place)
            return [*copies[:row], first], [last, *copies[row + 1 :]]
        place += one.size_bytes
    return list(copies), []


def fill(target: memoryview, copies: Iterable[Copy]) -> None:
    """Fill *target* with *copies*, one behind the other."""
    place = 0
    for one in copies:
        end = place + one.size_bytes
        if place < end:
            one.copy(target[place:end])
        place = end


def _processors() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1  # pragma: no cover - macOS, Windows
