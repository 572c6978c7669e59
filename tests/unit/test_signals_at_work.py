"""Signals and checkpoints in one process: where the save lands, how the program is left."""

from __future__ import annotations

import gc
import os
import pickle
import signal
import sys
import threading
from bdb import Bdb
from pathlib import Path

import pytest

from resume import Checkpoint, Preempted, RestoreError, registry, resumable, sync
from resume.store import Store
from resume.triggers import signals
from resume.triggers.signals import on_signal

PATIENCE_S = 60.0


@pytest.fixture(autouse=True)
def nothing_left():
    before = {n: signal.getsignal(n) for n in signals.USUAL}
    yield
    assert {n: signal.getsignal(n) for n in before} == before
    assert signals._interruption is None
    assert not signals._subscriptions
    assert not [one for one in threading.enumerate() if one.name == "resume-interrupt"]


def send(number=signal.SIGTERM):
    os.kill(os.getpid(), number)


def newest(name):
    return Store(Path.cwd() / ".checkpoints", name).newest()


def done(name):
    return newest(name).draft.position["loops"][0]["done"]


def status(call):
    """By which the program is left; no error is kept, which would keep the frames alive."""
    try:
        call()
    except Preempted as left:
        return left.code
    return None


def is_left(call, kind=Preempted):
    """Whether this leaves it; no error is kept."""
    try:
        call()
    except kind:
        return True
    return False


def fit(stop, number=signal.SIGTERM, **options):
    chp = Checkpoint(
        "fit", rate="1h", args="saved", exclude=["stop", "number", "options"], **options
    )
    seen = []
    chp.restore()
    for epoch in chp.loop(range(6)):
        if epoch == stop:
            send(number)
        seen.append(epoch)
    return seen


def test_a_loop_saves_at_the_items_end_and_goes_on_there():
    assert status(lambda: fit(2)) == 143
    assert done("fit") == 3
    assert newest("fit").draft.trigger == "signal"
    assert fit(None) == [0, 1, 2, 3, 4, 5]


def test_a_ctrl_c_leaves_as_one():
    assert is_left(lambda: fit(2, signal.SIGINT), KeyboardInterrupt)

    assert done("fit") == 3


def test_exit_code_changes_the_status():
    assert status(lambda: fit(2, signal.SIGINT, exit_code=85)) == 85


def test_it_is_said_where_it_was_saved(caplog):
    caplog.set_level("INFO", "resume")
    assert is_left(lambda: fit(2))

    first, second = caplog.messages
    assert first.startswith("⚠ SIGTERM at epoch=2/6: saving at the next safe point")
    assert second == (
        "fit: saved as generation 1 (SIGTERM); run the program again to go on from there"
    )


def test_before_the_first_safe_point_a_signal_is_an_ordinary_one():
    assert is_left(lambda: fit(0, signal.SIGINT), KeyboardInterrupt)

    assert newest("fit") is None


def test_on_the_way_back_a_signal_is_an_ordinary_one():
    def back(stop, again):
        chp = Checkpoint("back", rate="1h", args="saved", exclude=["stop", "again"])
        chp.restore()
        if again:
            send(signal.SIGINT)
        for epoch in chp.loop(range(6)):
            if epoch == stop:
                send()
        return epoch

    assert is_left(lambda: back(2, again=False))
    assert is_left(lambda: back(4, again=True), KeyboardInterrupt)
    with pytest.raises(RestoreError, match="the function ended before"):
        registry.raise_unreported()

    assert done("back") == 3
    assert back(None, again=False) == 5


def test_behind_the_way_back_the_first_item_saves():
    assert is_left(lambda: fit(2))
    assert is_left(lambda: fit(3))

    assert done("fit") == 4


def test_a_while_saves_at_its_next_sync():
    def count(stop):
        chp = Checkpoint("count", rate="1h", args="saved", exclude=["stop"])
        n = 0
        chp.restore()
        while n < 6:
            n += 1
            if n == stop:
                send()
            chp.sync()
        return n

    assert is_left(lambda: count(3))
    (row,) = [row for row in newest("count").draft.variables if row.name == "n"]
    assert row.preview == "3"
    assert count(None) == 6


