"""Random programs behave rewritten as they do plain, wherever they are stopped."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent.parent / "corpus"))

from random_programs import random_program
from reentry_programs import program_at
from reentry_proof import Machine, prove


@pytest.fixture(scope="module")
def machine():
    """One interpreter for all of them."""
    machine = Machine()
    yield machine
    machine.close()


def proved(seed, machine, folder, stops):
    """Write the program of a seed and prove it; returns the verdict."""
    path = folder / f"random_{seed}.py"
    path.write_text(random_program(f"program {seed}"), encoding="utf-8")
    return prove(program_at(path), machine, folder, scale=None, stops=stops, seed=seed)


@pytest.mark.shared
@pytest.mark.parametrize("seed", range(30))
def test_random_programs_go_on_as_if_nothing_had_happened(seed, machine, tmp_path):
    """Undisturbed, and stopped at places drawn over the whole run."""
    verdict = proved(seed, machine, tmp_path, stops=6)

    assert verdict.differences == []
    assert verdict.stops


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(30, 530))
def test_many_random_programs_go_on_as_if_nothing_had_happened(seed, machine, tmp_path):
    """Five hundred more, from more places."""
    verdict = proved(seed, machine, tmp_path, stops=20)

    assert verdict.differences == []


def test_random_programs_do_much():
    """They hold all constructs between them, and the same seed gives the same program."""
    all_of_them = "".join(random_program(f"program {seed}") for seed in range(30))

    for construct in ("yield from", "match ", "with ", "except ", "else:", "lambda", "nonlocal"):
        assert construct in all_of_them
    assert random_program("x") == random_program("x") != random_program("y")
