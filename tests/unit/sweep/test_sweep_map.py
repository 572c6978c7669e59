"""`map`: each item that is left, worked on once, wherever; what fails is kept, and what kills."""

from __future__ import annotations

import os
import pickle
import re
import signal
import threading
import time
from concurrent.futures import BrokenExecutor, Executor, Future, ProcessPoolExecutor
from concurrent.futures import ThreadPoolExecutor as Threads

import numpy as np
import pytest

from resume.errors import ConfigError, Preempted, ResumeWarning, SweepError
from resume.sweep import ResumableSweep
from resume.sweep import launch as launch_module
from resume.sweep.claims import Claims

pytestmark = pytest.mark.filterwarnings(
    # the pools' own threads run by then; Python says so from 3.12 on
    "ignore:.*use of fork.*:DeprecationWarning"
)


def sweep_of(items=range(10), **options):
    return ResumableSweep(items, **{"checkpoint_path": "grid", "durable": "batch", **options})


def square(n):
    return n * n


def odd_fails(n):
    if n % 2:
        raise ValueError(f"{n} is odd")
    return n


class Custom(Exception):
    """Does not unpickle: its parameters are not its args."""

    def __init__(self, one, *, two):
        super().__init__(one)
        self.two = two


def raises_custom(n):
    raise Custom("first", two=n)


def dies_once(path):
    if not os.path.exists(path):
        open(path, "x").close()
        os.kill(os.getpid(), signal.SIGKILL)
    return os.path.basename(path)


def dies_at_three(n):
    if n == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return n


def of_own_process(n):
    return (os.getpid(), signal.getsignal(signal.SIGINT) == signal.SIG_IGN)


class Inline(Executor):
    """Runs at once, where it is submitted."""

    def __init__(self, before=lambda item: None):
        self.before = before
        self.ended = False

    def submit(self, function, item):
        future = Future()
        try:
            self.before(item)
            future.set_result(function(item))
        except BaseException as why:
            future.set_exception(why)
        return future

    def shutdown(self, wait=True, *, cancel_futures=False):
        self.ended = True


EXECUTORS = {
    "serial": lambda: None,
    "threads": lambda: Threads(3),
    "processes": lambda: ProcessPoolExecutor(2),
    "class": lambda: ProcessPoolExecutor,
    "inline": Inline,
}


@pytest.fixture(params=EXECUTORS)
def executor(request):
    made = EXECUTORS[request.param]()
    yield made
    if isinstance(made, Executor):
        made.shutdown()


def test_every_item_is_worked_on_once(executor):
    """The results come in the order of the items, and a relaunch has nothing to do."""
    sweep = sweep_of()

    assert sweep.map(square, executor, progress=False) == [n * n for n in range(10)]

    again = sweep_of()
    assert again.map(odd_fails, executor) == [n * n for n in range(10)]
    assert not os.path.exists("grid.sweep.jsonl.claims")


def test_only_the_rest_is_worked_on():
    sweep = sweep_of()
    for n in (1, 4, 7):
        sweep.record(n, "by hand")
    met = []

    found = sweep.map(lambda n: met.append(n) or n)

    assert met == [0, 2, 3, 5, 6, 8, 9]
    assert list(found)[:3] == [0, "by hand", 2]


def test_what_fails_is_kept_with_its_traceback(executor):
    """The others go on; the next launch tries again."""
    sweep = sweep_of()

    assert sweep.map(odd_fails, executor) == [0, 2, 4, 6, 8]

    assert [failure.item for failure in sweep.failed] == [1, 3, 5, 7, 9]
    failure = sweep.failed[0]
    assert (failure.type, failure.text) == ("ValueError", "1 is odd")
    assert "in odd_fails" in failure.traceback
    assert "work.py" not in failure.traceback
    assert sweep.pending == []
    sweep.map(square, executor)
    assert sweep.failed[0].text == "1 is odd"
    assert sweep_of().map(square, executor)[1] == 1


@pytest.mark.parametrize("name", ["serial", "threads", "inline"])
def test_retries_try_again_in_this_launch(name):
    """So often, and not once more."""
    calls = []

    def flaky(n):
        calls.append(n)
        if calls.count(n) < 3 or n == 1:
            raise OSError("flaky")
        return n

    sweep = sweep_of(range(3))
    assert sweep.map(flaky, EXECUTORS[name](), 2) == [0, 2]

    assert sorted(calls) == [0, 0, 0, 1, 1, 1, 2, 2, 2]
    assert [failure.item for failure in sweep.failed] == [1]


