"""Iterators brought back by evaluating and skipping."""

from __future__ import annotations

import random
import subprocess
import sys
from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np
import pytest

from resume.errors import ConfigError, RestoreError
from resume.replay import generators_in, item_digest, make_iterator, random_start, replay


def test_what_pickles_by_itself_needs_no_random_state():
    for iterable in ([1], (1,), range(3), "ab", {1: 2}, {3}, np.arange(3)):
        assert random_start(iterable, dict) is None
    assert random_start(iter([1]), dict) is not None
    assert random_start(lambda: [1], dict) is not None


def test_generators_among_names_and_their_attributes():
    gen, own, old = np.random.default_rng(1), random.Random(1), np.random.RandomState(1)
    thing = SimpleNamespace(rng=gen, other=1)

    found = generators_in({"own": own, "old": old, "thing": thing, "x": 1, "kind": SimpleNamespace})

    assert found == {"own": own, "old": old, "thing.rng": gen}


def test_a_replay_draws_the_same_and_leaves_the_random_state():
    """The iterable is made under the state of the loop's start; the state of now is put back."""
    gen = np.random.default_rng(5)
    names = lambda: {"gen": gen}
    make = lambda: iter([gen.random() + random.random() for _ in range(4)])
    random.seed(7)
    start = random_start(make, names)
    items = list(make())
    gen.random(), random.random()
    now = gen.bit_generator.state, random.getstate()

    iterator, last = replay(
        make, start=start, names=names, skip=3, digest=item_digest(items[2]), line=9
    )

    assert last == items[2]
    assert list(iterator) == items[3:]
    assert (gen.bit_generator.state, random.getstate()) == now


def test_the_random_state_is_put_back_where_the_iterable_raises():
    random.seed(1)
    start = random_start(iter([]), dict)
    random.random()
    now = random.getstate()

    def make():
        random.random()
        raise KeyError("no data")

    with pytest.raises(KeyError):
        replay(make, start=start, names=dict, skip=1, digest=None, line=9)
    assert random.getstate() == now


def test_other_items_and_fewer_items():
    make = lambda: iter([1, 2, 3])

    with pytest.raises(
        RestoreError, match="line 9 gives other items than before: after skipping 2"
    ):
        replay(make, start=None, names=dict, skip=2, digest=item_digest(5), line=9)
    with pytest.raises(RestoreError, match="line 9 has only 3 items now, and 4 were done"):
        replay(make, start=None, names=dict, skip=4, digest=None, line=9)


def test_iterables_callables_and_neither():
    assert list(make_iterator([1])) == [1]
    assert list(make_iterator(lambda: [2])) == [2]

    class Old:
        def __getitem__(self, k):
            return [3][k]

    assert list(make_iterator(Old())) == [3]
    for wrong in (5, lambda: 5, None):
        with pytest.raises(ConfigError, match="something to loop over"):
            make_iterator(wrong)


class Point:
    def __init__(self, x):
        self.x = x


class Slotted:
    __slots__ = ("x",)

    def __init__(self, x):
        self.x = x


@dataclass(slots=True)
class Mixed(Slotted):
    y: int
    _hidden = 3

    def __post_init__(self):
        self.x = 0


DIFFERENT = [
    (1, 2),
    (1, 1.0),
    (1, True),
    ("a", b"a"),
    ([1], (1,)),
    ([1, 2], [2, 1]),
    ([[1], 2], [1, [2]]),
    ([[1, 2]], [[1], 2]),
    (["ab", "c"], ["a", "bc"]),
    ({"a": 1}, {"a": 2}),
    ({1, 2}, {1, 3}),
    (np.arange(3), np.arange(3.0)),
    (np.arange(6).reshape(2, 3), np.arange(6).reshape(3, 2)),
    (np.array(["a"], dtype=object), np.array(["b"], dtype=object)),
    (Point(1), Point(2)),
    (Slotted(1), Slotted(2)),
    (Mixed(1), Mixed(2)),
    (None, 0),
    (np.float32(1), np.float64(1)),
]


@pytest.mark.parametrize(("one", "other"), DIFFERENT, ids=range(len(DIFFERENT)))
def test_different_items_have_different_digests(one, other):
    assert item_digest(one) != item_digest(other)


def test_equal_items_have_equal_digests():
    pairs = [
        (Point([1]), Point([1])),
        (np.arange(10)[::2], np.array([0, 2, 4, 6, 8])),
        ({1, 2, 3}, {3, 2, 1}),
        (float("nan"), float("nan")),
        ("\udc80", "\udc80"),
    ]

    for one, other in pairs:
        assert item_digest(one) == item_digest(other)


def test_a_digest_is_the_same_in_another_process():
    """Whatever the hash seed."""
    text = "from resume.replay import item_digest; print(item_digest([{'a', 'b', 'c'}, 1.5, 'x']))"
    run = [sys.executable, "-c", text]

    outputs = {
        subprocess.run(
            run, env={"PYTHONHASHSEED": seed, "PYTHONPATH": path}, capture_output=True
        ).stdout
        for seed in "12"
        for path in [":".join(sys.path)]
    }

    assert len(outputs) == 1
    assert len(outputs.pop().strip()) == 32
