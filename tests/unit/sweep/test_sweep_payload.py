"""Results to bytes and back: the same values, of the same types."""

from __future__ import annotations

import math
import threading
from collections import OrderedDict

import numpy as np
import pytest

from resume.errors import UnpicklableError
from resume.sweep import payload
from resume.sweep.payload import Packed, pack, unpack

PLAIN = [None, True, 0, 10**30, -1.5, 0.1, "text ✓ \ud800", [], {}, [1, [2]], {"a": {"b": [None]}}]
NOT_PLAIN = [
    (1, 2),
    {1: 2},
    {"a": (1,)},
    b"bytes",
    math.inf,
    1 + 2j,
    {1, 2, 3},
    OrderedDict(a=1),
    np.float64(0.5),
    np.arange(6).reshape(2, 3),
]


@pytest.mark.parametrize("value", PLAIN, ids=repr)
def test_what_json_gives_back_exactly_is_json(value):
    """People and other programs can read it in the log."""
    packed = pack(value)

    assert packed.form == "json"
    assert unpack(packed) == value
    assert type(unpack(packed)) is type(value)


@pytest.mark.parametrize("value", NOT_PLAIN, ids=repr)
def test_what_json_would_change_is_pickled(value):
    """A tuple comes back as a tuple, a number as a key stays a number."""
    packed = pack(value)

    back = unpack(packed)
    assert packed.form == "pickle"
    assert type(back) is type(value)
    assert np.array_equal(back, value) if isinstance(value, np.ndarray) else back == value


def test_nan_comes_back():
    assert math.isnan(unpack(pack(math.nan)))


def test_shared_and_looped_parts_stay_so():
    """One list in two places is one list afterwards; a list that holds itself is no endless way."""
    part = [1]
    shared = unpack(pack({"a": part, "b": part}))
    looped = [1]
    looped.append(looped)

    assert shared["a"] is shared["b"]
    back = unpack(pack(looped))
    assert back[1] is back


def test_what_is_nested_deeply_is_kept():
    value = []
    for _ in range(200):
        value = [value]

    assert unpack(pack(value)) == value


def test_large_buffers_come_back_writable():
    """They lie outside the stream, each in memory of its own."""
    value = {"x": np.arange(100_000), "y": np.ones(50_000)}

    back = unpack(pack(value))

    assert np.array_equal(back["x"], value["x"])
    back["y"][0] = 5
    assert back["y"].sum() == 50_004


def test_what_no_copy_can_stand_for_is_refused_by_its_path():
    """The message names the way to it."""
    with open(__file__) as file, pytest.raises(UnpicklableError, match=r"(?s)result.*file"):
        pack({"log": [file]})


def test_a_running_thread_is_refused():
    with pytest.raises(UnpicklableError, match="cannot record the result"):
        pack([threading.current_thread()])


def test_text_of_bytes():
    data = bytes(range(256))

    assert payload.from_text(payload.to_text(data)) == data


def test_bytes_that_are_no_packed_pickle_are_refused():
    with pytest.raises(ValueError, match="no packed pickle"):
        unpack(Packed("pickle", b"x" * 40))
