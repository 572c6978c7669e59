"""rate="auto": as many saves as a share of the run time pays for, told from numbers alone."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from resume.errors import ConfigError
from resume.triggers import Schedule

NOISE = ("steady", "uniform", "lognormal", "outliers", "growing", "two kinds")


def auto(**options):
    return Schedule("auto", **options)


@pytest.mark.parametrize(
    ("save_s", "wait_s"), [(0.0, 0.1), (0.0001, 0.1), (0.05, 4.95), (1.0, 99.0), (3600.0, 300.0)]
)
def test_a_save_is_followed_by_a_hundred_times_its_cost(save_s, wait_s):
    """At least a tenth of a second apart, and at most five minutes."""
    assert auto().next_due_at(100.0, save_s) == pytest.approx(100.0 + wait_s)


@pytest.mark.parametrize(("share", "wait_s"), [(0.5, 1.0), (0.1, 9.0), (1, 0.1), (0.001, 300.0)])
def test_the_share_is_the_users(share, wait_s):
    assert auto(max_overhead=share).next_due_at(0.0, 1.0) == pytest.approx(wait_s)


@pytest.mark.parametrize(("loss", "wait_s"), [("10s", 10.0), (0.01, 0.01), (math.inf, 99.0)])
def test_the_longest_wait_is_the_users_and_wins(loss, wait_s):
    """Where both cannot hold, saves take more than their share rather than lose more."""
    assert auto(max_loss=loss).next_due_at(0.0, 1.0) == pytest.approx(wait_s)


def test_the_writer_counts():
    """Every second of the writer may have been taken from the program, so it is paid as well."""
    schedule = auto()
    schedule.next_due_at(100.0, 0.1)

    schedule.note_cost(0.1, 0.9)

    assert schedule.due_at == pytest.approx(100.0 + 1.0 / 0.01 - 0.1)
    assert not schedule.is_due(199.8, 109.9, 100.0)
    assert schedule.is_due(199.91, 109.9, 100.0)


def test_what_the_writer_needed_last_is_the_guess_for_the_next():
    schedule = auto()
    schedule.next_due_at(100.0, 0.1)
    schedule.note_cost(0.1, 0.4)

    guessed = schedule.next_due_at(1000.0, 0.1)
    assert guessed == pytest.approx(1000.0 + 0.5 / 0.01 - 0.1)

    schedule.note_cost(0.1, 0.1)
    assert schedule.due_at == pytest.approx(1000.0 + 0.2 / 0.01 - 0.1)


def test_a_cost_may_be_noted_before_the_wait_is_asked_for():
    """A save that waits for the disk is measured when it returns: no cost counts twice."""
    schedule = auto()

    for now in (100.0, 1000.0):
        schedule.note_cost(0.2, 0.3)
        assert schedule.next_due_at(now, 0.2) == pytest.approx(now + 0.5 / 0.01 - 0.2)


def test_a_save_that_nobody_measured_is_paid_as_guessed():
    """A failed one took its time too."""
    schedule = auto()
    schedule.next_due_at(100.0, 1.0)

    assert schedule.next_due_at(150.0, 1.0) == pytest.approx(150.0 + (99.0 - 49.0) + 99.0)


def test_a_cost_counts_for_one_save():
    """The pause of the next save is its own, whether or not anybody notes it."""
    schedule = auto()
    schedule.note_cost(0.2, 0.0)
    schedule.next_due_at(100.0, 0.2)

    assert schedule.next_due_at(1000.0, 1.0) == pytest.approx(1099.0)


def test_a_save_ahead_of_time_leaves_the_rest_owed():
    """Saves by hand are part of the share: the next one by time comes that much later."""
    schedule = auto()
    schedule.next_due_at(100.0, 0.5)

    assert schedule.next_due_at(110.5, 0.5) == pytest.approx(110.5 + 39.5 + 49.5)


def test_time_that_passed_beyond_the_debt_is_not_put_by():
    """Or an hour without a safe point would pay for a burst of saves."""
    schedule = auto()
    schedule.next_due_at(100.0, 0.5)

    assert schedule.next_due_at(3700.0, 0.5) == pytest.approx(3700.0 + 49.5)


@pytest.mark.parametrize(("loss", "first_s"), [("5m", 30.0), ("10s", 10.0)])
def test_before_anything_is_measured(loss, first_s):
    """The first save waits half a minute, or what may be lost where that is less."""
    schedule = auto(max_loss=loss)

    assert schedule.rate_s == first_s
    assert schedule.due_at == -math.inf
    assert not schedule.is_due(first_s - 0.1, -math.inf, 0.0)
    assert schedule.is_due(first_s, -math.inf, 0.0)


def test_a_run_that_goes_on_waits_as_one_that_begins():
    """The way back to the saved place is no save, and tells nothing of what one takes."""
    schedule = auto()

    assert schedule.first_due_at(100.0) == 130.0
    assert schedule.wait_s == 30.0
    assert not schedule.is_due(129.9, 130.0, 100.0)
    assert auto(iterations=2).first_due_at(100.0) == -math.inf


def test_the_wait_is_told_to_whoever_asks_from_beside():
    schedule = auto()

    schedule.next_due_at(100.0, 1.0)
    assert schedule.wait_s == pytest.approx(99.0)

    schedule.note_cost(1.0, 1.0)
    assert schedule.wait_s == pytest.approx(199.0)


def test_a_cost_noted_before_the_first_save_ended_is_no_time():
    schedule = auto()

    schedule.note_cost(0.1, 0.1)

    assert schedule.due_at == -math.inf
    assert not schedule.is_due(29.9, -math.inf, 0.0)


def test_count_and_share_together():
    """`iterations` adds to what the share allows."""
    schedule = auto(iterations=1000)

    assert schedule.next_due_at(100.0, 0.1) == -math.inf
    assert schedule.due_at == -math.inf
    assert not schedule.is_due(109.8, -math.inf, 100.0)
    assert schedule.is_due(109.91, -math.inf, 100.0)


def test_a_fixed_rate_asks_for_no_cost():
    """What saves take matters to "auto" alone."""
    schedule = Schedule(10)
    schedule.next_due_at(100.0, 5.0)

    schedule.note_cost(5.0, 5.0)

    assert schedule.due_at == 110.0
    assert schedule.is_due(110.0, 110.0, 100.0)


@pytest.mark.parametrize("share", [0, -0.1, 1.01, math.nan, True, "1%", None])
def test_no_share(share):
    with pytest.raises(ConfigError, match="^max_overhead=.*above 0 and at most 1"):
        auto(max_overhead=share)


@pytest.mark.parametrize("loss", [0, "0s", -1, "soon", None])
def test_no_loss(loss):
    with pytest.raises(ConfigError, match="^max_loss="):
        auto(max_loss=loss)


# --- whole runs, on a clock of numbers ---------------------------------------------------------


@dataclass
class Played:
    """What a simulated run came to."""

    run_s: float = 0.0
    overhead_s: float = 0.0
    dearest_s: float = 0.0
    saves: int = 0
    waits: list[float] = field(default_factory=list)
    """From the end of a save to the begin of the next."""
    shares: list[float] = field(default_factory=list)
    """Overhead by run time, just before each save but the first."""


def play(schedule, costs, gap_s=0.01):
    """A program with a safe point each *gap_s* seconds, and a background writer."""
    now = saved_at = 0.0
    due_at = schedule.rate_s
    played = Played()
    for pause_s, writer_s in costs:
        while not schedule.is_due(now, due_at, saved_at):
            now = max(now + gap_s, schedule.due_at)
        if played.saves:
            played.waits.append(now - saved_at)
            played.shares.append(played.overhead_s / now)
        now += pause_s
        saved_at = now
        schedule.next_due_at(now, pause_s)
        schedule.note_cost(pause_s, writer_s)  # it ends before the next save begins
        due_at = schedule.due_at
        played.saves += 1
        played.overhead_s += pause_s + writer_s
        played.dearest_s = max(played.dearest_s, pause_s + writer_s)
    played.run_s = now
    return played


def costs_of(kind: str, seed: int, count: int) -> Iterator[tuple[float, float]]:
    """Pauses and writers' seconds of *count* saves."""
    chance = random.Random(seed)
    for number in range(count):
        pause_s, writer_s = {
            "steady": (0.02, 0.1),
            "uniform": (chance.uniform(0, 0.1), chance.uniform(0, 0.4)),
            "lognormal": (chance.lognormvariate(-4, 1), chance.lognormvariate(-3, 1)),
            "outliers": (5.0 if chance.random() < 0.02 else 0.01, 0.02),
            "growing": (0.001 * number, 0.002 * number),
            "two kinds": ((0.001, 0.0) if number % 2 else (0.2, 1.0)),
        }[kind]
        yield pause_s, writer_s


