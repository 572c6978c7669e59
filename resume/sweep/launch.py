"""One launch over the items that are left: each claimed, worked on, recorded.

The launch that calls `map` gives the items out, one more than there are workers, and records what
comes back. What it has recorded survives it; what its workers had in hand runs again.

A process that dies takes its whole pool with it, and all that was given out is suspect. So each of
these items is tried alone, in a pool of its own. Which one kills its worker is known then: that is
counted in the log, and after three times the item is set aside.
"""

from __future__ import annotations

import secrets
import signal
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable
from concurrent.futures import BrokenExecutor, CancelledError, Executor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, SimpleQueue
from time import monotonic
from types import FrameType
from typing import Any

from resume import notices
from resume.errors import ConfigError, Preempted, StoreError, SweepError
from resume.settings import Settings
from resume.store import Store
from resume.sweep import pools
from resume.sweep.claims import Claims
from resume.sweep.leaving import Leaving
from resume.sweep.ledger import MOST_KILLS, Ledger
from resume.sweep.pools import Pool
from resume.sweep.progress import Progress
from resume.sweep.work import Outcome, Task, can_cross, describe, raised_from
from resume.units import show_seconds

POLL_S = 1.0
"""Between two looks at what other launches have left."""
_WAIT_S = 0.2
_FRUITLESS = 8
"""So many items in a row that kill their worker, and none that does not: it is not the items."""
_MOST_LOSSES = 3
"""So often an item is given out for which the executor has an error of its own."""


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
        settings: At what signals and what deadline it is, and how the program is left.
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
        settings: Settings,
    ) -> None:
        self._ledger = ledger
        self._claims = Claims(ledger.path.with_name(f"{ledger.path.name}.claims"))
        self._function = function
        self._leave_key = f"leave {secrets.token_hex(8)}"
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
        self._losses: Counter[int] = Counter()
        self._killers: set[int] = set()
        """Items that killed their worker since one last did not."""
        self._running: dict[Any, Given] = {}
        self._done: SimpleQueue[Any] = SimpleQueue()
        self._error: BaseException | None = None
        self._progress = Progress(ledger.name, ledger.counts()["done"], shown=progress)
        self._leaving = Leaving(ledger, settings, grace_s, self._progress.end)

    def run(self, places: list[int], executor: Any, frame: FrameType | None) -> None:
        """Work on the items at *places*, one by one or in *executor*; *frame* is the user's.

        Raises:
            BaseException: Ctrl-C, or what else the program is left by; the error of an item, where
                that was asked for.
        """
        self._todo.extend(places)
        error: BaseException | None = None
        try:
            self._leaving.begin(frame)
            self._work(executor)
            error = self._error
            if error is None or isinstance(error, Preempted):
                self._leaving.leave()
            if error is not None:
                raise error
        finally:
            self._error = None
            del error  # this frame and the traceback would hold each other
            self._leaving.close()

    def _work(self, executor: Any) -> None:
        try:
            if executor is None:
                self._serially()
            else:
                self._concurrently(executor)
        finally:
            self._progress.end()
            # what still runs is ours until this process ends
            keep = [self._ledger.key(given.place) for given in self._running.values()]
            self._claims.close(keep=[*keep, self._leave_key] if keep else [])

    @property
    def _is_over(self) -> bool:
        return self._error is not None or self._leaving.is_wanted()

    # --- one by one ------------------------------------------------------------------------------

    def _serially(self) -> None:
        self._leaving.works_here = True
        task = Task(self._function, keeps_error=self._raises)
        while not self._is_over and (place := self._next(wait=True)) is not None:
            self._progress.show(self._ledger.counts, running=1)
            self._keep(place, task.of(self._ledger.key(place))(self._ledger.items[place]))

    # --- in an executor --------------------------------------------------------------------------

    def _concurrently(self, executor: Any) -> None:
        signals = tuple(n for n in self._leaving.signals if n != signal.SIGINT)
        pool = Pool(executor, signals)
        task = Task(
            self._function,
            keeps_error=self._raises,
            leave_file=str(self._claims.path_of(self._leave_key)),
            signals=signals,
        )
        is_over = False
        try:
            if pool.crosses and (why := can_cross(task)) is not None:
                raise ConfigError(
                    f"{self._function!r} cannot be sent to another process ({why}). Nothing "
                    "was run. Define it at the top level of a module, or use threads."
                )
            self._drive(pool, task)
            is_over = not self._running
        except KeyboardInterrupt:
            if not self._leaving.is_refused:  # where signals are the program's own business
                self._wind_up(pool)
            raise
        finally:
            for given in self._running.values():
                if given.lane is not None:
                    pools.end(given.lane)
            pool.close(at_once=not is_over)

    def _drive(self, pool: Pool, task: Task) -> None:
        while not self._is_over:
            self._give_out(pool, task)
            if not self._running:
                if (place := self._next(wait=True)) is None:
                    return
                self._submit(pool, task, place)
            self._take_in(pool)
            self._progress.show(self._ledger.counts, running=len(self._running))
        self._wind_up(pool)

    def _give_out(self, pool: Pool, task: Task) -> None:
        if self._suspects:
            # they wait until what was given out in company is back
            while (
                self._suspects
                and len(self._running) < pool.lanes
                and all(given.is_alone for given in self._running.values())
            ):
                self._submit(pool, task, self._suspects.popleft(), alone=True)
        elif not any(given.is_alone for given in self._running.values()):
            while len(self._running) < pool.width and (place := self._next(wait=False)) is not None:
                if not self._submit(pool, task, place):
                    return

    def _submit(self, pool: Pool, task: Task, place: int, *, alone: bool = False) -> bool:
        """Give an item out; False where the pool broke meanwhile."""
        lane = pool.lane() if alone else None
        item = self._ledger.items[place]
        try:
            future = pool.submit(task.of(self._ledger.key(place)), item, lane)
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
        except KeyboardInterrupt as why:
            self._claims.give_back(self._ledger.key(place))  # it stays pending
            if self._leaving.is_refused:
                self._error = self._error or why  # it has answered a signal in this thread
        except Preempted as why:
            self._claims.give_back(self._ledger.key(place))
            self._error = self._error or why
        except Exception as why:  # noqa: BLE001 - of the executor: pickling, workers, network
            if type(why).__name__ in pools.KILLED:
                self._killed(place)
            else:
                self._lost(place, why)
        else:
            self._keep(place, outcome)
        finally:
            del future  # an error that it holds holds this frame
        return None

    def _lost(self, place: int, why: BaseException) -> None:
        """Give an item out again of which the executor has no outcome: its network may be at fault.

        Where we cancelled it, for the launch ends, nothing is given out any more.
        """
        self._losses[place] += 1
        if self._losses[place] < _MOST_LOSSES:
            self._again.append(place)
            return
        if isinstance(why, CancelledError):
            key = self._ledger.key(place)
            notices.warn(
                f"the executor has cancelled {key!r} of the sweep {self._ledger.name!r} "
                f"{_MOST_LOSSES} times. It stays pending; the next launch works on it."
            )
            self._claims.give_back(key)
            return
        error = why if self._raises else None
        self._keep(place, Outcome(0.0, None, describe(why), error))

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

    def _wind_up(self, pool: Pool) -> None:
        """Give nothing out any more; record what ends within the grace."""
        for future in list(self._running) if pool.knows_running else ():
            future.cancel()
        rest = sum(not future.done() for future in self._running)
        if rest:
            self._progress.end()
            with suppress(OSError, StoreError):  # then who could save itself does not know of it
                self._claims.take(self._leave_key)
            if not self._leaving.is_told:
                notices.say(
                    "⚠ %s: stopping; waiting up to %s for %d running items",
                    self._ledger.name, show_seconds(self._grace_s), rest,
                )  # fmt: skip
        until = monotonic() + self._grace_s
        while self._running:
            try:
                future = self._done.get(timeout=max(0.0, until - monotonic()))
            except Empty:
                break
            self._settle(future)
        if self._running:
            notices.say(
                "⚠ %s: %d items still run; their results are lost, and a rerun works on them%s",
                self._ledger.name, len(self._running),
                "" if pool.can_stop else ". The executor's end may wait for them",
            )  # fmt: skip

    # --- both ------------------------------------------------------------------------------------

    def _keep(self, place: int, outcome: Outcome) -> None:
        self._killers.clear()
        key = self._ledger.key(place)
        self._leaving.note_item(outcome.seconds, saves_itself=outcome.saves_itself)
        if outcome.has_left:
            self._error = self._error or raised_from(outcome)
        elif outcome.packed is not None:
            if not self._ledger.keep(place, outcome.packed, outcome.seconds):
                notices.say(
                    "%s: %s was recorded by another launch meanwhile; its result stands",
                    self._ledger.name, key,
                )  # fmt: skip
            self._remove(outcome.checkpoints)
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

    def _remove(self, checkpoints: Iterable[tuple[str, str]]) -> None:
        """Nobody needs what an item has saved, once its result is in."""
        for folder, name in checkpoints:
            try:
                Store(Path(folder), name).remove()
            except (StoreError, OSError) as why:
                notices.say("⚠ %s: a finished item leaves its checkpoint behind: %s", name, why)

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
            if not self._elsewhere or self._is_over or not self._look_again(wait=wait):
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
