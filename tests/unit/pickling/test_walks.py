"""Iterators over dicts and deques go on over the container itself, not over a copy of its rest."""

from __future__ import annotations

import collections
from typing import Any

import pytest

from resume.pickling import decode, encode

WALKS = {
    "keys": iter,
    "values": lambda held: iter(held.values()),
    "items": lambda held: iter(held.items()),
    "keys back": reversed,
    "values back": lambda held: reversed(held.values()),
    "items back": lambda held: reversed(held.items()),
}


def brought_back(roots: dict[str, Any]) -> dict[str, Any]:
    encoded = encode(roots, anchors=roots, shallow=list(roots))
    assert encoded.skipped == ()
    buffers = [memoryview(bytearray(buffer.view)) for buffer in encoded.buffers]
    return decode(encoded.stream, buffers).values


@pytest.mark.parametrize("kind", WALKS)
@pytest.mark.parametrize("taken", range(5))
def test_dict_iterator_goes_on_at_its_place(kind, taken):
    held = {letter: ord(letter) for letter in "abcd"}
    walk = WALKS[kind](held)
    for _ in range(taken):
        next(walk)

    back = brought_back(brought_back({"held": held, "walk": walk}))

    assert list(back["walk"]) == list(walk)


@pytest.mark.parametrize("kind", ["values", "items", "values back", "items back"])
def test_dict_iterator_sees_what_changes_ahead_of_it(kind):
    held = dict.fromkeys("abcd", 0)
    walk = WALKS[kind](held)
    next(walk)

    back = brought_back({"held": held, "walk": walk})
    for table in (held, back["held"]):
        table["c"] = 5

    assert list(back["walk"]) == list(walk)


def test_dict_iterator_whose_dict_has_grown_still_complains():
    held = dict.fromkeys("ab", 0)
    walk = iter(held)
    next(walk)
    held["c"] = 0

    back = brought_back({"held": held, "walk": walk})

    with pytest.raises(RuntimeError, match="changed size"):
        next(back["walk"])


def test_dict_iterator_complains_of_growth_after_the_restore():
    held = dict.fromkeys("abc", 0)
    walk = iter(held)
    next(walk)
    back = brought_back({"held": held, "walk": walk})
    next(back["walk"])

    back["held"]["d"] = 0

    with pytest.raises(RuntimeError, match="changed size"):
        next(back["walk"])


def test_exhausted_dict_iterator_stays_exhausted():
    held = {"a": 1}
    walk = iter(held)
    list(walk)

    back = brought_back({"held": held, "walk": walk})
    back["held"]["b"] = 2

    assert list(back["walk"]) == []


@pytest.mark.parametrize("start", [iter, reversed])
def test_deque_iterator_goes_on_over_the_deque_itself(start):
    held = collections.deque(range(6))
    walk = start(held)
    next(walk)

    back = brought_back({"held": held, "walk": walk})
    for queue in (held, back["held"]):
        queue[3] = 99

    assert list(back["walk"]) == list(walk)


def test_reversed_list_goes_on_over_the_list_itself():
    held = [1, 2, 3, 4]
    walk = reversed(held)
    next(walk)

    back = brought_back({"held": held, "walk": walk})
    for items in (held, back["held"]):
        items[0] = 7

    assert list(back["walk"]) == list(walk)


def test_iterator_of_an_ordered_dict_is_left_out_and_says_so():
    held = collections.OrderedDict(a=1, b=2)

    encoded = encode({"held": held, "walk": iter(held)})

    (skipped,) = encoded.skipped
    assert skipped.name == "walk"
    assert "OrderedDict" in skipped.why


@pytest.mark.parametrize("kind", ["keys", "values", "items"])
def test_view_of_a_dict_is_a_view_of_the_same_dict_again(kind):
    held = {"a": 1, "b": 2}
    view = getattr(held, kind)()

    back = brought_back({"held": held, "view": view})
    for table in (held, back["held"]):
        table["c"] = 3

    assert type(back["view"]) is type(view)
    assert list(back["view"]) == list(view)
