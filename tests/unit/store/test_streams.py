"""What a pickle stream costs on disk when little of it changed, though all of it moved."""

from __future__ import annotations

import os
import random

import pytest
from crash.disk import draft

from resume.store import Store

MIB = 1 << 20


def stream(size, seed=0):
    """Bytes that do not shrink, the same for the same seed."""
    return random.Random(seed).randbytes(size)


@pytest.fixture
def store(tmp_path):
    made = Store(tmp_path, "x", fsync=False)
    yield made
    made.unlock()


def commit(store, data, parent=None):
    return store.commit(draft(), data, [], parent=parent)


def whole(store, manifest):
    return bytes(store.read(manifest).stream)


def test_an_insertion_in_front_costs_a_few_chunks(store):
    """All bytes have moved, also over the borders of the pieces of 4 MiB."""
    data = stream(9 * MIB + 17)
    later = b"one more" + data[:MIB] + b"and another" + data[MIB:]
    first = commit(store, data)

    second = commit(store, later, first)
    third = commit(store, b"again" + later, second)

    assert second.body.size_bytes < MIB // 4
    assert third.body.size_bytes < MIB // 4
    assert whole(store, second) == later
    assert whole(store, third) == b"again" + later
    assert whole(store, first) == data
    assert store.verify() == []


def test_what_was_appended_is_what_is_written(store):
    data = stream(5 * MIB)
    first = commit(store, data)

    second = commit(store, data + stream(MIB, 1), first)

    assert MIB <= second.body.size_bytes < MIB + MIB // 4
    assert whole(store, second) == data + stream(MIB, 1)


def test_parts_of_a_stream_are_one_stream(store):
    """Given in pieces, it is the same as given whole."""
    data = stream(3 * MIB)
    first = commit(store, data)

    second = commit(store, [data[:7], data[7:MIB], b"", data[MIB:]], first)

    assert second.body.size_bytes < 10_000
    assert whole(store, second) == data


def test_a_stream_that_repeats_itself(store):
    """Zeros hold no marks; they shrink to nothing all the same, and come back."""
    data = bytes(6 * MIB)
    first = commit(store, data)
    second = commit(store, b"x" + data, first)

    assert second.body.size_bytes < 20_000
    assert whole(store, second) == b"x" + data


def test_a_small_stream_and_a_large_one_take_turns(store):
    """Below 256 KiB nothing is cut; what comes after is whole again."""
    last = None
    sizes = [1000, MIB, 1000, MIB, 0, 2 * MIB]
    for number, size in enumerate(sizes):
        last = commit(store, stream(size, number), last)
        assert whole(store, last) == stream(size, number)


def test_a_body_that_is_gone_is_not_leant_on(store, tmp_path):
    """The parent's bytes were lost: the next generation has all of its own."""
    data = stream(2 * MIB)
    first = commit(store, data)
    os.truncate(store.place / first.body.name, MIB)

    second = commit(store, b"x" + data, first)

    assert second.bodies == (second.body,)
    assert whole(store, second) == b"x" + data


def test_many_saves_of_a_stream_that_moves(store):
    """Insertions, deletions and replacements at random places: each generation reads back."""
    dice = random.Random(3)
    data = bytearray(stream(2 * MIB))
    last = None
    for _ in range(25):
        at = dice.randrange(len(data))
        kind = dice.randrange(3)
        if kind == 0:
            data[at:at] = dice.randbytes(dice.randrange(1, 5000))
        elif kind == 1:
            del data[at : at + dice.randrange(1, 5000)]
        else:
            data[at : at + 100] = dice.randbytes(100)
        last = commit(store, bytes(data), last)
        assert whole(store, last) == data
        assert len(last.bodies) <= 64
    assert store.verify() == []
