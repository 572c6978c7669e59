"""What a left-out variable shares with the saved ones."""

from __future__ import annotations

import logging
import pathlib
import socket

import numpy as np
import pytest

from resume.pickling import encode


class Holder:
    def __init__(self, held=None):
        self.held = held


LIST = [1]
ARRAY = np.zeros(3)
HELD = Holder()
SET = {1}
SHARING = {
    "a list": [(LIST,)],
    "a list in a generator": (item for item in LIST),
    "an array's view": ARRAY[1:],
    "an object in a closure": lambda held=HELD: held,
    "an object itself": HELD,
    "a set": Holder(SET),
}
APART = {
    "text": ["text"],
    "a path": [pathlib.Path("x")],
    "a logger": logging.getLogger("x"),
    "a module": np,
    "a class": Holder,
    "a tuple": [(1, 2)],
    "a function of this module": lambda: LIST,
}
ROOTS = {
    "items": LIST,
    "array": ARRAY,
    "held": HELD,
    "set": SET,
    "tied": ["text", pathlib.Path("x"), logging.getLogger("x"), np, Holder, (1, 2)],
}


@pytest.mark.parametrize("sets", [True, False])
@pytest.mark.parametrize("anchored", [True, False])
@pytest.mark.parametrize("what", SHARING)
def test_a_shared_mutable_object_is_found(what, anchored, sets):
    encoded = encode(ROOTS, anchors=ROOTS if anchored else {}, sets=sets)

    name = encoded.shared_with_saved(SHARING[what])

    assert name in ROOTS


@pytest.mark.parametrize("what", APART)
def test_what_never_changes_is_nobodys(what):
    encoded = encode(ROOTS)

    assert encoded.shared_with_saved(APART[what]) is None


def test_the_graph_is_asked_by_identity():
    encoded = encode(ROOTS)

    assert encoded.holds(LIST)
    assert not encoded.holds([1])


def test_a_root_left_out_holds_nothing():
    shared = [1]
    with socket.socket() as plug:
        encoded = encode({"bad": [shared, plug], "good": [2]})

        assert not encoded.holds(shared)
        assert encoded.shared_with_saved(shared) is None


def test_what_is_only_referred_to_is_not_saved():
    data = [1]
    encoded = encode({"x": [data]}, externals={"data": data})

    assert encoded.shared_with_saved(data) is None
