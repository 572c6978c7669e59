"""The executors of `concurrent.futures`, and what is like them: how wide, and how to begin anew.

A pool of processes is broken for good when one of its workers dies, and it does not say which item
the worker had. So who makes the pool matters: an executor class, or any callable that makes an
executor, can be asked for another; of a `ProcessPoolExecutor` one of the same kind is made.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from resume.errors import ConfigError
from resume.sweep.work import Outcome, Task, settle_in

if TYPE_CHECKING:
    from resume.sweep.on_dask import DaskCluster

_UNKNOWN_WIDTH = 64
KILLED = frozenset({"KilledWorker", "WorkerCrashedError", "NodeDiedError"})
"""Exceptions, by name, with which Dask and Ray tell that an item's worker died, again and again."""

_SHUTDOWNS: tuple[dict[str, bool], ...] = ({"cancel_futures": True}, {"kill_workers": True}, {})
"""How not to wait: of the standard library, of loky, of others."""


class Pool:
    """The executor of one launch, and those that come after it.

    Args:
        given: An executor, which stays its maker's; or a callable that makes one.
        signals: Those that its workers leave to this process.
    """

    def __init__(self, given: Any, signals: tuple[int, ...] = ()) -> None:
        self._signals = signals
        self._make: Callable[[], Executor] | None = None
        self._is_ours = False
        self._dask: DaskCluster | None = None
        if isinstance(given, Executor) or not callable(given):
            self.executor = _checked(given)
            if isinstance(given, ProcessPoolExecutor):
                self._make = lambda: _like(given, signals)
        else:
            self._make = lambda: _settled(_checked(given()), signals)
            self.executor = self._make()
            self._is_ours = True
        self._meet()

    def _meet(self) -> None:
        _let_end(self.executor)
        self._dask = None
        if hasattr(self.executor, "_client"):
            from resume.sweep import on_dask  # noqa: PLC0415 - it imports asyncio

            self._dask = on_dask.cluster_of(self.executor)

    @property
    def width(self) -> int:
        """Items that are given out at once: one for each worker, and one that waits."""
        if self._dask is not None:  # each worker of Dask has one that waits
            return max(1, 2 * self._dask.threads()) + 1
        return _workers(self.executor) + 1

    @property
    def crosses(self) -> bool:
        """Whether it is the standard library's pool of processes, of which we can make more."""
        return isinstance(self.executor, ProcessPoolExecutor)

    @property
    def knows_running(self) -> bool:
        """Whether its futures tell what runs; those of Dask can be cancelled in the middle."""
        return isinstance(self.executor, (ProcessPoolExecutor, ThreadPoolExecutor))

    @property
    def can_stop(self) -> bool:
        """Whether its end is ours to make, and stops what runs."""
        return self._is_ours and self.crosses

    @property
    def lanes(self) -> int:
        """Items that can be tried at once, each in a pool of its own."""
        return _workers(self.executor) if self.crosses else 1

    def renew(self) -> bool:
        """Make another executor in place of the broken one; False where nobody knows how."""
        if self._make is None:
            return False
        if self._is_ours:
            end(self.executor)
        self.executor = self._make()
        self._is_ours = True
        self._meet()
        return True

    def submit(self, task: Task, item: Any, lane: Executor | None = None) -> Future[Outcome]:
        """Give an item out, to all workers or to those of *lane*.

        Raises:
            BrokenExecutor: Nothing can be given to it any more.
            Exception: What the executor says of an item that cannot be sent.
        """
        if self._dask is not None:
            return self._dask.submit(task, item)
        return (lane or self.executor).submit(task, item)

    def lane(self) -> Executor | None:
        """A pool for one item that may kill its worker, to be ended by `end`; None: none is made.

        Then the item is to be given to the executor when nothing else is in it.
        """
        if not self.crosses:
            return None
        made = _like(self.executor, self._signals, workers=1)
        _let_end(made)
        return made

    def close(self, *, at_once: bool) -> None:
        """End what is ours; *at_once*: without waiting for what runs."""
        if not self._is_ours:
            return
        if at_once:
            end(self.executor)
        else:
            self.executor.shutdown()