def test_a_sync_inside_an_item_waits_for_its_end():
    def nested(stop):
        chp = Checkpoint("nested", rate="1h", args="saved", exclude=["stop"])
        seen = []
        chp.restore()
        for epoch in chp.loop(range(4)):
            if epoch == stop:
                send()
            assert not chp.sync()
            seen.append(epoch)
        return seen

    assert is_left(lambda: nested(1))
    assert done("nested") == 2
    assert nested(None) == [0, 1, 2, 3]


def test_of_nested_checkpoints_the_first_safe_point_saves_and_leaves():
    def inner(fold, stop):
        chp = Checkpoint("inner-{fold}", rate="1h", exclude=["stop"])
        total = 0
        chp.restore()
        for k in chp.loop(range(5)):
            if (fold, k) == stop:
                send()
            total += k
        return total

    def outer(stop):
        chp = Checkpoint("outer", rate="1h", exclude=["stop"], args="saved")
        totals = []
        chp.restore()
        for fold in chp.loop(range(3)):
            totals.append(inner(fold, stop))
        return totals

    assert is_left(lambda: outer((1, 2)))

    assert done("inner-1") == 3
    assert newest("outer") is None
    assert outer(None) == [10, 10, 10]


def test_a_block_that_is_left_counts_as_saved():
    def block(stop):
        with Checkpoint("block", rate="1h", args="saved", exclude=["stop"]) as chp:
            seen = []
            for epoch in chp.loop(range(4)):
                if epoch == stop:
                    send()
                seen.append(epoch)
        return seen

    assert is_left(lambda: block(2))
    assert not newest("block").draft.complete
    assert done("block") == 3
    assert block(None) == [0, 1, 2, 3]


def test_a_signal_in_the_last_item_of_a_block_leaves_behind_it():
    assert is_left(lambda: fit(5))
    assert fit(None) == [0, 1, 2, 3, 4, 5]


def test_a_program_that_catches_it_goes_on_and_can_be_asked_again():
    def patient(stops):
        chp = Checkpoint("patient", rate="1h", args="saved", exclude=["stops"])
        n, caught = 0, 0
        chp.restore()
        while n < 9:
            n += 1
            if n in stops:
                send()
            try:
                chp.sync()
            except Preempted:
                caught += 1
        return caught

    assert patient((3, 6)) == 2


def test_a_program_may_take_the_signal_for_itself():
    calls = []
    before = signal.getsignal(signal.SIGTERM)

    def own(stop):
        chp = Checkpoint("own", rate="1h", args="saved", exclude=["stop", "calls"])
        chp.restore()
        signal.signal(signal.SIGTERM, lambda number, frame: calls.append(number))
        for epoch in chp.loop(range(4)):
            if epoch == stop:
                send()
        return epoch

    try:
        assert own(2) == 3
    finally:
        signal.signal(signal.SIGTERM, before)
    assert calls == [signal.SIGTERM]


@pytest.mark.parametrize("given", [(), None])
def test_no_signals_are_no_handlers(given):
    seen = []

    def plain():
        chp = Checkpoint("plain", signals=given)
        chp.restore()
        seen.append(signal.getsignal(signal.SIGTERM))

    plain()
    assert seen == [signal.getsignal(signal.SIGTERM)]


def test_more_signals():
    before = signal.getsignal(signal.SIGUSR1)
    assert is_left(lambda: fit(2, signal.SIGUSR1, signals=("USR1",)))

    assert done("fit") == 3
    assert signal.getsignal(signal.SIGUSR1) == before


def test_switched_off_nothing_is_taken(monkeypatch):
    monkeypatch.setenv("RESUME_DISABLE", "1")
    chp = Checkpoint("off")
    chp.restore()

    assert signal.getsignal(signal.SIGTERM) is not on_signal


def taken(**options):
    chp = Checkpoint("taken", **options)
    chp.restore()
    return signal.getsignal(signal.SIGTERM) is on_signal


def test_at_a_prompt_none_is_taken_but_by_word():
    assert taken()
    names = {"taken": taken}
    found = []
    exec(compile("found = taken()", "<stdin>", "exec"), names)
    assert not names["found"]
    exec(compile("found = taken(signals=['SIGTERM'])", "<stdin>", "exec"), names)
    assert names["found"]


