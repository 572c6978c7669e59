"""Signals and the deadline in `map`: nothing more is begun, and what runs is waited for."""

from __future__ import annotations

import datetime as dt
import os
import signal
import threading
import time
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures import ThreadPoolExecutor as Threads

import pytest

from resume.errors import ConfigError, Preempted
from resume.sweep import ResumableSweep
from resume.sweep import launch as launch_module
from resume.sweep.claims import Claims
from resume.sweep.work import Task

pytestmark = pytest.mark.filterwarnings("ignore:.*use of fork.*:DeprecationWarning")

PATIENCE_S = 100
LEAVES_BY = {signal.SIGINT: KeyboardInterrupt, signal.SIGTERM: Preempted}


def sweep_of(items=range(10), **options):
    return ResumableSweep(items, **{"checkpoint_path": "grid", "durable": "batch", **options})


def press(number=signal.SIGINT):
    os.kill(os.getpid(), number)


def wait_for(is_true):
    deadline = time.monotonic() + PATIENCE_S
    while not is_true():
        assert time.monotonic() < deadline
        time.sleep(0.005)


class Gated:
    """Items that wait for a gate; *then* is called in a thread when the first are begun."""

    def __init__(self, then=lambda: None, begun=1):
        self.begun, self.gate = [], threading.Event()
        self._then, self._least = then, begun
        self._thread = threading.Thread(target=self._watch)

    def __call__(self, n):
        self.begun.append(n)
        self.gate.wait(PATIENCE_S)
        return n

    def _watch(self):
        wait_for(lambda: len(self.begun) >= self._least)
        self._then()

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *exception):
        self.gate.set()
        self._thread.join()


# --- one by one -----------------------------------------------------------------------------------


@pytest.mark.parametrize("number", LEAVES_BY)
def test_the_item_that_runs_here_ends_and_is_recorded(number, caplog):
    """The signal does not tear it: the program is left behind it."""
    caplog.set_level("INFO", "resume")
    begun = []

    def work(n):
        begun.append(n)
        if n == 3:
            press(number)
            wait_for(lambda: "waiting up to" in caplog.text)
        return n

    with pytest.raises(LEAVES_BY[number]):
        sweep_of().map(work)

    assert begun == [0, 1, 2, 3]
    assert list(sweep_of().completed) == begun
    name = signal.Signals(number).name
    again = "Ctrl-C again" if number == signal.SIGINT else "a second one"
    told = "interrupted" if number == signal.SIGINT else name
    assert (
        f"⚠ {told} at 3 of 10 items: waiting up to 30 s for the item that runs; {again} to stop now"
    ) in caplog.text
    assert f"grid: 4 of 10 items are recorded ({name}); run the program again" in caplog.text


def test_an_item_that_outlasts_the_grace_is_interrupted(caplog):
    """As if Ctrl-C had only come then; it stays pending."""

    def endless(n):
        press()
        time.sleep(PATIENCE_S)

    with pytest.raises(KeyboardInterrupt):
        sweep_of().map(endless, grace=0.2)

    assert "the item still runs after 0 s: SIGINT acts now" in caplog.text
    assert len(sweep_of().pending) == 10


def test_a_second_ctrl_c_leaves_at_once():
    """In the middle of an item, however long the grace."""

    def work(n):
        press()
        press()
        time.sleep(PATIENCE_S)

    with pytest.raises(KeyboardInterrupt):
        sweep_of().map(work, grace="1h")

    assert len(sweep_of().pending) == 10


def test_a_launch_that_waits_for_another_leaves(monkeypatch):
    """All that is left is in other hands."""
    monkeypatch.setattr(launch_module, "POLL_S", 0.02)
    sweep = sweep_of(range(2))
    other = Claims(sweep.path.with_name(f"{sweep.path.name}.claims"))
    assert other.take("1")

    def work(n):
        threading.Timer(0.1, press).start()
        return n

    with pytest.raises(KeyboardInterrupt):
        sweep.map(work)

    other.close()
    assert list(sweep.completed) == [0]


# --- in an executor -------------------------------------------------------------------------------


