"""Dask's executor (`client.get_executor()`): what it needs that others do not. No Dask is imported.

- A call is named after what it is of, and Dask answers a second one of that name with the future of
  the first: an item whose worker died would be lost again at once, as often as it is tried. So no
  call is `pure`. And old releases run a tuple of a function and its arguments that they find among
  the arguments: so the item is bound to the call before.
- Its own futures never end where the connection breaks as a result is fetched, and tell nonsense
  where a worker dies just then. So the results are fetched here.
- The workers come and go, and the client may have lost its scheduler just now: it tries to find it
  again for half a minute, and is closed for good then.
- A cluster of Dask may lose its workers for ever: a `LocalCluster` gives up one whose process was
  away for 15 s (`distributed.deploy.lost-worker-timeout`), as when those that follow it are killed
  as they start. Dask waits then. Whether others come, as from a queue, nobody can tell: it is said.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import BrokenExecutor, Future
from functools import partial
from time import monotonic
from typing import Any

from resume import notices
from resume.sweep.work import Outcome, Task
from resume.units import show_seconds

LOOK_S = 1.0
"""Between two questions for the workers: each waits for the scheduler's answer."""
PATIENCE_S = 5.0
"""For that answer: where the connection breaks meanwhile, Dask would wait for ever."""
LONELY_S = 60.0
"""A cluster that is without workers for so long is spoken of."""


class DaskCluster:
    """The cluster behind an executor of Dask."""

    def __init__(self, executor: Any, client: Any) -> None:
        self._client = client
        self._options = getattr(executor, "_kwargs", {})
        """What get_executor() was given."""
        self._threads = 0
        self._looked_at = self._seen_at = monotonic() - LOOK_S
        self._is_told = False

    def threads(self) -> int:
        """Items that it can work on at once, as was last heard; 0: there is no worker."""
        if monotonic() - self._looked_at >= LOOK_S:
            self._look()
        return self._threads

    def _look(self) -> None:
        if not self._is_closed():
            try:
                told = self._client.nthreads(callback_timeout=PATIENCE_S)
                self._threads = int(sum(told.values()))
            except (OSError, AttributeError):  # the scheduler is lost; closed meanwhile
                self._threads = 0
        self._looked_at = monotonic()
        if self._threads:
            self._seen_at, self._is_told = self._looked_at, False
        elif self._looked_at - self._seen_at > LONELY_S and not self._is_told:
            self._is_told = True
            notices.warn(
                "the Dask cluster has no worker, or its scheduler does not answer, since "
                f"{show_seconds(self._looked_at - self._seen_at)}. The sweep waits. Where none "
                "comes by itself: cluster.scale(n); or start the program again, it goes on. A "
                "LocalCluster gives a worker up that is away for longer than Dask's setting "
                "distributed.deploy.lost-worker-timeout (15 s)."
            )

    def _is_closed(self) -> bool:
        """Whether the client has given up its scheduler, or was closed."""
        return getattr(self._client, "status", "") in ("closing", "closed")

    def submit(self, task: Task, item: Any) -> Future[Outcome]:
        """The future of *task* with *item*, somewhere in the cluster.

        Raises:
            BrokenExecutor: The client has lost its scheduler for good.
        """
        try:
            given = self._client.submit(partial(task, item), **{**self._options, "pure": False})
        except Exception as why:
            if self._is_closed():
                raise BrokenExecutor(f"its client of Dask is closed: {why}") from why
            raise
        coming = _brought(self._client, given)
        return asyncio.run_coroutine_threadsafe(coming, self._client.loop.asyncio_loop)


async def _brought(client: Any, given: Any) -> Outcome:
    try:
        outcome: Outcome = await client.gather(given, asynchronous=True)
    except asyncio.CancelledError:
        await given.cancel(asynchronous=True)
        raise
    return outcome


def cluster_of(executor: Any) -> DaskCluster | None:
    """The cluster behind *executor*, or None where it is none of Dask's."""
    client: Any = getattr(executor, "_client", None)
    return DaskCluster(executor, client) if callable(getattr(client, "nthreads", None)) else None