def test_on_error_raise_raises_what_was_raised(executor):
    """And records it, too."""
    sweep = sweep_of()

    with pytest.raises(ValueError, match="is odd") as told:
        sweep.map(odd_fails, executor, on_error="raise")

    assert "in odd_fails" in sweep.failed[0].traceback
    if isinstance(executor, ProcessPoolExecutor):
        assert "In the worker:" in told.value.__notes__[0]
    assert sweep.completed[0] == 0
    assert sweep_of().map(square, executor) is not None


@pytest.mark.parametrize("name", ["serial", "processes"])
def test_an_exception_that_cannot_cross_is_kept_as_text(name):
    """In a pool it would have broken the pool."""
    sweep = sweep_of(range(2))
    made = EXECUTORS[name]()

    sweep.map(raises_custom, made)

    assert [failure.type.rpartition(".")[2] for failure in sweep.failed] == ["Custom", "Custom"]
    kind = Custom if name == "serial" else SweepError
    with pytest.raises(kind, match="first"):
        sweep_of(range(2)).map(raises_custom, made, on_error="raise")
    if made is not None:
        made.shutdown()


def test_a_result_that_cannot_be_kept_is_a_failure_of_its_item(executor):
    sweep = sweep_of(range(2))

    sweep.map(open_file, executor)

    assert [failure.type for failure in sweep.failed] == ["resume.errors.UnpicklableError"] * 2


def open_file(n):
    with open(os.devnull) as file:
        return [file]


def test_an_exit_in_an_item_is_its_failure(executor):
    """It ends no worker and no launch."""
    sweep = sweep_of(range(2))

    sweep.map(leaves, executor)

    assert [(failure.type, failure.text) for failure in sweep.failed] == [("SystemExit", "3")] * 2


def leaves(n):
    raise SystemExit(3)


def test_an_error_whose_text_fails_is_kept_all_the_same():
    class Mute(Exception):
        def __str__(self):
            raise RuntimeError("no text")

    def mute(n):
        raise Mute

    sweep = sweep_of(range(1))
    sweep.map(mute)

    assert "cannot be had" in sweep.failed[0].text


def test_results_cross_processes_whole():
    sweep = sweep_of([1000, 100_000])
    with ProcessPoolExecutor(2) as pool:
        sweep.map(np.arange, pool)

    assert np.array_equal(sweep.completed[1], np.arange(100_000))


def test_workers_leave_the_interrupt_to_their_parent():
    """A terminal sends Ctrl-C to all of them."""
    with ProcessPoolExecutor(1) as pool:
        pids = sweep_of(range(2)).map(of_own_process, pool)
        assert {told[1] for told in pids} == {True}
        assert os.getpid() not in {told[0] for told in pids}


def test_a_function_that_cannot_cross_is_told_before_anything_runs():
    with ProcessPoolExecutor(1) as pool, pytest.raises(ConfigError, match="top level of a module"):
        sweep_of().map(lambda n: n, pool)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"function": 3}, "takes a function"),
        ({"retries": -1}, "retries=-1"),
        ({"retries": "2"}, "retries='2'"),
        ({"on_error": "ignore"}, "on_error='ignore'"),
        ({"grace": "soon"}, "grace='soon'"),
        ({"executor": 4}, "executor=4 is no executor"),
        ({"executor": lambda: 5}, "executor=5 is no executor"),
    ],
)
def test_a_parameter_that_cannot_work_is_told(options, said):
    with pytest.raises(ConfigError, match=said):
        sweep_of().map(**{"function": square, **options})


# --- workers that die -----------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["processes", "class"])
def test_an_item_that_kills_its_worker_is_set_aside(name):
    """After three times, and all others are done; the pool is made anew each time."""
    sweep = sweep_of(range(8))
    made = EXECUTORS[name]()

    with pytest.warns(ResumeWarning, match="sets '3' aside: it killed its worker 3 times"):
        assert sweep.map(dies_at_three, made) == [0, 1, 2, 4, 5, 6, 7]

    assert [(f.item, f.is_set_aside) for f in sweep.failed] == [(3, True)]
    assert sweep_of(range(8)).pending == []
    if made is not ProcessPoolExecutor:
        made.shutdown()