@pytest.mark.parametrize("number", LEAVES_BY)
def test_what_runs_elsewhere_is_waited_for(number, caplog):
    """Nothing more is begun."""
    work = Gated(begun=2)

    def answer():
        press(number)
        wait_for(lambda: "beginning no more items, waiting up to 2 min for those" in caplog.text)
        work.gate.set()

    work._then = answer
    with work, Threads(2) as pool, pytest.raises(LEAVES_BY[number]):
        sweep_of().map(work, pool, grace="2m")

    assert {0, 1} <= set(work.begun) <= {0, 1, 2}  # one waits in the queue
    assert list(sweep_of().completed) == sorted(work.begun)
    assert "stopping; waiting" not in caplog.text  # it is said once


class Cluster:
    """Its futures do not tell what runs, as those of Dask; and what is cancelled is lost."""

    _max_workers = 2

    def __init__(self, pool):
        self._pool = pool

    def submit(self, function, item):
        told = Future()

        def tell(future):
            if not told.cancelled():
                told.set_result(future.result())

        self._pool.submit(function, item).add_done_callback(tell)
        return told


def test_what_runs_on_a_cluster_is_waited_for():
    """And what waits in its queue is not begun."""
    work = Gated(begun=2)

    def answer():
        press()
        wait_for(lambda: len(os.listdir("grid.sweep.jsonl.claims")) > 3)  # it winds up
        work.gate.set()

    work._then = answer
    with work, Threads(2) as pool, pytest.raises(KeyboardInterrupt):
        sweep_of().map(work, Cluster(pool), grace="2m")

    assert len(work.begun) == 2
    assert list(sweep_of().completed) == sorted(work.begun)


def test_a_second_ctrl_c_waits_for_nothing(caplog):
    """What runs is lost, and a rerun works on it."""

    def twice():
        press()
        wait_for(lambda: "waiting up to" in caplog.text)
        press()

    with Gated(twice) as work, Threads(1) as pool:
        with pytest.raises(KeyboardInterrupt):
            sweep_of().map(work, pool, grace="1h")
        work.gate.set()

    assert len(sweep_of().pending) == 10


def test_what_outlasts_the_grace_is_said(caplog):
    """In threads nobody can stop it."""
    caplog.set_level("INFO", "resume")

    with Gated(press) as work, Threads(1) as pool:
        with pytest.raises(KeyboardInterrupt):
            sweep_of().map(work, pool, grace=0)
        work.gate.set()

    assert "1 items still run; their results are lost, and a rerun works on them. The exec" in (
        caplog.text
    )


def test_where_signals_are_the_programs_own_a_ctrl_c_waits_as_well(caplog):
    """It comes as the exception that Python makes of it."""
    caplog.set_level("INFO", "resume")
    work = Gated(begun=2)

    def answer():
        press()
        wait_for(lambda: "stopping; waiting up to 60 min for" in caplog.text)
        work.gate.set()

    work._then = answer
    with work, Threads(2) as pool, pytest.raises(KeyboardInterrupt):
        sweep_of().map(work, pool, grace="1h", signals=())

    done = set(sweep_of().completed)
    assert done  # an exception may come between giving an item out and noting that
    assert done <= set(work.begun)


def test_the_first_failure_that_is_raised_waits_too():
    work = Gated()

    def fails(n):
        if n == 0:
            wait_for(lambda: work.begun)
            threading.Timer(0.1, work.gate.set).start()
            raise ValueError("0 fails")
        return work(n)

    with work, Threads(2) as pool, pytest.raises(ValueError, match="0 fails"):
        sweep_of().map(fails, pool, on_error="raise")

    assert list(sweep_of().completed) == work.begun


class InThisThread:
    """An executor that works where it is asked."""

    def submit(self, function, item):
        future = Future()
        try:
            future.set_result(function(item))
        except BaseException as why:
            future.set_exception(why)
        return future

    def shutdown(self, wait=True):
        pass


def test_an_executor_that_works_in_this_thread_leaves_between_items():
    def work(n):
        if n == 3:
            press()
        return n

    with pytest.raises(KeyboardInterrupt):
        sweep_of().map(work, InThisThread())

    assert {0, 1, 2, 3} <= set(sweep_of().completed)