def _checked(given: Any) -> Executor:
    if not callable(getattr(given, "submit", None)):
        raise ConfigError(
            f"executor={given!r} is no executor: give one with submit(), as ThreadPoolExecutor(4), "
            "ProcessPoolExecutor(4) or client.get_executor() of Dask; or a callable that makes one"
        )
    return given  # type: ignore[no-any-return]


def _workers(executor: Any) -> int:
    workers = getattr(executor, "_max_workers", None)
    if isinstance(workers, int) and workers > 0:
        return workers
    return _UNKNOWN_WIDTH


def _settled(made: Executor, signals: tuple[int, ...]) -> Executor:
    """Return *made*, or in place of a pool of processes one whose workers settle in at once.

    Left to their first item, those that none has reached would outlive a parent that is killed.
    """
    return _like(made, signals) if type(made) is ProcessPoolExecutor else made


def _like(pool: Any, signals: tuple[int, ...], workers: int | None = None) -> ProcessPoolExecutor:
    """Return a pool of the same kind: there is no public way to ask one what it was made of."""
    initializer = getattr(pool, "_initializer", None)
    initargs: tuple[Any, ...] = getattr(pool, "_initargs", ())
    if initializer is _begin:  # one that was made here
        _, _, initializer, initargs = initargs
    return ProcessPoolExecutor(
        workers or getattr(pool, "_max_workers", None) or os.cpu_count(),
        mp_context=_plain(getattr(pool, "_mp_context", None)),
        initializer=_begin,
        initargs=(os.getpid(), signals, initializer, initargs),
        **_most_tasks(pool),
    )


def _begin(
    maker: int,
    signals: tuple[int, ...],
    initializer: Callable[..., Any] | None,
    initargs: tuple[Any, ...],
) -> None:
    """First of all in a worker."""
    settle_in(maker, signals)
    if initializer is not None:
        initializer(*initargs)


class _Ending:
    """A context of `multiprocessing` of whose processes `terminate` ends each, whatever it hears.

    A broken pool sends SIGTERM to the workers that are left, and waits for their end with a lock
    held that `submit` takes. But ours leave SIGTERM to the parent: a scheduler sends it to all.

    Args:
        context: What the processes are made by.
    """

    def __init__(self, context: Any) -> None:
        self.context = context

    def __getattr__(self, name: str) -> Any:
        return getattr(self.context, name)

    def Process(self, *args: Any, **kwargs: Any) -> Any:  # noqa: N802 - the name is multiprocessing's
        """A process that is made as ever."""
        made = self.context.Process(*args, **kwargs)
        made.terminate = made.kill
        return made


def _let_end(executor: Any) -> None:
    """Let a pool of processes end its workers where it breaks."""
    context = getattr(executor, "_mp_context", None)
    if isinstance(executor, ProcessPoolExecutor) and context is not None:
        pool: Any = executor
        pool._mp_context = _Ending(_plain(context))  # noqa: SLF001 - made of it are its workers
        for worker in _workers_of(executor):
            worker.terminate = worker.kill


def _plain(context: Any) -> Any:
    return context.context if isinstance(context, _Ending) else context


def _most_tasks(pool: Any) -> dict[str, int]:
    most = getattr(pool, "_max_tasks_per_child", None)
    return {} if most is None else {"max_tasks_per_child": most}


def end(executor: Any) -> None:
    """Shut down without waiting, and stop the workers of a pool of processes."""
    running = _workers_of(executor)
    for options in _SHUTDOWNS:
        with suppress(TypeError):  # no such option
            executor.shutdown(wait=False, **options)
            break
    _kill(running)


def _workers_of(executor: Any) -> list[Any]:
    if not isinstance(executor, ProcessPoolExecutor):
        return []
    return list((getattr(executor, "_processes", None) or {}).values())


def _kill(workers: list[Any]) -> None:
    for worker in workers:
        with suppress(OSError, ValueError):  # it has ended
            worker.kill()
