"""The executor of Dask, with a client of our own in its place, and once the real one."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import BrokenExecutor, ThreadPoolExecutor
from types import SimpleNamespace

import pytest

from resume.errors import ResumeWarning, SweepError
from resume.sweep import ResumableSweep, on_dask
from resume.sweep.pools import Pool


class Client:
    """As much of a client as the sweep uses; a call that returns an exception raises it."""

    def __init__(self, workers=2, told=lambda: None):
        self.status = "running"
        self.loop = SimpleNamespace(asyncio_loop=asyncio.new_event_loop())
        self.options = []
        self.cancelled = 0
        self.workers = {f"tcp://{n}": 1 for n in range(workers)}
        self.told = told
        self._thread = threading.Thread(target=self.loop.asyncio_loop.run_forever)
        self._thread.start()
        self._pool = ThreadPoolExecutor(2)

    def nthreads(self, callback_timeout):
        assert callback_timeout < 60
        if why := self.told():
            raise why
        return self.workers

    def submit(self, function, /, **options):
        if self.status == "closed":
            raise RuntimeError("cannot send update-graph")
        self.options.append(options)
        given = self._pool.submit(function)
        return SimpleNamespace(running=given, cancel=self._cancel)

    async def _cancel(self, *, asynchronous):
        self.cancelled += asynchronous

    async def gather(self, given, *, asynchronous):
        assert asynchronous
        return await asyncio.wrap_future(given.running)

    def end(self):
        self._pool.shutdown()
        self.loop.asyncio_loop.call_soon_threadsafe(self.loop.asyncio_loop.stop)
        self._thread.join()
        self.loop.asyncio_loop.close()


class ClientExecutor:
    def __init__(self, client, **options):
        self._client = client
        self._kwargs = options

    def submit(self, *_):
        raise AssertionError("its own futures may never end")

    def shutdown(self, wait=True):
        pass


@pytest.fixture
def make():
    made = []

    def client(**options):
        made.append(Client(**options))
        return made[-1]

    yield client
    for one in made:
        one.end()


def square(n):
    if n == 2:
        raise ValueError("two is bad")
    return n * n


def test_a_sweep_runs_on_dask(make):
    """Each call is one of its own: Dask would answer a second with what came of the first."""
    client = make()
    sweep = ResumableSweep(range(5), name="grid")

    assert sweep.map(square, ClientExecutor(client, retries=1, pure=True), retries=1) == [
        0,
        1,
        9,
        16,
    ]

    assert [f.item for f in sweep.failed] == [2]
    assert client.options == [{"retries": 1, "pure": False}] * 6


def test_each_worker_has_an_item_that_waits(make):
    """Those that come and go count, as often as once a second."""
    client = make()
    pool = Pool(ClientExecutor(client))
    assert pool.width == 5
    client.workers = {"one": 4}
    assert pool.width == 5
    pool._dask._looked_at -= on_dask.LOOK_S

    assert pool.width == 9


@pytest.mark.parametrize("kind", [TimeoutError, OSError, AttributeError, lambda: None])
def test_a_cluster_without_workers_is_spoken_of_once(make, kind):
    """Whether some come nobody knows, nor whether a scheduler answers again: it is waited."""
    client = make(workers=0, told=kind)
    cluster = Pool(ClientExecutor(client))._dask
    assert cluster.threads() == 0
    for _ in range(2):
        cluster._looked_at -= on_dask.LOOK_S
        assert cluster.threads() == 0
    cluster._seen_at -= on_dask.LONELY_S
    cluster._looked_at -= on_dask.LOOK_S

    with pytest.warns(ResumeWarning, match="no worker.*lost-worker-timeout"):
        assert cluster.threads() == 0
    cluster._looked_at -= on_dask.LOOK_S
    assert cluster.threads() == 0


def test_what_is_lost_on_its_way_is_given_out_again(make):
    """A connection that breaks as the result is fetched, or a scheduler that has forgotten it."""
    client = make()
    gather, lost = client.gather, [OSError("in <TCP (closed)>"), asyncio.CancelledError()]

    async def losing(given, *, asynchronous):
        if lost:
            raise lost.pop()
        return await gather(given, asynchronous=asynchronous)

    client.gather = losing
    sweep = ResumableSweep(range(2), name="grid")

    assert sweep.map(square, ClientExecutor(client)) == [0, 1]
    assert sweep.failed == []
    assert len(client.options) == 4
    assert client.cancelled == 1


def test_what_is_always_cancelled_stays_pending(make):
    client = make()

    async def cancelled(_given, *, asynchronous):
        raise asyncio.CancelledError

    client.gather = cancelled
    sweep = ResumableSweep(range(1), name="grid")

    with pytest.warns(ResumeWarning, match="has cancelled '0' .* 3 times. It stays pending"):
        assert sweep.map(square, ClientExecutor(client)) == []
    assert sweep.pending == [0]
    assert sweep.failed == []


def test_a_client_that_is_closed_is_a_broken_executor(make):
    """Who made it makes another; else the launch ends, and says so."""
    closed, other = make(), make()
    closed.status = "closed"
    cluster = Pool(ClientExecutor(closed))._dask
    assert cluster.threads() == 0
    with pytest.raises(BrokenExecutor, match="closed: cannot send"):
        cluster.submit(square, 1)
    sweep = ResumableSweep(range(2), name="grid")
    with pytest.raises(SweepError, match="its client of Dask is closed"):
        sweep.map(square, ClientExecutor(closed))
    executors = [ClientExecutor(other), ClientExecutor(closed)]

    assert sweep.map(square, executors.pop) == [0, 1]


def test_an_item_that_cannot_be_sent_is_told(make):
    client = make()

    def refused(*_, **__):
        raise TypeError("could not serialize")

    client.submit = refused

    with pytest.raises(TypeError, match="could not serialize"):
        ResumableSweep(range(1), name="grid").map(square, ClientExecutor(client))