@pytest.mark.parametrize("share", [0.003, 0.01, 0.1])
@pytest.mark.parametrize("kind", NOISE)
def test_over_a_run_the_share_holds(kind, share):
    """Noisy costs and outliers included, where what may be lost sets no bound."""
    played = play(auto(max_overhead=share, max_loss=math.inf), costs_of(kind, 1, 500))

    assert max(played.shares) <= share * (1 + 1e-9)
    assert played.overhead_s / played.run_s <= share + played.dearest_s / played.run_s


@pytest.mark.parametrize("kind", NOISE)
def test_the_share_is_made_use_of(kind):
    """Saves come about as often as the share allows, not less."""
    played = play(auto(max_loss=math.inf), costs_of(kind, 2, 500))

    assert played.overhead_s / played.run_s > 0.009


def test_the_share_holds_where_saves_that_came_early_are_made_up_for():
    """A dear save is paid for over several of the longest waits, and the share holds again."""
    costs = [(0.01, 0.0)] * 5 + [(9.0, 0.0)] + [(0.01, 0.0)] * 40
    played = play(auto(), costs)

    assert max(played.waits) <= 300.0 + 0.02
    assert sum(wait > 299 for wait in played.waits) in (2, 3)
    assert max(played.shares) > 0.02
    assert played.overhead_s / played.run_s < 0.0101


