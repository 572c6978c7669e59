"""What a run is asked for from outside: who is looked at when, and how long it waits."""

from __future__ import annotations

import math

import pytest

from resume.asking import Asking
from resume.errors import Preempted, StoreError
from resume.triggers.asked import Asked, Leave


class Told:
    """What was answered."""

    def __init__(self):
        self.answers = []

    def __call__(self, number, why):
        self.answers.append((number, type(why)))


class Clock:
    """A source that asks once, at a time of its own."""

    def __init__(self, at=math.inf, asked=None):
        self.at, self.asked = at, asked
        self.looks = []
        self.closed = 0

    def look(self, now):
        self.looks.append(now)
        if now < self.at:
            return None
        self.at = math.inf
        return self.asked

    def next_look_at(self, now):
        return self.at

    def close(self):
        self.closed += 1


def asked(trigger="request", **more):
    return Asked(trigger, f"by {trigger}", **more)


def test_nobody_asks_and_nothing_is_looked_at():
    asking = Asking()

    assert asking.look(100.0) is None
    assert asking.next_look_at == math.inf
    assert len(asking.gaps) == 0


def test_who_asks_wakes_the_next_safe_point():
    woken = []
    asking = Asking(lambda: woken.append(True))
    one = asked()

    asking.ask(one)

    assert woken == [True]
    assert asking.next_look_at == -math.inf
    assert asking.look(100.0) is one
    assert asking.is_asked


def test_what_leaves_counts_before_the_rest_and_one_save_answers_all():
    asking, told = Asking(), Told()
    asking.ask(asked("request", answer=told, extra={"who": "a", "n": 1}))
    asking.ask(asked("signal", answer=told, leaves=Leave(), extra={"n": 2}))
    asking.ask(asked("request", answer=told))

    assert asking.look(0.0).trigger == "signal"
    wishes = asking.take()

    assert (wishes.trigger, wishes.leaves) == ("signal", True)
    assert wishes.why == "by signal, by request"
    assert wishes.extra == {"who": "a", "n": 1}
    assert not asking.is_asked
    wishes.answer(7)
    wishes.answer(None, StoreError("too late"))
    assert told.answers == [(7, type(None))] * 3


def test_what_is_asked_for_during_a_save_waits_for_the_next():
    asking = Asking()
    asking.ask(asked())
    wishes = asking.take()
    asking.ask(asked("preempt"))

    assert asking.take().trigger == "preempt"
    asking.give_back(wishes)
    assert asking.take().trigger == "request"


def test_the_way_out_is_what_comes_first_or_the_error():
    def host():
        raise InterruptedError

    asking, done = Asking(), []
    asking.ask(asked(leaves=Leave(lambda: Preempted(85), lambda: done.append(True))))
    error = asking.take().way_out()
    assert isinstance(error, Preempted)
    assert error.code == 85
    assert done == [True]

    asking.ask(asked(leaves=Leave(before=host)))
    with pytest.raises(InterruptedError):
        asking.take().way_out()


def test_a_source_is_looked_at_once_a_second_and_at_its_own_time():
    asking = Asking()
    clock = Clock(101.25, asked("deadline"))
    asking.add(clock)

    seen = [asking.look(now) for now in (100.0, 100.5, 101.0, 101.1, 101.25, 101.3)]

    assert clock.looks == [100.0, 101.0, 101.25]
    assert [one.trigger if one else None for one in seen] == [None] * 4 + ["deadline"] * 2


def test_the_time_of_the_next_look_is_never_further_than_a_second():
    asking = Asking()
    asking.add(Clock())
    assert asking.next_look_at == -math.inf

    asking.look(100.0)
    assert asking.next_look_at == -math.inf  # the next safe point tells how long a gap is
    asking.look(100.25)
    assert asking.next_look_at == 101.0


def test_one_gap_a_second_is_measured():
    """The one behind each look, whatever stands between the looks."""
    asking = Asking()
    asking.add(Clock())
    for now in (100.0, 100.25, 100.5, 101.0, 103.0, 103.125, 104.5, 104.75):
        asking.look(now)

    assert len(asking.gaps) == 4
    assert asking.gaps.most() == 2.0  # 0.25, 2.0, 0.125, 0.25


def test_a_save_is_no_part_of_a_gap():
    asking = Asking()
    asking.add(Clock())
    asking.look(100.0)
    asking.paused(105.0)
    asking.look(105.5)

    assert asking.gaps.most() == 0.5


def test_safe_points_are_coming_while_the_last_one_is_not_long_ago():
    asking = Asking()
    asking.add(Clock())
    assert not asking.are_coming(0.0)

    asking.look(100.0)
    assert asking.are_coming(110.0)
    assert not asking.are_coming(111.5)

    asking.look(104.0)  # a gap of 4 s
    assert asking.are_coming(124.0)
    assert not asking.are_coming(126.0)


def test_a_timer_looks_without_a_safe_point():
    woken = []
    asking = Asking(lambda: woken.append(True))
    asking.add(Clock(100.5, asked("deadline")))
    woken.clear()

    assert asking.poll(100.0) is None
    assert asking.next_poll_at == 100.5
    assert asking.poll(100.5) is not None
    assert woken == [True]
    assert asking.seen_at is None


def test_a_look_during_a_look_asks_no_source():
    """The timer's thread and the main one."""

    class Twice(Clock):
        def look(self, now):
            super().look(now)
            asking.poll(now + 5)

    asking, source = Asking(), Twice()
    asking.add(source)
    asking.look(100.0)

    assert source.looks == [100.0]


def test_the_end_tells_who_still_waits_and_closes_the_sources_once():
    asking, told, clock = Asking(), Told(), Clock()
    asking.add(clock)
    asking.ask(asked(answer=told))

    asking.close()
    asking.close()

    assert told.answers == [(None, StoreError)]
    assert clock.closed == 1
    assert asking.next_look_at == math.inf


def test_a_forked_child_forgets_all():
    asking, told, clock = Asking(), Told(), Clock()
    asking.add(clock)
    asking.ask(asked(answer=told))

    asking.forget()
    asking.close()

    assert (told.answers, clock.closed) == ([], 0)
    assert not asking.is_asked
