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
    (scratch / "ticks.py").write_text((PROGRAMS / "ticks.py").read_text())
    for seed in seeds:
        source = program(seed)
        path = scratch / f"seed_{seed}.py"
        path.write_text(source)
        _, tally = kill_everywhere(nursery, path, scratch / f"{seed}", most_commits=6)
        assert not tally.third, f"seed {seed}, " + "\n".join(tally.third) + f"\n{source}"
        ends += tally.ends
    assert ends["equal"] >= SHARE_OF_EQUAL * ends.total(), ends


@pytest.mark.shared
@pytest.mark.parametrize("first", range(0, 30, SEEDS_A_TEST))
def test_thirty_seeds(nursery, scratch, first):
    """Thirty programs, each killed at up to a dozen moments, some of them three times."""
    check(nursery, scratch, range(first, first + SEEDS_A_TEST))


@pytest.mark.slow
@pytest.mark.parametrize("first", range(30, 530, SEEDS_A_TEST))
def test_five_hundred_seeds(nursery, scratch, first):
    """Five hundred more."""
    check(nursery, scratch, range(first, first + SEEDS_A_TEST))