def test_a_worker_that_dies_by_accident_costs_nothing(tmp_path):
    """What it had in hand is tried alone, and is done."""
    items = [str(tmp_path / f"flag {n}") for n in range(4)]
    sweep = sweep_of(items)

    sweep.map(dies_once, ProcessPoolExecutor)

    assert list(sweep.completed) == [f"flag {n}" for n in range(4)]
    assert sweep.failed == []


class Loky(Inline):
    """Knows no `cancel_futures`."""

    def shutdown(self, wait=True, kill_workers=False):
        self.ended = True


def test_what_is_only_like_an_executor_is_ended_as_well_as_can_be():
    made = []

    def make():
        made.append(Loky(before=stop_at_two))
        return made[-1]

    with pytest.raises(Preempted):
        sweep_of().map(square, make)

    assert [one.ended for one in made] == [True]


def stop_at_two(item):
    if item == 2:
        raise Preempted


class Breaking(Inline):
    """Breaks as a pool of processes does, when an item of *deadly* is in it."""

    def __init__(self, deadly, made):
        super().__init__()
        self.deadly, self.broken = deadly, False
        made.append(self)

    def submit(self, function, item):
        if self.broken:
            raise BrokenExecutor("broken before")
        future = Future()
        if item in self.deadly:
            self.broken = True
            future.set_exception(BrokenExecutor("a worker died"))
        else:
            future.set_result(function(item))
        return future


def test_other_pools_are_made_anew_by_their_maker():
    """One item at a time is tried alone, for nothing is known of their kind."""
    made = []
    sweep = sweep_of(range(6))

    with pytest.warns(ResumeWarning, match="sets '4' aside"):
        assert sweep.map(square, lambda: Breaking({4}, made)) == [0, 1, 4, 9, 25]

    assert len(made) == 5  # one in company, three alone, one for the rest
    assert all(one.ended for one in made)


def test_a_broken_pool_that_nobody_can_make_again_is_an_error():
    """It names what was in hand; what is done stays."""
    sweep = sweep_of(range(6))
    given = Breaking({2}, [])

    with pytest.raises(SweepError, match=r"(?s)'2'.*callable that makes the executor"):
        sweep.map(square, given)

    assert 0 in sweep.completed
    assert not given.ended
    assert 2 in sweep_of(range(6)).pending


def test_where_all_workers_die_it_is_not_the_items():
    """Nothing is set aside."""
    sweep = sweep_of(range(30))

    with pytest.raises(SweepError, match="every worker .* dies, whatever item"):
        sweep.map(square, lambda: Breaking(set(range(30)), []))

    assert [failure.is_set_aside for failure in sweep.failed] == []
    assert len(sweep_of(range(30)).pending) == 30


def test_what_dask_and_ray_say_of_a_dead_worker_counts_as_a_kill():
    """By the name of the exception: neither is imported for it."""
    kind = type("KilledWorker", (Exception,), {})

    def before(item):
        if item == 1:
            raise kind("died")

    sweep = sweep_of(range(3))
    with pytest.warns(ResumeWarning, match="sets '1' aside"):
        sweep.map(square, Inline(before))

    assert sweep.completed == [0, 4]


def test_an_error_of_the_executor_is_the_items_failure():
    """Its item could not be sent, say."""

    def before(item):
        if item == 1:
            raise pickle.PicklingError("cannot pickle that")

    sweep = sweep_of(range(3))
    sweep.map(square, Inline(before))

    assert [(f.item, f.type) for f in sweep.failed] == [(1, "_pickle.PicklingError")]


# --- leaving --------------------------------------------------------------------------------------


def test_ctrl_c_in_an_item_leaves_at_once():
    """One by one; what was done is recorded, and the item stays pending."""

    def stops(n):
        if n == 3:
            raise KeyboardInterrupt
        return n

    sweep = sweep_of()
    with pytest.raises(KeyboardInterrupt):
        sweep.map(stops)

    assert sweep_of().pending == list(range(3, 10))


class Pressed(Threads):
    """Ctrl-C comes while the parent waits for its workers."""

    def submit(self, function, item):
        if item == 4:
            os.kill(os.getpid(), signal.SIGINT)
        return super().submit(function, item)


