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
TOLD = [
    (1, 2),
    {"a": (1, [(2,)]), "b": ((), [])},
    math.inf,
    [-math.inf, {"x": math.inf}],
    np.float64(0.1),
    np.float32(0.1),
    np.float16(0.1),
    np.int8(-5),
    np.uint64(2**64 - 1),
    np.bool_(True),
    {"score": np.float64(1 / 3), "of": (np.int64(7), (np.float32(2.5), None))},
]
NOT_PLAIN = [
    {1: 2},
    {"a": {1: (1,)}},
    b"bytes",
    1 + 2j,
    {1, 2, 3},
    OrderedDict(a=1),
    np.complex128(1j),
    np.datetime64("2026-01-01"),
    np.arange(6).reshape(2, 3),
]


@pytest.mark.parametrize("value", PLAIN, ids=repr)
def test_what_json_gives_back_exactly_is_json(value):
    """People and other programs can read it in the log."""
    packed = pack(value)

    assert packed.form == "json"
    assert unpack(packed) == value
    assert type(unpack(packed)) is type(value)


def same(one, other):
    """Equal, and of the same types all the way down."""
    if type(one) is not type(other):
        return False
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[k], other[k]) for k in one)
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(same, one, other))
    return one == other


@pytest.mark.parametrize("value", TOLD, ids=repr)
def test_what_json_would_change_is_told_beside_it(value):
    """A tuple comes back as a tuple, a number of numpy as that; all can be read as JSON."""
    packed = pack(value)

    assert packed.form == "json"
    assert packed.types
    assert same(unpack(packed), value)


@pytest.mark.parametrize("value", NOT_PLAIN, ids=repr)
def test_what_json_cannot_say_is_pickled(value):
    """A number as a key stays a number."""
    packed = pack(value)

    back = unpack(packed)
    assert packed.form == "pickle"
    assert type(back) is type(value)
    assert np.array_equal(back, value) if isinstance(value, np.ndarray) else back == value


def test_nan_comes_back():
    assert math.isnan(unpack(pack(math.nan)))
    assert math.isnan(unpack(pack(np.float64("nan"))))
    assert type(unpack(pack(np.float64("nan")))) is np.float64


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


def test_a_type_of_a_later_release_is_refused():
    with pytest.raises(ValueError, match="no type 'decimal'"):
        unpack(Packed("json", b"1", '[[[],"decimal"]]'))


def test_bytes_that_are_no_packed_pickle_are_refused():
    with pytest.raises(ValueError, match="no packed pickle"):
        unpack(Packed("pickle", b"x" * 40))
