"""The keys of items: short, unique, the same in every process."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass

import numpy as np
import pytest

from resume.errors import ConfigError
from resume.sweep.keys import Keys, key_of, shown


@dataclass
class Params:
    """An item of the user's own; it is not hashable."""

    depth: int
    rates: list


@pytest.mark.parametrize(
    ("item", "key"),
    [
        ("fold 1", "fold 1"),
        (3, "3"),
        (0.1, "0.1"),
        (None, "null"),
        ((1, "a"), '[1,"a"]'),
        ({"lr": 0.1, "depth": 3}, '{"depth":3,"lr":0.1}'),
        ({"depth": 3, "lr": 0.1}, '{"depth":3,"lr":0.1}'),
        ("ü", "ü"),
    ],
)
def test_short_items_are_their_own_keys(item, key):
    """People know them again in the log."""
    assert key_of(item) == key


def test_long_items_have_a_digest():
    """Equal ones the same, others another."""
    long = ["x" * 50] * 10

    assert key_of(long) == key_of(list(long))
    assert key_of(long) != key_of([*long, "y"])
    assert key_of("z" * 500).startswith("str:")
    assert len(key_of(long)) < 50


def test_objects_count_by_value():
    """Unhashable ones, too."""
    assert key_of(Params(1, [2])) == key_of(Params(1, [2]))
    assert key_of(Params(1, [2])) != key_of(Params(1, [3]))
    assert key_of(np.arange(3)) != key_of(np.arange(4))
    assert key_of({1: 2}) != key_of({2: 1})
    assert key_of(Params(1, [2])).startswith("Params:")


def test_deep_items_have_a_digest():
    deep = []
    for _ in range(60):
        deep = [deep]

    assert key_of(deep).startswith("list:")


def test_keys_are_the_same_in_another_process():
    """Whatever its hash seed."""
    program = (
        "from resume.sweep.keys import key_of\n"
        "print(key_of({'b', 'a', 'c'}), key_of(frozenset({1, 'x'})), key_of({(1, 2): {'z', 'y'}}))"
    )
    told = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={"PYTHONPATH": ":".join(sys.path), "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }

    assert len(told) == 1


def test_two_items_of_one_key_are_an_error_that_names_both():
    with pytest.raises(ConfigError, match=r"items 1 and 3 .* 'b': 'b' and 'b'"):
        Keys(["a", "b", "c", "b"], None)
    with pytest.raises(ConfigError, match=r"items 0 and 1 .*'7'.*\(7, 1\) and \(7, 2\).*key="):
        Keys([(7, 1), (7, 2)], lambda pair: pair[0])


def test_one_and_the_text_of_one_are_told():
    """They would be one key: better an error than one result for two items."""
    with pytest.raises(ConfigError, match="items 0 and 1"):
        Keys([1, "1"], None)


def test_a_key_function_that_returns_nothing_is_told():
    with pytest.raises(ConfigError, match="key= gave None for 5"):
        Keys([5], lambda _: None)


def test_an_item_that_cannot_be_shown_is_named_by_its_type():
    Shy = type("Shy", (), {"__repr__": lambda _: 1 / 0})

    assert "Shy whose repr() raises ZeroDivisionError" in shown(Shy())
    assert len(shown("x" * 1000)) == 100
