"""A program that is stopped anywhere, and entered again, ends as if nothing had happened."""

from __future__ import annotations

import pytest
from stack_programs import PROGRAMS
from stopping import CONSTRUCTS, every_line

PROGRAMS = {**CONSTRUCTS, **PROGRAMS}


@pytest.mark.parametrize("name", PROGRAMS)
def test_goes_on_from_every_line(name):
    machine = every_line(PROGRAMS[name])

    print(machine.points, machine.replaced, sorted(set(machine.postponed)))
    assert machine.points >= 5


@pytest.mark.parametrize("name", PROGRAMS)
def test_goes_on_any_number_of_times(name):
    """What goes on is stopped again a few lines later, and again, until the end."""
    machine = every_line(PROGRAMS[name], *[3] * 30, stride=17)

    assert machine.points >= 1
    assert machine.most_stops >= 4
