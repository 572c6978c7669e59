"""Buffers that are filled into living objects, read into their place, or asked for one by one."""

from __future__ import annotations

import weakref

import numpy as np
import pytest

from resume.errors import IntegrityError
from resume.pickling import decode, encode
from resume.pickling.stream import Given

SIZE = 20_000


class Lazy(Given):
    """Buffers that are nowhere in memory; notes what was asked for."""

    def __init__(self, encoded, spoiled=()):
        super().__init__([memoryview(bytes(one.view)) for one in encoded.buffers])
        self.asked, self.read, self.filled, self.apart = [], [], [], ()
        self.spoiled = spoiled

    def __getitem__(self, index):
        self.asked.append(index)
        if index in self.spoiled:
            raise IntegrityError("damaged")
        return np.frombuffer(self._buffers[index], np.uint8).copy().data

    def is_held(self, index):
        return False

    def read_into(self, index, target):
        self.read.append(index)
        if index in self.spoiled:
            raise IntegrityError("damaged")
        target[:] = self._buffers[index]

    def set_apart(self, indexes):
        self.apart = sorted(indexes)

    def fill(self, places):
        self.filled.append(sorted(places))
        for index, place in places.items():
            place[:] = self._buffers[index]


def array(start=0):
    return np.arange(start, start + SIZE, dtype="<f8")


def test_living_arrays_are_filled_and_their_buffers_not_asked_for():
    """The second decode makes no copy of what has a place."""
    roots = {"one": array(), "held": [array(1)]}
    encoded = encode(roots, anchors=roots, shallow=["held"])
    first = decode(encoded.stream, Lazy(encoded))
    one = first.values["one"]
    one[:] = 7
    lazy = Lazy(encoded)

    again = decode(encoded.stream, lazy, anchored=first.anchored)

    assert again.values["one"] is one
    assert np.array_equal(one, array())
    assert np.array_equal(again.values["held"][0], array(1))
    (place,) = lazy.apart
    assert lazy.filled == [[place]]
    assert lazy.asked == [1 - place]


def test_untouched_arrays_stay_as_they_are():
    """Their buffer is neither asked for nor filled in."""
    roots = {"one": array(), "two": array(1)}
    encoded = encode(roots, anchors=roots)
    first = decode(encoded.stream, Lazy(encoded))
    for name in roots:
        first.values[name][:] = 7
    lazy = Lazy(encoded)

    decode(encoded.stream, lazy, anchored=first.anchored, untouched=["one"])

    assert np.all(first.values["one"] == 7)
    assert np.array_equal(first.values["two"], array(1))
    assert lazy.asked == []
    assert len(lazy.filled[0]) == 1


def test_nothing_is_filled_when_the_decode_is_refused():
    """`approve` comes before."""
    roots = {"one": array()}
    encoded = encode(roots, anchors=roots)
    first = decode(encoded.stream, Lazy(encoded))
    lazy = Lazy(encoded)

    def refuse(values, contents):
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        decode(encoded.stream, lazy, anchored=first.anchored, approve=refuse)

    assert lazy.filled == []


def test_bytes_are_read_right_into_their_object():
    """No buffer of them is made beside."""
    roots = {"text": bytes(100_000) + b"end", "room": bytearray(b"x" * 100_000)}
    encoded = encode(roots)
    lazy = Lazy(encoded)

    values = decode(encoded.stream, lazy).values

    assert roots == values
    assert lazy.asked == []
    assert lazy.read == [0, 1]


def test_a_long_text_is_asked_for():
    """It is decoded from its bytes."""
    roots = {"text": "ö" * 100_000}
    encoded = encode(roots)

    assert decode(encoded.stream, Lazy(encoded)).values == roots


@pytest.mark.parametrize("make", [array, lambda: b"x" * 100_000])
def test_what_the_buffers_raise_comes_as_it_is(make):
    """Damage is no fault of a class."""
    encoded = encode({"thing": make()})

    with pytest.raises(IntegrityError, match="damaged"):
        decode(encoded.stream, Lazy(encoded, spoiled=[0]))


class Watched(Lazy):
    """Knows which of the buffers that it handed out are still in memory."""

    def __init__(self, encoded):
        super().__init__(encoded)
        self.owners = []

    def __getitem__(self, index):
        found = super().__getitem__(index)
        self.owners.append(weakref.ref(found.obj))
        return found

    def is_held(self, index):
        return True

    def alive(self):
        return sum(owner() is not None for owner in self.owners)


def test_contents_are_dropped_one_by_one_as_they_are_put_in_place():
    """While the second array is filled, the buffer of the first is free."""
    roots = {"a": array(), "b": array(1)}
    encoded = encode(roots, anchors=roots)
    live = {"a": array(5), "b": array(5)}
    watched = Watched(encoded)
    counts = []
    copyto = np.copyto

    def counting(*args, **kwargs):
        counts.append(watched.alive())
        copyto(*args, **kwargs)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(np, "copyto", counting)
        decode(encoded.stream, watched, live=live)

    assert counts == [2, 1]
    assert watched.alive() == 0
    assert np.array_equal(live["b"], array(1))