def test_an_interrupt_that_an_item_raises_in_this_thread_leaves():
    """It has answered the second Ctrl-C."""

    def work(n):
        press()
        press()
        time.sleep(PATIENCE_S)

    with pytest.raises(KeyboardInterrupt):
        sweep_of().map(work, InThisThread())

    assert len(sweep_of().pending) == 10


# --- a good guest ---------------------------------------------------------------------------------


@pytest.mark.parametrize("ends", ["well", "badly", "left"])
def test_handlers_are_set_while_map_runs_and_put_back(ends):
    before = [signal.getsignal(number) for number in LEAVES_BY]
    met = []

    def work(n):
        met.append([signal.getsignal(number) for number in LEAVES_BY])
        if ends == "badly":
            raise ValueError
        if ends == "left":
            press()
        return n

    kinds = {"well": (), "badly": ValueError, "left": KeyboardInterrupt}
    try:
        sweep_of().map(work, on_error="raise")
    except (ValueError, KeyboardInterrupt) as why:
        assert isinstance(why, kinds[ends])

    assert all(there not in before for there in met[0])
    assert [signal.getsignal(number) for number in LEAVES_BY] == before


def test_a_handler_of_the_programs_own_has_its_say():
    """At the end, when all is recorded; it may leave in its own way."""

    class Own(Exception):
        pass

    def handler(number, frame):
        raise Own

    before = signal.signal(signal.SIGTERM, handler)
    try:
        with pytest.raises(Own):
            sweep_of().map(lambda n: press(signal.SIGTERM) if n == 2 else n)
        assert signal.getsignal(signal.SIGTERM) is handler
    finally:
        signal.signal(signal.SIGTERM, before)
    assert len(sweep_of().completed) == 3


def test_in_another_thread_no_handler_is_set():
    before = [signal.getsignal(number) for number in LEAVES_BY]
    met = []

    def work(n):
        met.append([signal.getsignal(number) for number in LEAVES_BY])

    thread = threading.Thread(target=lambda: sweep_of().map(work, deadline="1h", before_end="2h"))
    thread.start()
    thread.join()

    assert met == [before] * 10


def test_signals_and_status_are_chosen_as_for_a_checkpoint(monkeypatch):
    """By the program, or by who runs it."""
    with pytest.raises(Preempted) as told:
        sweep_of().map(lambda n: press(signal.SIGUSR1), signals="USR1", exit_code=85)
    assert told.value.code == 85

    monkeypatch.setenv("RESUME_SIGNALS", "USR2")
    monkeypatch.setenv("RESUME_EXIT_CODE", "86")
    with pytest.raises(Preempted) as told:
        sweep_of().map(lambda n: press(signal.SIGUSR2))
    assert told.value.code == 86
    assert len(sweep_of().completed) == 2


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"signals": "SIGNONE"}, "signals"),
        ({"deadline": "soon"}, "deadline='soon'"),
        ({"before_end": "late"}, "before_end='late'"),
        ({"requeue": "pbs"}, "requeue='pbs'"),
        ({"exit_code": -1}, "exit_code"),
    ],
)
def test_a_parameter_of_leaving_that_cannot_work_is_told(options, said):
    with pytest.raises(ConfigError, match=said):
        sweep_of().map(abs, **options)

    assert len(sweep_of().pending) == 10


# --- the deadline ---------------------------------------------------------------------------------


@pytest.mark.parametrize("executor", [None, lambda: Threads(2)])
def test_near_its_deadline_nothing_is_begun(executor, caplog):
    caplog.set_level("INFO", "resume")
    begun = []

    with pytest.raises(Preempted):
        sweep_of().map(begun.append, executor, deadline="1000h", before_end="2000h")

    assert begun == []
    assert "0 of 10 items are recorded (deadline: " in caplog.text


@pytest.mark.parametrize("executor", [None, lambda: Threads(2)])
def test_it_leaves_when_the_time_has_come(executor, monkeypatch):
    """What was begun is recorded."""
    end = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=0.5)
    monkeypatch.setenv("RESUME_DEADLINE", end.isoformat())
    monkeypatch.setenv("RESUME_BEFORE_END", "0")
    begun = []

    def work(n):
        begun.append(n)
        time.sleep(0.01)
        return n

    with pytest.raises(Preempted) as told:
        sweep_of(range(100_000)).map(work, executor)

    assert told.value.code == 143
    assert list(sweep_of(range(100_000)).completed) == sorted(begun)


