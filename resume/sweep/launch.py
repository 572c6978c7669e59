"""One launch over the items that are left: each claimed, worked on, recorded.

The launch that calls `map` gives the items out, one more than there are workers, and records what
comes back. What it has recorded survives it; what its workers had in hand runs again.

A process that dies takes its whole pool with it, and all that was given out is suspect. So each of
these items is tried alone, in a pool of its own. Which one kills its worker is known then: that is
counted in the log, and after three times the item is set aside.
"""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Callable
from concurrent.futures import BrokenExecutor, CancelledError, Executor
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from time import monotonic
from typing import Any

from resume import notices
from resume.errors import ConfigError, Preempted, SweepError
from resume.sweep import pools
from resume.sweep.claims import Claims
from resume.sweep.ledger import MOST_KILLS, Ledger
from resume.sweep.pools import Pool
from resume.sweep.progress import Progress
from resume.sweep.work import Outcome, Task, can_cross, describe, raised_from

POLL_S = 1.0
"""Between two looks at what other launches have left."""
_WAIT_S = 0.2
_FRUITLESS = 8
"""So many items in a row that kill their worker, and none that does not: it is not the items."""


@dataclass(frozen=True, slots=True)
class Given:
    """An item that a worker has."""

    place: int
    is_alone: bool = False
    """No other was given out beside it in its pool."""
    lane: Executor | None = None
    """The pool that it has for itself."""


