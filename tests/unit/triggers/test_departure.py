"""The last save is asked for while it is still possible."""

from __future__ import annotations

import itertools
import time

import pytest
from schedulers import Commands

from resume.errors import ConfigError, Preempted, StoreError
from resume.triggers.asked import Leave
from resume.triggers.deadline import Deadline
from resume.triggers.departure import Departure, departure
from resume.triggers.durations import Durations


class Clock:
    """A clock that the test sets."""

    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def said(caplog):
    caplog.set_level("INFO", "resume")
    return caplog


def ending(clock, in_s, before_end_s=300.0, *, gaps=(), saves=(), requeue=None):
    """A departure, and what is measured until then."""
    measured = []
    for durations in (gaps, saves):
        measured.append(Durations())
        for seconds in durations:
            measured[-1].note(seconds)
    return Departure(
        Deadline(clock.now + in_s, clock, "END"),
        before_end_s,
        gaps=measured[0],
        saves=measured[1],
        leave=Leave(),
        requeue=requeue,
    )


def asked_at(clock, source, until=100_000.0):
    """When it asks, if it is looked at whenever it wants to be."""
    began = clock.now
    for _ in range(100_000):
        asked = source.look(0.0)
        if asked is not None:
            return clock.now - began, asked
        step = source.next_look_at(7.0) - 7.0
        assert 0.0 <= step <= 10.0
        clock.now += max(step, 0.001)
        if clock.now - began > until:
            break
    return None


def test_before_the_end(clock):
    at, asked = asked_at(clock, ending(clock, 3600, 300.0))

    assert at == pytest.approx(3300, abs=0.01)
    assert (asked.trigger, asked.why) == ("deadline", "END: 5m left")
    error = asked.leaves.error()
    assert isinstance(error, Preempted)
    assert error.code == 143


@pytest.mark.parametrize(
    ("gaps", "saves", "at"),
    [
        ([60.0] * 20, [100.0] * 20, 3300),  # all of it fits into before_end
        # one that is due by time may just have begun
        ([400.0] * 20, [100.0] * 20, 3000),
        ([], [1000.0], 1600),
        ([1000.0], [], 2600),
        # one in twenty may take longer; two may not
        ([10.0] * 19 + [2000.0], [10.0] * 20, 3300),
        ([10.0] * 18 + [2000.0] * 2, [10.0] * 20, 1580),
    ],
)
def test_earlier_where_a_save_and_the_way_to_it_take_longer(clock, gaps, saves, at):
    found, _ = asked_at(clock, ending(clock, 3600, 300.0, gaps=gaps, saves=saves))

    assert found == pytest.approx(at, abs=0.01)


def test_it_tells_why_it_leaves_earlier(clock):
    source = ending(clock, 500, 60.0, gaps=[400.0], saves=[125.0])

    assert source.look(0.0).why == (
        "END: 8m20s left, a save takes up to 2m5s and the way to the next safe point 6m40s"
    )


def test_what_is_measured_later_moves_it_ahead(clock):
    """Nothing is measured yet when the program begins."""
    gaps = Durations()
    deadline = Deadline(clock.now + 3600, clock, "END")
    source = Departure(deadline, 60.0, gaps=gaps, saves=Durations(), leave=Leave())
    clock.now += 1800
    assert source.look(0.0) is None

    gaps.note(2000.0)

    assert source.look(0.0) is not None


def test_it_asks_once(clock):
    source = ending(clock, 100)

    assert source.look(0.0) is not None
    assert [source.look(float(now)) for now in range(5)] == [None] * 5


def test_a_deadline_that_is_past_asks_at_the_first_look(clock):
    assert ending(clock, -50).look(0.0).why == "END: the time is up"


def test_a_clock_that_is_set_and_a_machine_that_slept_are_seen(clock):
    """The next look is never far: by then hours of the wall clock may have passed."""
    source = ending(clock, 36_000)
    assert source.look(0.0) is None
    assert source.next_look_at(7.0) == 17.0

    clock.now += 35_900

    assert source.look(10.0) is not None


def test_no_deadline_no_source():
    given = dict(gaps=Durations(), saves=Durations(), leave=Leave())

    assert departure(None, 300.0, **given) is None
    assert departure("auto", 300.0, **given) is None
    with pytest.raises(ConfigError, match="deadline='soon' is no deadline"):
        departure("soon", 300.0, **given)


def test_with_a_deadline_the_line_is_said(monkeypatch, said):
    monkeypatch.setenv("SLURM_JOB_END_TIME", str(int(time.time()) + 86_399))

    source = departure("auto", 300.0, gaps=Durations(), saves=Durations(), leave=Leave())

    assert source.look(0.0) is None
    source.close()
    [line] = said.messages
    assert line in {
        f"⏱ wall clock: 23h{left}m left (SLURM_JOB_END_TIME): will save and leave at 23h{at}m"
        for left, at in itertools.product((58, 59), (53, 54))
    }


# --- the queue ---------------------------------------------------------------------------------


@pytest.fixture
def commands(tmp_path, monkeypatch):
    made = Commands(tmp_path / "bin")
    monkeypatch.setenv("PATH", f"{made.folder}:/usr/bin:/bin")
    made.prints("scontrol", "")
    return made


def test_the_job_is_requeued_when_its_state_is_durable(clock, commands):
    asked = ending(clock, 100, requeue="123").look(0.0)
    assert commands.calls("scontrol") == []

    asked.answer(7, None)

    assert commands.calls("scontrol") == ["requeue 123"]


def test_a_job_that_nothing_is_saved_of_is_not_requeued(clock, commands, said):
    """It would begin where it has begun this time, again and again."""
    asked = ending(clock, 100, requeue="123").look(0.0)

    asked.answer(None, StoreError("the disk is full"))

    assert commands.calls("scontrol") == []
    [line] = said.messages
    assert line == (
        "⚠ the job is not put into the queue again, for nothing was saved: the disk is full"
    )


def test_nothing_is_requeued_unasked(clock, commands):
    asked = ending(clock, 100).look(0.0)

    asked.answer(7, None)

    assert commands.calls("scontrol") == []
