"""Generated loop programs, killed after commits and between them: equal or refused."""

from __future__ import annotations

from collections import Counter

import pytest
from generate import program
from killing import PROGRAMS, kill_everywhere

SEEDS_A_TEST = 5
SHARE_OF_EQUAL = 0.6
"""Refusing everything must not pass: of the runs of five programs at least so many end equal."""


def check(nursery, scratch, seeds):
    ends = Counter()
    for seed in seeds:
        source = program(seed)
        path = scratch / f"seed_{seed}.py"
        path.write_text(source)
        whole, tally = kill_everywhere(nursery, path, scratch, most_commits=8)
        assert not tally.third, f"seed {seed}, " + "\n".join(tally.third) + f"\n{source}"
        assert not whole.report.get("error"), f"seed {seed}: {whole.stderr}\n{source}"
        ends += tally.ends
    assert ends["equal"] >= SHARE_OF_EQUAL * ends.total(), ends


@pytest.fixture
def scratch(tmp_path):
    """A folder where the programs find `ticks`."""
    (tmp_path / "ticks.py").write_text(PROGRAMS.joinpath("ticks.py").read_text())
    return tmp_path


@pytest.mark.parametrize("first", range(0, 30, SEEDS_A_TEST))
def test_thirty_seeds(nursery, scratch, first):
    """Thirty programs, each killed at up to fourteen moments, some of them three times."""
    check(nursery, scratch, range(first, first + SEEDS_A_TEST))


@pytest.mark.slow
@pytest.mark.parametrize("first", range(30, 530, SEEDS_A_TEST))
def test_five_hundred_seeds(nursery, scratch, first):
    """Five hundred more."""
    check(nursery, scratch, range(first, first + SEEDS_A_TEST))