def test_ctrl_c_waits_for_what_runs(capfd):
    """Nothing more is given out, and what ends within the grace is recorded."""
    gate = threading.Event()
    begun = []

    def slow(n):
        begun.append(n)
        gate.wait(60)
        return n

    threading.Timer(0.5, gate.set).start()
    sweep = sweep_of()
    with Pressed(5) as pool, pytest.raises(KeyboardInterrupt):
        sweep.map(slow, pool, grace=60)

    assert sorted(sweep_of().completed) == sorted(begun)
    assert 0 < len(begun) < 10


def test_what_does_not_end_within_the_grace_is_left():
    """It stays claimed while this process lives, for it still runs."""
    gate = threading.Event()

    def slow(n):
        gate.wait(60)
        return n

    sweep = sweep_of()
    with Pressed(5) as pool:
        with pytest.raises(KeyboardInterrupt):
            sweep.map(slow, pool, grace=0)
        claims = Claims(sweep.path.with_name(f"{sweep.path.name}.claims"))
        assert claims.holder("0") is not None
        gate.set()

    assert sweep_of().pending == list(range(10))


def test_an_item_that_was_preempted_stays_pending():
    """It has saved itself, and goes on in the middle; the launch leaves as it does."""

    def before(item):
        if item == 2:
            raise Preempted

    sweep = sweep_of()
    with pytest.raises(Preempted):
        sweep.map(square, Inline(before))

    assert 2 in sweep_of().pending


def preempted(n):
    raise Preempted


def test_a_function_that_is_preempted_is_no_failure():
    sweep = sweep_of(range(2))
    with pytest.raises(Preempted):
        sweep.map(preempted)

    assert sweep.failed == []


def test_an_item_that_was_interrupted_elsewhere_stays_pending():
    """A worker of Dask that is told to stop, say; the launch goes on."""

    def before(item):
        if item == 2:
            raise KeyboardInterrupt

    sweep = sweep_of(range(4))
    sweep.map(square, Inline(before))

    assert sweep.pending == [2]


# --- side by side ---------------------------------------------------------------------------------


@pytest.fixture
def quick(monkeypatch):
    monkeypatch.setattr(launch_module, "POLL_S", 0.02)


@pytest.mark.parametrize("name", ["serial", "threads"])
def test_launches_divide_the_items_among_them(quick, name):
    """None is worked on twice, and each launch ends with all results."""
    met = []

    def slow(n):
        met.append(n)
        time.sleep(0.002)
        return n

    found = {}

    def launch(number):
        found[number] = list(sweep_of(range(60)).map(slow, EXECUTORS[name](), progress=False))

    threads = [threading.Thread(target=launch, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)

    assert sorted(met) == list(range(60))
    assert found == {number: list(range(60)) for number in range(3)}


def test_what_another_leaves_behind_is_taken_up(quick):
    """An item whose holder gave it back without a result."""
    sweep = sweep_of(range(3))
    other = Claims(sweep.path.with_name(f"{sweep.path.name}.claims"))
    assert other.take("1")
    threading.Timer(0.3, other.close).start()

    assert sweep.map(square, progress=False) == [0, 1, 4]


def test_what_another_records_is_not_worked_on(quick):
    sweep, other = sweep_of(range(3)), sweep_of(range(3))
    claims = Claims(sweep.path.with_name(f"{sweep.path.name}.claims"))
    assert claims.take("1")

    def record():
        other.record(1, "theirs")
        claims.close()

    threading.Timer(0.3, record).start()

    assert sweep.map(square, Inline()) == [0, "theirs", 4]


def test_the_first_of_two_results_counts(caplog):
    """Where one slept too long, and another took its claim over."""
    caplog.set_level("INFO", "resume")
    sweep, other = sweep_of(range(1)), sweep_of(range(1))

    def late(n):
        other.record(n, "first")
        return "second"

    assert sweep.map(late) == ["first"]
    assert "was recorded by another launch meanwhile" in caplog.text


def test_the_end_is_told(caplog):
    caplog.set_level("INFO", "resume")

    sweep_of().map(odd_fails)

    assert re.search(r"the sweep grid: 5 of 10 items are done after \d+ \w+; 5 failed", caplog.text)
