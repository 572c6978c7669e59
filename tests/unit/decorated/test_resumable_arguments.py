"""What tells one call from another: the same in every process, and another for other values."""

from __future__ import annotations

import datetime as dt
import os
import random
import subprocess
import sys
import threading
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from resume.decorated.arguments import arguments_of, call_of, digest


class Point:
    """Has attributes in slots and in its dict."""

    __slots__ = ("__dict__", "x")

    def __init__(self, x, **more):
        self.x = x
        self.__dict__.update(more)


class Unreadable:
    """Has no copy."""

    def __reduce_ex__(self, version):
        raise RuntimeError("no")


def looped(value):
    found = [value]
    found.append(found)
    return found


VALUES = [
    None,
    1,
    True,
    1.0,
    "1",
    b"1",
    [1],
    (1,),
    [[1], 2],
    [1, [2]],
    ["1"],
    {"a": 1},
    {"a": 2},
    {1, 2},
    frozenset({1, 2}),
    bytearray(b"1"),
    bytearray(b"2"),
    np.zeros(3),
    np.zeros(4),
    np.zeros(3, dtype="f4"),
    np.arange(6).reshape(2, 3).T,
    np.array([1, "a"], dtype=object),
    np.float64(2),
    np.random.default_rng(1),
    np.random.default_rng(2),
    random.Random(1),
    random.Random(2),
    Fraction(1, 3),
    dt.date(2020, 1, 1),
    dt.date(2020, 1, 2),
    Point(1),
    Point(2),
    Point(1, y=2),
    looped(1),
    looped(2),
    len,
    sum,
    Point,
    os,
    Unreadable(),
    threading.Lock(),
    iter([1]),
    Path("a"),
    Path("b"),
]


def test_values_are_told_apart():
    """By type, by content, by shape; what cannot be read by its type alone."""
    digests = [digest(value) for value in VALUES]

    assert len(set(digests)) == len(VALUES)
    assert digests == [digest(value) for value in VALUES]
    assert digest(Unreadable()) == digest(Unreadable())
    assert digest(threading.Thread()) == digest(threading.Thread())


def test_equal_values_count_as_one():
    """Whatever order a set has, and whether two of the parts are one object."""
    part = Point(1)

    assert digest([Point(1, y=[1])]) == digest([Point(1, y=[1])])
    assert digest({f"{i}" for i in range(9)}) == digest({f"{i}" for i in reversed(range(9))})
    assert digest([part, part]) != digest([part, Point(2)])


def test_another_process_finds_the_same():
    """With another hash seed."""
    program = (
        "from resume.decorated.arguments import digest\n"
        "import numpy as np\nfrom pathlib import PurePosixPath\n"
        "print(digest([{'a', 'b', 'c', 'd'}, {'x': np.ones(2)}, PurePosixPath('a/b'), len]))"
    )
    found = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }

    assert len(found) == 1


def work(a, *more, b=2, password="x", **named):
    return a, more, b, password, named


def test_arguments_by_name():
    """Defaults are arguments like others; a call that cannot be made has none."""
    found = arguments_of(work, (1, 5), {"c": 3})

    assert found == {"a": 1, "more": (5,), "b": 2, "password": "x", "named['c']": 3}
    assert arguments_of(work, (), {}) is None


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [
        (((1,), {}), ((1,), {"b": 2}), True),
        (((1,), {}), ((2,), {}), False),
        ((([1],), {}), (([1],), {}), True),
        ((([1],), {}), (([2],), {}), False),
        ((([1],), {"b": 1}), (([1],), {}), False),
    ],
)
def test_calls_are_told_apart_by_all_arguments(first, second, same):
    """By value, simple or not."""
    one, other = (call_of(arguments_of(work, *call), None, *call) for call in (first, second))

    assert (one.digest == other.digest) is same


def test_secrets_do_not_show():
    """And of what is no simple value, the type and the begin of its digest."""
    shown = call_of(arguments_of(work, ([1],), {}), None, ([1],), {}).shown

    assert shown["password"] == "***"
    assert shown["a"].startswith("<list ")
