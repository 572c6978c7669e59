"""Every program of the corpus behaves rewritten as it does plain, wherever it is stopped."""

from __future__ import annotations

import pytest
from reentry_programs import programs
from reentry_proof import Machine, prove

ALL = programs()


@pytest.fixture(scope="module")
def machine():
    """One interpreter for all of them."""
    machine = Machine()
    yield machine
    machine.close()


@pytest.fixture(params=ALL, ids=lambda program: program.name)
def program(request):
    """Each of them; skipped where a library that it needs is not here."""
    if missing := request.param.missing():
        pytest.skip(f"{missing} is not installed")
    return request.param


@pytest.mark.parametrize(
    "program",
    # PyTorch is not installed for every Python
    [
        pytest.param(each, id=each.name, marks=[] if "torch" in each.needs else pytest.mark.shared)
        for each in ALL
    ],
    indirect=True,
)
def test_goes_on_as_if_nothing_had_happened(program, machine, tmp_path):
    """With little work: stdout, stderr, files and exit status, undisturbed and stopped."""
    stops = 0 if program.lifetimes else 6

    verdict = prove(program, machine, tmp_path, scale=1, stops=stops, seed=0)

    assert verdict.differences == []
    assert program.exits == verdict.plain.code
    assert bool(verdict.stops) == (not program.postponed and stops > 0), verdict.postponed
    assert sorted(verdict.plain.files) == sorted(program.writes)


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("seed", range(3))
def test_goes_on_from_many_places(program, machine, tmp_path, seed):
    """The same from fifty places in each round, with more rounds."""
    if program.lifetimes:
        pytest.skip(program.lifetimes)

    verdict = prove(program, machine, tmp_path, scale=2 + seed, stops=50, seed=seed + 1)

    assert verdict.differences == []


@pytest.mark.slow
def test_is_long_enough_to_be_killed(program, machine, tmp_path):
    """As it is written it does much more, and the same rewritten."""
    verdict = prove(program, machine, tmp_path, scale=None, stops=0, seed=0)

    assert verdict.differences == []
    assert program.scale > 1


@pytest.mark.parametrize("program", ALL, ids=lambda program: program.name)
def test_says_what_it_is_about(program):
    """One line, so that a list of all of them can be read."""
    assert program.docstring.endswith(".")
    assert "\n" not in program.docstring
