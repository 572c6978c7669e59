"""Live pieces beside what they were: as a whole where that is likely to do, else by parts."""

from __future__ import annotations

import threading
from dataclasses import replace

import numpy as np
import pytest

from resume.store import copying
from resume.store.changes import part_digests
from resume.store.comparing import Look, changed_runs, compare, with_digest
from resume.store.copying import SecondThread
from resume.store.extents import PART_BYTES, UNKNOWN, Extent, Piece, Slice, digest

PART = PART_BYTES
SIZE = 8 * PART

pytestmark = pytest.mark.timeout(30)


def noise(size, seed=0):
    return np.random.default_rng(seed).integers(0, 256, size, np.uint8)


def piece_of(array, length=None):
    data = memoryview(array)
    length = len(data) if length is None else length
    extent = Extent("body", 0, length, length, 0, b"")
    return Piece(digest(data), (Slice(extent, 0, length),), part_digests(data))


@pytest.fixture(params=[1, 2])
def second(request, monkeypatch):
    monkeypatch.setattr(copying, "_processors", lambda: request.param)
    before = threading.active_count()
    made = SecondThread()
    yield made
    made.close()
    assert threading.active_count() == before


def looks_at(array, piece, second):
    look = Look(memoryview(array), piece)
    compare([look], second)
    return look


# --- as a whole ---


@pytest.mark.parametrize("size", [SIZE, SIZE + 5, 64 * PART])
@pytest.mark.parametrize("has_parts", [True, False])
def test_what_did_not_change_is_found_as_a_whole(size, has_parts, second):
    """And any byte that did is seen."""
    array = noise(size)
    piece = piece_of(array)
    if not has_parts:
        piece = replace(piece, parts=b"")

    assert looks_at(array, piece, second).is_same
    for place in (0, PART, size // 2, size - 1):
        array[place] ^= 1
        assert not looks_at(array, piece, second).is_same
        array[place] ^= 1
    assert looks_at(array, piece, second).is_same


def test_of_many_pieces_each_is_told_by_itself(second):
    """Whoever of both threads looks at it."""
    arrays = [noise(SIZE, seed) for seed in range(50)]
    looks = [Look(memoryview(one), piece_of(one)) for one in arrays]
    for row in (0, 7, 22, 49):
        arrays[row][3 * PART] ^= 1

    compare(looks, second)

    assert [row for row, look in enumerate(looks) if not look.is_same] == [0, 7, 22, 49]


@pytest.mark.parametrize("length", [SIZE - 1, SIZE + 1])
def test_a_piece_of_another_length_is_not_the_same(length, second):
    """Whatever its digest says."""
    array = noise(SIZE)

    assert not looks_at(array, piece_of(array, length), second).is_same


def test_a_piece_without_digest_is_not_compared_as_a_whole(second):
    """It changed at the last save: the digest would be one too many if it did again."""
    array = noise(SIZE)
    piece = replace(piece_of(array), digest=UNKNOWN)

    look = looks_at(array, piece, second)

    assert not look.is_same
    assert look.sample == []


def test_a_small_piece_is_left_to_the_look_by_parts(second):
    """Two digests would cost more than those of its parts; without parts there is no other way."""
    array = noise(SIZE - 1)
    piece = piece_of(array)

    assert not looks_at(array, piece, second).is_same
    assert looks_at(array, replace(piece, parts=b""), second).is_same


def test_where_most_changed_it_stops_to_compare(second):
    """Each would be read twice. What it does not ask for is not taken for the same."""
    arrays = [noise(SIZE, seed) for seed in range(64)]
    looks = [Look(memoryview(one), piece_of(one)) for one in arrays]
    for array in arrays[:63]:
        array[3 * PART] ^= 1

    compare(looks, second)

    assert not any(look.is_same for look in looks)


@pytest.mark.parametrize(("rows", "count"), [((), 0), ((0, 2), 2), ((0, 4), 1), (range(8), 4)])
def test_a_sample_tells_where_all_changed(rows, count, second):
    """Four parts that changed; the first one that did not ends it."""
    array = noise(SIZE)
    piece = piece_of(array)
    array.reshape(8, PART)[list(rows), 9] ^= 1

    look = looks_at(array, piece, second)

    assert [row for row, _ in look.sample] == [0, 2, 5, 7][:count]
    assert all(mark == digest(memoryview(array)[row * PART :][:PART]) for row, mark in look.sample)
    assert look.is_other == (count == 4)
    assert look.is_same == (count == 0)


def test_what_either_thread_meets_is_raised(second):
    """Nothing is taken for the same because nobody could look."""
    arrays = [noise(SIZE, seed) for seed in range(20)]
    looks = [Look(memoryview(one), piece_of(one)) for one in arrays]
    broken = Look(memoryview(arrays[0]), replace(piece_of(arrays[0]), digest=None, slices=None))

    with pytest.raises(TypeError):
        compare([*looks, broken], second)


# --- by parts ---


@pytest.mark.parametrize("new_size", [0, 1, PART, 3 * PART, 3 * PART + 5, 5 * PART, 5 * PART + 9])
@pytest.mark.parametrize("size", [1, PART, 3 * PART, 3 * PART + 5, 5 * PART + 9])
@pytest.mark.parametrize("rows", [[], [0], [1, 2], [0, 2], [4]])
def test_runs_are_what_a_look_at_each_part_finds(size, new_size, rows):
    """A part is as it was where it has the same length and bytes; neighbours are one run."""
    most = noise(5 * PART + 9)
    old = most[:size].copy()
    live = most[:new_size].copy()
    for row in rows:
        if row * PART < new_size:
            live[row * PART] ^= 1
    places = range(0, new_size, PART)
    marks = [digest(memoryview(live)[place : place + PART]) for place in places]

    runs = list(changed_runs(memoryview(live), marks, piece_of(old)))

    new = [
        place
        for place in places
        if bytes(live[place : place + PART]) != bytes(old[place : place + PART])
    ]
    found = [place for begin, end in runs for place in range(begin, end, PART)]
    assert found == new
    assert all(one[1] < other[0] for one, other in zip(runs, runs[1:], strict=False))
    assert all(end % PART == 0 or end == new_size for _, end in runs)


# --- the digest of what is unchanged ---


@pytest.mark.parametrize("size", [PART, 3 * PART + 5, 64 * PART])
def test_what_is_unchanged_gets_its_digest(size):
    """That of the whole; the rest of the piece stays."""
    array = noise(size)
    piece = piece_of(array)

    assert with_digest(replace(piece, digest=UNKNOWN), memoryview(array)) == piece


@pytest.mark.parametrize("place", [0, PART, 3 * PART + 4])
def test_memory_that_another_thread_wrote_to_gets_no_digest(place):
    """The digest on record is that of what is on record."""
    array = noise(3 * PART + 5)
    piece = replace(piece_of(array), digest=UNKNOWN)
    array[place] ^= 1

    assert with_digest(piece, memoryview(array)) is piece
