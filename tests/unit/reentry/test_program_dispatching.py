"""What is registered with a `singledispatch` function is part of the state."""

from __future__ import annotations

import pytest
from stacks import go_on, run_to_stop
from test_roots import plain

SOURCE = """
import functools
from pieces import sync
result = []

@functools.singledispatch
def show(x):
    return f"any {x}"

@show.register
def _(x: int):
    return f"number {x}"

@show.register(list)
def of_list(x):
    return [show(each) for each in x]

def made(word):
    @functools.singledispatch
    def inner(x):
        return [word, x]
    inner.register(str, lambda x: [word, x, "text"])
    return inner

inner, shown = made("w"), show
for turn in range(3):
    sync()
    result.append([show([turn, "a", [2.5]]), inner("a"), inner(turn), shown is show])
    show.register(float, lambda x, turn=turn: f"float {x} {turn}")
    inner.register(int, of_list)
    inner.register(int, lambda x: -x)
result.append([of_list([1, "b"]), show.registry[list] is of_list, sorted(map(str, show.registry))])
"""


@pytest.mark.parametrize("at", [1, 2, 3])
def test_what_was_registered_is_called(at):
    """At first, later, and with a function that was made in another."""
    assert plain(SOURCE) == go_on(run_to_stop(SOURCE, at=at))["result"]