class Slow(InThisThread):
    """An item takes an hour, as its outcome says; behind it there is time for a look at a clock."""

    _max_workers = 1

    def submit(self, function, item):
        future = super().submit(function, item)
        if item == 2:
            future = Future()
            future.set_result(type(function(item))(3600.0, function(item).packed))
        if item in (4, 6):
            time.sleep(1.1)
        return future


@pytest.mark.parametrize("grace", [3600, 0])
def test_items_are_not_begun_when_they_would_outlast_it(grace):
    """As far as they are waited for."""
    end = dt.datetime.now(dt.UTC) + dt.timedelta(minutes=30)
    has_left = False
    try:
        sweep_of().map(square, Slow(), deadline=end, before_end=0, grace=grace)
    except Preempted:
        has_left = True

    assert has_left == (grace > 0)
    assert (len(sweep_of().completed) < 10) == has_left


# --- what a worker does ---------------------------------------------------------------------------


def test_a_task_begins_nothing_when_the_launch_leaves(tmp_path):
    """It may have waited in the queue of a worker."""
    task = Task(square, keeps_error=False, leave_file=str(tmp_path / "leave"))
    assert task(3).packed is not None

    (tmp_path / "leave").touch()

    outcome = task(3)
    assert (outcome.has_left, outcome.packed, outcome.why) == (True, None, None)


def square(n):
    return n * n


def preempted(n):
    raise Preempted(99)


def odd_status(n):
    raise_ = Preempted()
    raise_.code = "text"
    raise raise_


@pytest.mark.parametrize(("function", "code"), [(preempted, 99), (odd_status, 143)])
def test_an_item_that_is_preempted_in_a_worker_is_told_and_not_raised(function, code):
    """It would end the worker, and that of others with it."""
    task = Task(function, keeps_error=False)
    task._maker = 0

    outcome = task(3)

    assert outcome.has_left
    assert outcome.error.code == code


def test_an_item_that_was_preempted_in_a_worker_ends_the_launch():
    """With its status; all that was done is recorded."""
    sweep = sweep_of()
    with ProcessPoolExecutor(1) as pool, pytest.raises(Preempted) as told:
        sweep.map(preempted, pool)

    assert told.value.code == 99
    assert len(sweep_of().pending) == 10
    assert sweep_of().failed == []


def test_workers_end_by_none_of_the_signals_that_the_launch_answers():
    """They come to all processes of a job; a process that an item starts has them as ever."""
    with ProcessPoolExecutor(1) as pool:
        told = sweep_of(range(2)).map(sends_to_itself, pool, signals="INT,TERM,USR1")
        assert set(told) == {(True, -signal.SIGTERM)}


def sends_to_itself(n):
    for number in (signal.SIGTERM, signal.SIGUSR1, signal.SIGTERM):
        os.kill(os.getpid(), number)
    child = os.fork()
    if child == 0:
        time.sleep(PATIENCE_S)
        os._exit(0)
    os.kill(child, signal.SIGTERM)
    return True, -os.WTERMSIG(os.waitpid(child, 0)[1])


def test_a_broken_pool_works_on_nothing_any_more(tmp_path):
    """Its end sends SIGTERM, which workers leave to the launch; and what they had runs again."""
    items = [str(tmp_path / "long"), str(tmp_path / "dies")]
    with ProcessPoolExecutor(2) as pool:
        assert sweep_of(items).map(alone_or_dies, pool) == ["the first has ended", "dies"]


def alone_or_dies(path):
    """Of two at once, one kills its worker; the other is begun twice."""
    folder, name = os.path.split(path)
    long = os.path.join(folder, "long")
    if name == "dies":
        wait_for(lambda: os.path.exists(long) and open(long).read().endswith("\n"))
        if not os.path.exists(path):
            open(path, "x").close()
            os.kill(os.getpid(), signal.SIGKILL)
        return name
    if not os.path.exists(path):
        with open(path, "w") as out:
            out.write(f"{os.getpid()}\n")
        time.sleep(PATIENCE_S)
    with open(path) as told:
        first = int(told.read())
    wait_for(lambda: not is_running(first))
    return "the first has ended"


def is_running(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