class Launch:
    """One call of `map`.

    Args:
        ledger: The items, and what is recorded of them.
        function: What is done with each.
        retries: How often an item that failed is tried again in this launch.
        raises: The first failure ends the launch.
        progress: Show how far it is.
        grace_s: How long running items are waited for when the launch is to end.
    """

    def __init__(
        self,
        ledger: Ledger,
        function: Callable[[Any], Any],
        *,
        retries: int,
        raises: bool,
        progress: bool,
        grace_s: float,
    ) -> None:
        self._ledger = ledger
        self._claims = Claims(ledger.path.with_name(f"{ledger.path.name}.claims"))
        self._task = Task(function, keeps_error=raises)
        self._retries = retries
        self._raises = raises
        self._grace_s = grace_s
        self._todo: deque[int] = deque()
        self._again: deque[int] = deque()
        """Items that failed and are tried once more; ours already, as are the suspects."""
        self._suspects: deque[int] = deque()
        self._elsewhere: deque[int] = deque()
        """Items that other launches have claimed."""
        self._looked_at = monotonic()
        self._failures: Counter[int] = Counter()
        self._killers: set[int] = set()
        """Items that killed their worker since one last did not."""
        self._running: dict[Any, Given] = {}
        self._done: SimpleQueue[Any] = SimpleQueue()
        self._error: BaseException | None = None
        self._progress = Progress(ledger.name, ledger.counts()["done"], shown=progress)

    def run(self, places: list[int], executor: Any) -> None:
        """Work on the items at *places*, one by one or in *executor*.

        Raises:
            BaseException: Ctrl-C; the error of an item, where that was asked for.
        """
        self._todo.extend(places)
        try:
            if executor is None:
                self._serially()
            else:
                self._concurrently(executor)
        finally:
            self._progress.end()
            # what still runs is ours until this process ends
            self._claims.close(keep=[self._ledger.key(g.place) for g in self._running.values()])
        if self._error is not None:
            error, self._error = self._error, None
            try:
                raise error
            finally:
                del error  # this frame and the traceback would hold each other

    # --- one by one ------------------------------------------------------------------------------

    def _serially(self) -> None:
        while self._error is None and (place := self._next(wait=True)) is not None:
            self._progress.show(self._ledger.counts, running=1)
            self._keep(place, self._task(self._ledger.items[place]))

    # --- in an executor --------------------------------------------------------------------------

    def _concurrently(self, executor: Any) -> None:
        pool = Pool(executor)
        is_over = False
        try:
            if pool.crosses and (why := can_cross(self._task)) is not None:
                raise ConfigError(
                    f"{self._task.function!r} cannot be sent to another process ({why}). Nothing "
                    "was run. Define it at the top level of a module, or use threads."
                )
            self._drive(pool)
            is_over = not self._running
        except KeyboardInterrupt:
            self._wind_up()
            raise
        finally:
            for given in self._running.values():
                if given.lane is not None:
                    pools.end(given.lane)
            pool.close(at_once=not is_over)

    def _drive(self, pool: Pool) -> None:
        while self._error is None:
            self._give_out(pool)
            if not self._running:
                if (place := self._next(wait=True)) is None:
                    return
                self._submit(pool, place)
            self._take_in(pool)
            self._progress.show(self._ledger.counts, running=len(self._running))
        self._wind_up()

    def _give_out(self, pool: Pool) -> None:
        if self._suspects:
            # they wait until what was given out in company is back
            while (
                self._suspects
                and len(self._running) < pool.lanes
                and all(given.is_alone for given in self._running.values())
            ):
                self._submit(pool, self._suspects.popleft(), alone=True)
        elif not any(given.is_alone for given in self._running.values()):
            while len(self._running) < pool.width and (place := self._next(wait=False)) is not None:
                if not self._submit(pool, place):
                    return

    def _submit(self, pool: Pool, place: int, *, alone: bool = False) -> bool:
        """Give an item out; False where the pool broke meanwhile."""
        lane = pool.lane() if alone else None
        item = self._ledger.items[place]
        try:
            future = (lane or pool.executor).submit(self._task, item)
        except BrokenExecutor as why:
            self._suspects.append(place)
            if not self._running:
                self._renew(pool, why)
            return False
        self._running[future] = Given(place, alone, lane)
        future.add_done_callback(self._done.put)
        return True

    def _take_in(self, pool: Pool) -> None:
        """Wait a moment for one that is done, and settle all that are by then."""
        wait_s = _WAIT_S
        while self._running:
            try:
                future = self._done.get(timeout=wait_s)
            except Empty:
                return
            broken = self._settle(future)
            if broken is not None and not self._running:
                self._renew(pool, broken)
            wait_s = 0.0

    def _settle(self, future: Any) -> BaseException | None:
        """Record what came of an item; returns the error where the pool of others is broken."""
        given = self._running.pop(future)
        try:
            return self._settled(given, future)
        finally:
            if given.lane is not None:
                pools.end(given.lane)

    def _settled(self, given: Given, future: Any) -> BaseException | None:
        place = given.place
        try:
            outcome: Outcome = future.result()
        except BrokenExecutor as why:
            if given.is_alone:
                self._killed(place)
            else:
                self._suspects.append(place)
            return why if given.lane is None else None
        except (CancelledError, KeyboardInterrupt):
            self._claims.give_back(self._ledger.key(place))  # it stays pending
        except Preempted as why:
            self._claims.give_back(self._ledger.key(place))
            self._error = why
        except Exception as why:  # noqa: BLE001 - of the executor: pickling, workers, network
            if type(why).__name__ in pools.KILLED:
                self._killed(place)
            else:
                error = why if self._raises else None
                self._keep(place, Outcome(0.0, None, describe(why), error))
        else:
            self._keep(place, outcome)
        return None

    def _renew(self, pool: Pool, why: BaseException) -> None:
        if not pool.renew():
            keys = ", ".join(repr(self._ledger.key(place)) for place in list(self._suspects)[:5])
            raise SweepError(
                f"the executor is broken ({why}), and nothing is known of how to make another. "
                f"What is done is recorded; it was working on {keys}. Start the program again; or "
                "give map() a callable that makes the executor, and it goes on by itself."
            ) from why

    def _killed(self, place: int) -> None:
        kills = self._ledger.keep_kill(place)
        key = self._ledger.key(place)
        self._killers.add(place)
        if len(self._killers) >= _FRUITLESS:
            self._error = SweepError(
                f"every worker of the sweep {self._ledger.name!r} dies, whatever item it has; the "
                f"last was {key!r}. Is it the memory, an import, the executor's initializer? What "
                "is done is recorded, and the items stay pending."
            )
        elif kills < MOST_KILLS:
            notices.say(
                "⚠ %s: %s killed its worker (%d of %d times); it is tried again",
                self._ledger.name, key, kills, MOST_KILLS,
            )  # fmt: skip
            self._suspects.append(place)
            if (other := self._next(wait=False)) is not None:
                self._suspects.appendleft(other)  # can a worker live at all?
            return
        else:
            notices.warn(
                f"the sweep {self._ledger.name!r} sets {key!r} aside: it killed its worker "
                f"{kills} times. All others go on. sweep.retry() makes it pending again."
            )
        self._claims.give_back(key)

    def _wind_up(self) -> None:
        """Give nothing out any more; record what ends within the grace."""
        for future in list(self._running):
            future.cancel()
        rest = sum(not future.done() for future in self._running)
        if rest:
            self._progress.end()
            notices.say(
                "⚠ %s: stopping; waiting up to %.0f s for %d running items. Ctrl-C again to leave",
                self._ledger.name, self._grace_s, rest,
            )  # fmt: skip
        until = monotonic() + self._grace_s
        while self._running:
            try:
                future = self._done.get(timeout=max(0.0, until - monotonic()))
            except Empty:
                return
            self._settle(future)

    # --- both ------------------------------------------------------------------------------------

    def _keep(self, place: int, outcome: Outcome) -> None:
        self._killers.clear()
        key = self._ledger.key(place)
        if outcome.packed is not None:
            if not self._ledger.keep(place, outcome.packed, outcome.seconds):
                notices.say(
                    "%s: %s was recorded by another launch meanwhile; its result stands",
                    self._ledger.name, key,
                )  # fmt: skip
        elif self._failures[place] < self._retries and self._error is None:
            self._failures[place] += 1
            self._again.append(place)
            return
        else:
            why = outcome.why or {}
            self._ledger.keep_failure(place, why, outcome.seconds)
            if self._raises and self._error is None:
                self._error = raised_from(outcome) or SweepError(
                    f"{key} failed in its worker: {why['type']}: {why['text']}\n{why['traceback']}"
                )
        self._claims.give_back(key)

    def _next(self, *, wait: bool) -> int | None:
        """An item that is ours to work on; None where there is none, or none now.

        Args:
            wait: Where other launches have all that is left, wait for what becomes of it.
        """
        while True:
            while self._todo:
                place = self._todo.popleft()
                if self._is_ours(place):
                    return place
            if self._again:
                return self._again.popleft()
            if not self._elsewhere or not self._look_again(wait=wait):
                return None

    def _is_ours(self, place: int) -> bool:
        if not self._ledger.is_open(place):
            return False
        key = self._ledger.key(place)
        if not self._claims.take(key):
            self._elsewhere.append(place)
            return False
        self._ledger.refresh()  # who had it before us may have recorded it
        if self._ledger.is_open(place):
            return True
        self._claims.give_back(key)
        return False

    def _look_again(self, *, wait: bool) -> bool:
        """Whether it was time to look at what other launches have in hand, or left behind."""
        left_s = self._looked_at + POLL_S - monotonic()
        if left_s > 0:
            if not wait:
                return False
            time.sleep(left_s)
        self._looked_at = monotonic()
        self._ledger.refresh()
        self._progress.show(self._ledger.counts, running=len(self._running))
        self._todo.extend(self._elsewhere)
        self._elsewhere.clear()
        return True
