"""When a save is due: by time and by count of safe points."""

from __future__ import annotations

import math

import pytest

from resume.errors import ConfigError
from resume.triggers import Schedule


def test_by_time():
    """Due when `rate` has passed since the last save ended, and not before."""
    schedule = Schedule("1m")

    due_at = schedule.next_due_at(100.0, save_s=5.0)

    assert due_at == 160.0
    assert not schedule.is_due(159.9, due_at, 100.0)
    assert schedule.is_due(160.0, due_at, 100.0)


def test_rate_0_is_due_at_every_safe_point():
    schedule = Schedule(0)

    assert schedule.is_due(100.0, schedule.next_due_at(100.0), 100.0)


def test_by_count():
    """Every n-th safe point, counted anew after each save."""
    schedule = Schedule("1h", iterations=3)

    for _ in range(2):
        due_at = schedule.next_due_at(0.0)
        assert due_at == -math.inf
        assert [schedule.is_due(1.0, due_at, 0.0) for _ in range(3)] == [False, False, True]


def test_a_save_by_hand_starts_the_count_anew():
    schedule = Schedule("1h", iterations=3)
    schedule.is_due(1.0, -math.inf, 0.0)
    schedule.is_due(1.0, -math.inf, 0.0)

    schedule.next_due_at(2.0)

    assert not schedule.is_due(3.0, -math.inf, 2.0)


def test_the_count_begins_with_the_run():
    """Safe points on the way back to the saved place do not count."""
    schedule = Schedule("1h", iterations=2)
    schedule.is_due(1.0, -math.inf, 0.0)

    assert schedule.first_due_at(2.0) == -math.inf

    assert not schedule.is_due(3.0, -math.inf, 2.0)


def test_count_and_time_together():
    """`iterations` adds to `rate`, it does not replace it."""
    schedule = Schedule(10, iterations=1000)

    assert not schedule.is_due(9.0, -math.inf, 0.0)
    assert schedule.is_due(10.0, -math.inf, 0.0)


@pytest.mark.parametrize("iterations", [0, -1, 1.5, "3"])
def test_no_count(iterations):
    with pytest.raises(ConfigError, match="iterations="):
        Schedule(30, iterations)


def test_no_rate():
    with pytest.raises(ConfigError, match="rate='often'"):
        Schedule("often")
