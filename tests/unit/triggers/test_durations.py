"""How long something usually takes."""

from __future__ import annotations

import pytest

from resume.triggers.durations import Durations


def test_nothing_was_measured():
    assert Durations().most() is None


@pytest.mark.parametrize(
    ("noted", "most"),
    [([3.0], 3.0), ([1.0, 5.0, 2.0], 5.0), ([*range(1, 21)], 19), ([9.0, *[1.0] * 19], 1.0)],
)
def test_one_in_twenty_takes_longer(noted, most):
    durations = Durations()
    for seconds in noted:
        durations.note(seconds)

    assert durations.most() == most
    assert len(durations) == len(noted)


def test_what_is_long_ago_is_forgotten():
    durations = Durations(most=3)
    for seconds in [100.0, 1.0, 2.0, 3.0]:
        durations.note(seconds)

    assert len(durations) == 3
    assert durations.most() == 3.0
