"""What `@resumable` refuses when it is put on a function, and which function it takes."""

from __future__ import annotations

import functools
from pathlib import Path

import pytest

from resume import resumable
from resume.errors import UnsupportedCodeError


class Kind:
    """No function."""


def _stale():
    path = Path("stale_module.py").resolve()
    path.write_text("def work():\n    return 1\n")
    names = {"__name__": "stale_module"}
    exec(compile(path.read_text(), str(path), "exec"), names)
    path.write_text("def work():\n    return 2\n")
    return names["work"]


def _broken():
    function = _stale()
    Path("stale_module.py").write_text("def work(:\n")
    return function


def _of_exec():
    names = {}
    exec("def work():\n    return 1\n", names)
    return names["work"]


async def _waits():
    return 1


async def _yields():
    yield 1


TWINS = [lambda: 1, lambda: 2]
ONE = [lambda n: [i for i in range(n)]]

REFUSED = {
    "async def": (lambda: _waits, "it is async.*Decorate the plain functions that it calls"),
    "async generator": (lambda: _yields, "it is async"),
    "written in C": (lambda: len, "no function of Python"),
    "class": (lambda: Kind, "decorate its methods"),
    "object": (lambda: functools.partial(_stale), "no function of Python"),
    "cached": (lambda: functools.cache(_of_exec), "write @resumable below that one"),
    "property": (lambda: property(_of_exec), "write @resumable below that one"),
    "no source": (_of_exec, r"its source cannot be had.*resume\.Checkpoint"),
    "edited": (_stale, "it is not what line 1 of .*stale_module.py says"),
    "no Python any more": (_broken, "it is not what line 1 of"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_rewritten_is_refused_with_the_remedy(case):
    """When it is decorated, before anything has run."""
    make, text = REFUSED[case]

    with pytest.raises(UnsupportedCodeError, match=text):
        resumable(make())


def test_lambdas_of_one_line_are_told_apart():
    """By their columns, within a function too."""

    def pair():
        return [lambda n: n + 1, lambda n: n + 2, lambda n: n + 3]

    assert [resumable(each)() for each in TWINS] == [1, 2]
    assert [resumable(each)(0) for each in pair()] == [1, 2, 3]
    assert resumable(ONE[0])(3) == [0, 1, 2]
