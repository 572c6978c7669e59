"""Saves that somebody else asks for: what they are made of, who is told, how the run is left."""

from __future__ import annotations

import math
import shutil
import threading
from pathlib import Path

import pytest

from resume import CaptureError, Checkpoint, Preempted, resumable, sync
from resume.store import Store
from resume.triggers.asked import Asked, Leave

PATIENCE_S = 60.0


class Idle:
    """A source that never asks."""

    def __init__(self):
        self.looks = 0

    def look(self, now):
        self.looks += 1

    def next_look_at(self, now):
        return math.inf

    def close(self):
        pass


class Told:
    def __init__(self):
        self.answers = []

    def __call__(self, number, why):
        self.answers.append((number, type(why)))


def newest(name):
    return Store(Path.cwd() / ".checkpoints", name).newest()


def asked(told=None, *, leaves=None, **extra):
    return Asked("request", "a file", leaves, extra, told or Told())


def test_a_save_that_is_asked_for_is_durable_before_it_is_answered():
    told = Told()

    def fit():
        chp = Checkpoint("fit", rate="1h", extra={"mine": 1})
        n = 0
        chp.restore()
        while n < 6:
            if n == 3:
                chp._run.asking.ask(asked(told, theirs=2))
            n += 1
            saved = chp.sync()
            assert bool(saved) == (n == 4)
            assert not saved or saved.is_durable

    fit()

    assert told.answers == [(1, type(None))]
    assert newest("fit").draft.trigger == "request"
    assert newest("fit").draft.extra == {"mine": 1, "theirs": 2}


@pytest.mark.parametrize(
    ("mine", "kept"),
    [(None, {"theirs": 2}), ([1], {"extra": [1], "theirs": 2}), ({"theirs": 1}, {"theirs": 2})],
)
def test_what_is_asked_with_stands_beside_the_users_own_extra(mine, kept):
    def fit():
        chp = Checkpoint("fit", rate="1h", extra=mine)
        chp.restore()
        chp._run.asking.ask(asked(theirs=2))
        chp.sync()

    fit()

    assert newest("fit").draft.extra == kept


def test_inside_a_loop_the_save_waits_for_the_items_end():
    told, seen = Told(), []

    def fit():
        chp = Checkpoint("fit", rate="1h")
        done = 0
        chp.restore()
        for k in chp.loop(range(5)):
            if k == 2:
                chp._run.asking.ask(asked(told))
                seen.append(chp.sync().why)
                seen.append(newest("fit"))
            done += 1

    fit()

    assert seen == ["at the end of the loop's item", None]
    assert told.answers == [(1, type(None))]
    assert newest("fit").draft.position["loops"][0]["done"] == 3


def test_the_program_is_left_at_the_safe_point_and_goes_on_there():
    def fit(stop):
        chp = Checkpoint("fit", rate="1h", exclude=["stop"], args="saved")
        done = []
        chp.restore()
        for k in chp.loop(range(5)):
            if k == stop:
                chp._run.asking.ask(asked(leaves=Leave(lambda: Preempted(85))))
            done.append(k)
        return done

    with pytest.raises(Preempted) as left:
        fit(2)

    assert left.value.code == 85
    assert newest("fit").draft.position["loops"][0]["done"] == 3
    assert fit(None) == [0, 1, 2, 3, 4]


def test_a_failed_save_is_answered_and_the_program_left_all_the_same(caplog):
    told = Told()

    def fit():
        chp = Checkpoint("fit", rate="1h")
        chp.restore()
        shutil.rmtree(chp._run.engine.store.place)
        chp._run.engine.store.place.write_text("no folder")
        chp._run.asking.ask(asked(told, leaves=Leave()))
        chp.sync()

    with pytest.raises(Preempted):
        fit()

    assert [number for number, _ in told.answers] == [None]
    assert "could not save" in caplog.text


