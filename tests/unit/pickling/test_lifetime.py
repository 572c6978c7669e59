"""An encode lets go of the state as soon as its result is dropped, without the cyclic collector."""

from __future__ import annotations

import gc
import weakref

import numpy as np
import pytest

from resume.pickling import decode, encode


class Thing:
    """An object that can be weakly referenced."""


@pytest.fixture(autouse=True)
def no_collector():
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def encode_and_drop(**extra):
    thing = Thing()
    roots = {"thing": [thing], "array": np.zeros(100_000), **extra}
    encoded = encode(roots, anchors=roots)
    assert encoded.stream
    return weakref.ref(thing)


def test_nothing_of_the_state_outlives_the_encoded_graph():
    assert encode_and_drop()() is None


def test_nothing_outlives_it_where_a_root_failed():
    with open("/dev/null") as unsavable:
        assert encode_and_drop(bad=unsavable)() is None


def test_a_graph_that_was_let_go_holds_nothing_but_its_bytes():
    thing, array = Thing(), np.zeros(100_000)
    encoded = encode({"thing": [thing], "array": array})
    gone = weakref.ref(thing)

    encoded.forget()
    del thing

    assert gone() is None
    assert encoded.buffers[0].view.nbytes == array.nbytes
    with pytest.raises(ValueError, match="let go"):
        encoded.holds(array)


def test_nothing_of_a_decoded_state_outlives_its_values():
    roots = {"thing": [Thing()]}
    encoded = encode(roots, anchors=roots)
    decoded = decode(encoded.stream, [memoryview(bytearray(b.view)) for b in encoded.buffers])
    revived = weakref.ref(decoded.values["thing"][0])

    del decoded

    assert revived() is None


def test_asking_what_is_shared_copies_nothing_and_leaves_the_answer_the_same():
    """Objects that were only asked about are none of the state, also when asked again."""
    inner, other = [1], [[2], {"a": [3]}]
    encoded = encode({"x": [inner], "many": {i: float(i) for i in range(1000)}})

    for _ in range(2):
        assert encoded.shared_with_saved({"deep": [inner]}) == "x"
        assert encoded.shared_with_saved(other) is None
        assert encoded.shared_with_saved([]) is None
        assert not encoded.holds(other)
        assert encoded.holds(inner)