def test_saves_that_cost_too_much_come_as_the_loss_demands():
    """Ten seconds each, and five minutes apart: max_loss wins, for as long as it must."""
    played = play(auto(), [(10.0, 0.0)] * 20)

    assert all(299.99 <= wait <= 300.02 for wait in played.waits)


def test_cheap_saves_after_dear_ones_are_no_burst():
    """The share holds in each stretch, too."""
    cheap, dear = [(0.0001, 0.0)] * 5000, [(1.0, 0.0)] * 5
    played = play(auto(), [*cheap, *dear])

    assert min(played.waits[-4:]) >= 98.9


@settings(deadline=None)
@given(
    share=st.floats(0.001, 1.0),
    loss_s=st.floats(0.05, 1000.0),
    gap_s=st.floats(0.001, 50.0),
    costs=st.lists(st.tuples(st.floats(0.0, 10.0), st.floats(0.0, 10.0)), min_size=2, max_size=40),
)
def test_for_any_costs(share, loss_s, gap_s, costs):
    """No wait is longer than max_loss, and none but such a wait ends before the share holds."""
    played = play(auto(max_overhead=share, max_loss=loss_s), costs, gap_s)

    assert all(min(0.1, loss_s) - 1e-6 <= wait <= loss_s + gap_s + 1e-6 for wait in played.waits)
    for wait, spent in zip(played.waits, played.shares, strict=True):
        assert spent <= share * (1 + 1e-6) or wait >= loss_s - 1e-6