@pytest.mark.parametrize("leaves", [True, False])
def test_what_cannot_be_captured_is_answered_too(leaves):
    told = Told()

    def fit():
        chp = Checkpoint("fit", rate="1h", strict=True)
        chp.restore()
        lines = open(__file__, "rb", buffering=0)  # no copy can stand for it
        try:
            chp._run.asking.ask(asked(told, leaves=Leave() if leaves else None))
            chp.sync()
        finally:
            lines.close()

    with pytest.raises(Preempted if leaves else CaptureError):
        fit()

    assert [number for number, _ in told.answers] == [None]
    assert issubclass(told.answers[0][1], CaptureError)


def test_an_end_without_a_safe_point_is_answered():
    told = Told()

    def fit():
        chp = Checkpoint("fit", rate="1h")
        chp.restore()
        chp._run.asking.ask(asked(told))

    fit()

    assert [number for number, _ in told.answers] == [None]
    assert newest("fit") is None


def test_a_thread_may_ask():
    told = Told()

    def ask_from_a_thread(asking):
        thread = threading.Thread(target=lambda: asking.ask(asked(told)))
        thread.start()
        thread.join(PATIENCE_S)

    def fit():
        chp = Checkpoint("fit", rate="1h")
        n = 0
        chp.restore()
        ask_from_a_thread(chp._run.asking)
        for n in chp.loop(range(3)):
            pass

    fit()

    assert told.answers == [(1, type(None))]


def test_a_look_counts_no_safe_point_and_makes_no_save():
    """With sources and without, saves come at the same counts."""

    def fit(name, add):
        chp = Checkpoint(name, iterations=5, rate="1h", exclude=["add"])
        made = []
        chp.restore()
        add(chp)
        for n in range(1, 23):
            if chp.sync():
                made.append(n)
        return made

    idle = Idle()
    with pytest.warns(match="plain `for`"):
        assert fit("without", lambda chp: None) == [5, 10, 15, 20]
    with pytest.warns(match="plain `for`"):
        assert fit("with", lambda chp: chp._run.asking.add(idle)) == [5, 10, 15, 20]
    assert idle.looks >= 1


def test_with_sources_sync_stays_a_clock_read():
    """Behind a look and the gap that is measured there, the next look is in the future."""

    def fit():
        chp = Checkpoint("fit", rate="1h")
        n = 0
        chp.restore()
        chp._run.asking.add(idle)
        due = []
        while n < 4:
            n += 1
            chp.sync()
            due.append(chp._run.due_at)
        assert newest("fit") is None
        return due, chp._run.asking

    idle = Idle()
    due, asking = fit()

    assert due[0] == -math.inf
    assert all(math.isfinite(one) for one in due[1:])
    assert len(asking.gaps) >= 1


def test_saves_are_measured():
    def fit(background):
        chp = Checkpoint("fit", rate=0, background=background, clean=True)
        n = 0
        chp.restore()
        while n < 3:
            n += 1
            chp.sync()
        chp.save()
        return len(chp._run.asking.saves)

    assert fit(background=False) == 4
    assert fit(background=True) == 4


@resumable(rate="1h", cache=True)
def count(n, act):
    done = []
    while len(done) < n:
        done.append(len(done))
        act(len(done))
        sync()
    return done


def test_a_resumable_call_is_asked_as_well():
    told = Told()

    def act(k):
        from resume.reentry.wrappers import running  # no global: it would be one of the program

        if k == 2 and not told.answers:
            asking = running[-1]._execution.asking
            asking.ask(asked(told, leaves=Leave(lambda: Preempted(85)), theirs=2))

    with pytest.raises(Preempted):
        count(5, act)

    assert told.answers == [(1, type(None))]
    (place,) = Path(".checkpoints").glob("*/*.manifest.json")
    assert '"theirs":2' in place.read_text().replace(" ", "")
    assert count(5, act) == [0, 1, 2, 3, 4]
