"""From the program, which stages what changed, to the writer, in this thread or beside it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from queue import SimpleQueue
from typing import Protocol, TypeAlias

from resume.store.appending import digest_runs
from resume.store.changes import Plan
from resume.store.pending import Pending
from resume.store.staging import Block, Pool, StagingBrokenError
from resume.store.threads import started
from resume.types import Manifest

Ship: TypeAlias = Callable[[Block], None]
Staging: TypeAlias = Callable[[Ship], Sequence[Plan]]
"""Gives each staged block to its argument, and then the plan of all buffers."""
Act: TypeAlias = Callable[[Staging], Manifest]
"""Writes a generation from what its argument brings."""


class Handover(Protocol):
    """How the staged blocks of one save reach its writer."""

    def __call__(self, pending: Pending, act: Act, staging: Staging, pool: Pool) -> None:
        """Run *staging* now, and *act* with what it stages; *pending* tells the outcome."""


def write_here(pending: Pending, act: Act, staging: Staging, pool: Pool) -> None:
    """Write in this thread: each block as soon as it is full."""

    def feed(take: Ship) -> Sequence[Plan]:
        def ship(block: Block) -> None:
            take(block)
            pool.give(block)

        return staging(ship)

    pending.run(lambda: act(feed))


def write_beside(pending: Pending, act: Act, staging: Staging, pool: Pool) -> None:
    """Write in a thread of its own: this one goes on as soon as all is staged.

    Raises:
        BaseException: What interrupted the staging. Then nothing is left of the save.
    """
    beside = _Beside(pending, act, pool)
    try:
        beside.finish(staging(beside.ship))
    except StagingBrokenError:  # the writer failed: `pending` tells why
        return
    except BaseException:
        beside.finish(None)
        raise


class _Beside:
    """One save whose writer is another thread.

    The thread starts when the staging is done, or the pool used up: until then it would only
    compete with the program for processor, memory and interpreter, and prolong the pause. At the
    end of the interpreter, where no thread can start any more (3.12: from the functions of `atexit`
    on; 3.11 and 3.13 let them start threads), the writing is done here.
    """

    def __init__(self, pending: Pending, act: Act, pool: Pool) -> None:
        self._pending = pending
        self._act: Act | None = act
        self._pool = pool
        self._blocks: SimpleQueue[Block | Sequence[Plan] | None] = SimpleQueue()
        self._is_started = False
        self._claim = threading.Lock()

    def ship(self, block: Block) -> None:
        """Let the writer have *block*."""
        is_used_up = self._pool.is_used_up
        if is_used_up and self._is_started:
            digest_runs(block.runs)  # else the program would only wait, and the writer digest it
        self._blocks.put(block)
        if is_used_up:
            self._pool.is_waited_for = True
            self._start()
            # where no thread can start, all blocks wait for the end of the staging
            self._pool.is_bounded = self._is_started

    def finish(self, plans: Sequence[Plan] | None) -> None:
        """All blocks are shipped, and this is the plan; None gives the save up."""
        self._pool.is_waited_for = False
        self._blocks.put(plans)
        self._start()
        if not self._is_started:
            self._write(beside=False)

    def _start(self) -> None:
        if self._is_started:
            return
        self._pending.announce()
        thread = threading.Thread(
            target=self._write, name="resume-writer", kwargs={"beside": True}, daemon=False
        )
        self._is_started = started(thread)

    def _write(self, *, beside: bool) -> None:
        # A Ctrl-C in `Thread.start` leaves open whether the thread runs, so another may be started.
        if not self._claim.acquire(blocking=False):
            return
        if beside:  # who started this thread still waits to hear of it, without the interpreter
            time.sleep(0)
        act, self._act = self._act, None
        assert act is not None
        self._pending.run(lambda: act(self._feed), beside=beside)
        if self._pending.error is not None:
            self._pool.break_off()

    def _feed(self, take: Ship) -> Sequence[Plan]:
        while isinstance(block := self._blocks.get(), Block):
            take(block)
            self._pool.give(block)
        if block is None:
            raise StagingBrokenError
        return block