def test_in_a_debugger_none_is_taken_but_by_word():
    class Debugger(Bdb):
        def user_line(self, frame):
            self.set_step()

    before = sys.gettrace()
    found = []
    debugger = Debugger()
    debugger.reset()
    sys.settrace(debugger.trace_dispatch)
    try:
        found.append(taken())
        found.append(taken(signals="SIGTERM"))
    finally:
        sys.settrace(before)

    assert found == [False, True]


def test_in_a_worker_thread_no_handler_is_set_and_nothing_left():
    """A checkpoint of the main thread that takes a signal has those of other threads saved too."""
    begun, go_on, results = threading.Event(), threading.Event(), []

    def worker():
        chp = Checkpoint("worker", rate="1h", exclude=["begun", "go_on", "results"])
        n = 0
        chp.restore()
        while n < 5:
            n += 1
            if n == 3:
                begun.set()
                go_on.wait(PATIENCE_S)
            results.append(bool(chp.sync()))

    def main():
        thread = start(worker)
        begun.wait(PATIENCE_S)
        try:
            fit(2)
        finally:
            go_on.set()
            thread.join(PATIENCE_S)

    def start(target):
        thread = threading.Thread(target=target)
        thread.start()
        return thread

    assert is_left(lambda: main())

    assert results == [False, False, True, False, False]
    assert newest("worker").draft.trigger == "signal"


def test_a_call_whose_error_is_kept_is_not_waited_for():
    """Its frame lives on in the traceback, and comes to no safe point any more."""

    def fails():
        chp = Checkpoint("fails", rate="1h")
        chp.restore()
        for epoch in chp.loop(range(4)):
            if epoch == 2:
                raise ValueError

    kept = []
    try:
        fails()
    except ValueError as why:
        kept.append(why)
    try:
        with pytest.raises(KeyboardInterrupt):
            send(signal.SIGINT)
            for _ in range(100):
                pass
    finally:
        kept.clear()


def test_an_object_that_is_dropped_gives_its_handlers_back():
    class Model:
        def __init__(self):
            self.chp = Checkpoint("model", of=self)
            self.chp.restore()

    model = Model()
    assert signal.getsignal(signal.SIGTERM) is on_signal
    model.chp._run.close()

    assert signal.getsignal(signal.SIGTERM) is not on_signal


def test_a_save_that_fails_leaves_all_the_same(caplog):
    def broken(stop):
        chp = Checkpoint("broken", rate="1h", args="saved", exclude=["stop"])
        chp.restore()
        for epoch in chp.loop(range(4)):
            if epoch == stop:
                place = chp._run.engine.store.place
                for file in place.iterdir():
                    file.unlink()
                place.rmdir()
                place.write_text("no folder")
                send()

    assert is_left(lambda: broken(2))
    assert any("could not save" in line for line in caplog.messages)
    gc.collect()  # from 3.12 on an error that leaves a `with` of contextlib is in a cycle


@resumable(rate="1h", cache=True)
def count(n, act):
    done = []
    while len(done) < n:
        done.append(len(done))
        act(len(done))
        sync()
    return done


def test_a_resumable_call_saves_and_leaves():
    acts = [3]

    def act(k):
        if acts and k == acts[0]:
            acts.clear()
            send()

    assert is_left(lambda: count(6, act))
    assert count(6, act) == [0, 1, 2, 3, 4, 5]


@resumable(rate="1h", cache=True)
def catching(n, act):
    done = []
    try:
        while len(done) < n:
            done.append(len(done))
            act(len(done))
            sync()
    except Preempted:
        return "early"
    return done


def test_a_resumable_call_that_catches_it_keeps_no_result_and_goes_on_next_time():
    acts = [3]

    def act(k):
        if acts and k == acts[0]:
            acts.clear()
            send()

    assert catching(6, act) == "early"
    assert catching(6, act) == [0, 1, 2, 3, 4, 5]


def test_an_object_that_is_dropped_gives_the_handlers_back():
    class Trainer:
        def __init__(self):
            self.chp = Checkpoint("trainer", of=self)
            self.chp.restore()

    trainer = Trainer()
    assert signal.getsignal(signal.SIGTERM) is on_signal

    del trainer
    gc.collect()

    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


def test_preempted_crosses_processes():
    assert pickle.loads(pickle.dumps(Preempted(85))).code == 85
