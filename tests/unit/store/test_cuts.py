"""Cuts of the pickle stream that its content decides, and what of a stream is new."""

from __future__ import annotations

import pickle
import random
import time

import numpy as np
import pytest

from resume.pickling import encode
from resume.store.cuts import (
    LEAST_BYTES,
    MOST_BYTES,
    Chunks,
    Fresh,
    Kept,
    Places,
    cut_points,
    plan_stream,
    remember,
)
from resume.store.extents import PART_BYTES, PIECE_BYTES, Extent, Slice

MB = 1_000_000


def noise(size, seed=1):
    return np.random.default_rng(seed).bytes(size)


def known(data):
    return remember(data, cut_points(data))


def lengths(data):
    ends = cut_points(data)
    return [end - start for start, end in zip([0, *ends], ends)]


def rebuilt(runs, old, new):
    """The stream that *runs* describe."""
    parts = []
    for run in runs:
        source = old if isinstance(run, Kept) else new
        parts.append(source[run.start : run.start + run.length])
    return b"".join(parts)


def fresh_bytes(old, new):
    """How much of *new* has to be written after *old*; the plan is checked, too."""
    runs, chunks = plan_stream(new, known(old))

    assert rebuilt(runs, old, new) == new
    assert chunks == known(new)
    return sum(run.length for run in runs if isinstance(run, Fresh))


# --- where the cuts are --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "data",
    [
        noise(3 * MB),
        pickle.dumps(np.random.default_rng(1).random(200_000).tolist()),
        pickle.dumps({f"key {k}": k for k in range(100_000)}),
        np.arange(MB, dtype=np.uint32).tobytes(),
        np.random.default_rng(1).choice(np.frombuffer(b"ACGT", np.uint8), 2 * MB).tobytes(),
    ],
    ids=["noise", "floats", "dict", "counter", "letters"],
)
def test_chunks_of_about_8_kib(data):
    """None shorter than 4 KiB but the last, none longer than 64 KiB, whatever the bytes."""
    found = lengths(data)

    assert sum(found) == len(data)
    assert min(found[:-1]) >= LEAST_BYTES
    assert max(found) <= MOST_BYTES
    assert 5 << 10 < np.mean(found) < 14 << 10


@pytest.mark.parametrize("byte", range(256))
def test_a_byte_repeated_is_cut_at_the_longest(byte):
    """No repeated byte looks like a mark: zeros give few chunks, and equal ones."""
    assert lengths(bytes([byte]) * (4 * MOST_BYTES + 5)) == [MOST_BYTES] * 4 + [5]


@pytest.mark.parametrize("size", [0, 1, 7, 8, LEAST_BYTES - 1, LEAST_BYTES, LEAST_BYTES + 1])
def test_what_is_too_short_to_be_cut(size):
    assert lengths(noise(size)) == ([size] if size else [])


def test_the_cuts_are_the_same_however_far_one_looks_at_a_time():
    """A stream longer than one look: no mark is lost or found twice where two looks meet."""
    data = noise(20 * MB)
    whole = cut_points(data)
    late = whole[5000 // 8]

    assert [late + end for end in cut_points(data[late:])] == whole[5000 // 8 + 1 :]
    assert plan_stream(data, known(noise(9000)))[1].ends == whole


FIRST_LOOK_ENDS = LEAST_BYTES + (256 << 10)


@pytest.mark.parametrize("place", range(FIRST_LOOK_ENDS, FIRST_LOOK_ENDS + 12))
def test_a_mark_at_the_border_of_two_looks(place):
    """The first look ends in the window of eight bytes, or just before or behind it."""
    sample = noise(MB)
    mark = sample[: cut_points(sample)[0]][-8:]
    data = bytes(place - 8) + mark + bytes(MB)

    ends = plan_stream(data, known(noise(9000)))[1].ends

    assert ends == cut_points(data)
    assert place in ends


def test_a_cut_depends_on_nothing_behind_it():
    """Or the same bytes would not end where they did before."""
    data = noise(MB)
    for number, end in enumerate(cut_points(data)[:-1]):
        other = bytearray(data)
        other[end] ^= 1

        assert cut_points(other)[: number + 1] == cut_points(data)[: number + 1]


def test_a_view_is_cut_as_its_bytes():
    data = noise(MB)

    assert cut_points(memoryview(data)) == cut_points(data)
    assert remember(memoryview(data), [5, len(data)]) == remember(data, [5, len(data)])


# --- what is new ---------------------------------------------------------------------------------


def test_the_first_stream_is_all_new():
    data = noise(9 * MB)

    runs, chunks = plan_stream(data, None)

    assert runs == [
        Fresh(0, PIECE_BYTES),
        Fresh(PIECE_BYTES, PIECE_BYTES),
        Fresh(2 * PIECE_BYTES, 9 * MB - 2 * PIECE_BYTES),
    ]
    assert chunks == known(data)


def test_the_same_stream_again_is_all_old():
    """In runs as long as the rule allows: none across a multiple of 4 MiB."""
    data = noise(9 * MB)

    runs, chunks = plan_stream(data, known(data))

    assert [(run.start, run.length) for run in runs if isinstance(run, Kept)] == [
        (0, PIECE_BYTES),
        (PIECE_BYTES, PIECE_BYTES),
        (2 * PIECE_BYTES, 9 * MB - 2 * PIECE_BYTES),
    ]
    assert len(runs) == 3
    assert chunks == known(data)


def test_no_stream_at_all():
    assert plan_stream(b"", None) == ([], Chunks([], []))
    assert plan_stream(b"", known(noise(100)))[0] == []


@pytest.mark.parametrize("place", [0, 1, 123_456, 2 * MB])
def test_an_insertion_costs_the_chunks_around_it(place):
    """Everything behind it has moved, and is found all the same."""
    old = noise(4 * MB)

    assert fresh_bytes(old, old[:place] + b"inserted" + old[place:]) < 4 * MOST_BYTES


def test_a_cut_out_part_costs_the_chunks_around_it():
    old = noise(4 * MB)

    assert fresh_bytes(old, old[: MB // 2] + old[MB:]) < 4 * MOST_BYTES


@pytest.mark.parametrize("more", [1, 10_000])
def test_what_is_appended_costs_itself_and_the_last_chunk(more):
    old = noise(2 * MB)

    assert fresh_bytes(old, old + noise(more, 2)) < more + 2 * MOST_BYTES


def test_a_stream_that_lost_its_end():
    old = noise(2 * MB)

    assert fresh_bytes(old, old[:MB]) <= MOST_BYTES
    assert fresh_bytes(old, old[: cut_points(old)[50]]) == 0


def test_parts_that_changed_places():
    old = noise(4 * MB)

    assert fresh_bytes(old, old[2 * MB :] + old[: 2 * MB]) < 6 * MOST_BYTES


def test_kept_runs_end_at_multiples_of_4_mib_of_the_new_stream():
    """The rule is about the buffer that the slices make, not about the one they come from."""
    old = noise(9 * MB)
    new = noise(1000, 2) + old

    runs, _ = plan_stream(new, known(old))

    place = 0
    for run in runs:
        assert place // PIECE_BYTES == (place + run.length - 1) // PIECE_BYTES
        place += run.length
    assert place == len(new)
    assert len(runs) == 4


def test_bytes_that_repeat_cost_nothing_more():
    old = bytes(MB)

    assert fresh_bytes(old, bytes(2 * MB)) <= MOST_BYTES


def test_an_unchanged_stream_is_not_searched_for_marks():
    """Its chunks follow each other as before: a digest each, and no look at every byte."""
    data = noise(16 * MB)
    earlier = known(data)

    def best(act):
        times = []
        for _ in range(5):
            began = time.thread_time()
            act()
            times.append(time.thread_time() - began)
        return min(times)

    assert best(lambda: plan_stream(data, earlier)) < best(lambda: cut_points(data))


# --- real states ---------------------------------------------------------------------------------


def a_state(seed=0, **more):
    chance = random.Random(seed)
    return {
        "step": seed,
        "chance": chance.getstate(),
        "table": {f"key {k}": k / 7 for k in range(100_000)},
        "losses": [k / 3 for k in range(1000)],
        **more,
    }


def stream(roots):
    return encode(roots).stream


def test_another_random_state_moves_everything_and_costs_two_chunks():
    """The integers of a generator take three to six bytes each, as it happens."""
    old, new = stream(a_state(1)), stream(a_state(2))

    parts = [slice(start, start + PART_BYTES) for start in range(0, len(new), PART_BYTES)]
    assert not any(old[part] == new[part] for part in parts)
    assert fresh_bytes(old, new) < 3 * MOST_BYTES


def test_some_values_of_a_dict():
    """Ten other floats, far from each other: a chunk or two for each."""
    old, changed = stream(a_state()), a_state()
    for k in range(0, 100_000, 10_000):
        changed["table"][f"key {k}"] = 0.5

    assert fresh_bytes(old, stream(changed)) < 10 * 2 * 16_000


def test_a_growing_list():
    old = stream(a_state())
    more = {"losses": [k / 3 for k in range(1100)]}

    assert fresh_bytes(old, stream(a_state(**more))) < 3 * MOST_BYTES


# --- where the kept bytes lie --------------------------------------------------------------------


def extent(raw, seed):
    return Extent("a.ckpt", 0, raw, raw, 0, bytes([seed] * 16))


A, B, C = extent(100, 1), extent(50, 2), extent(10, 3)
PLACES = Places([Slice(A, 10, 40), Slice(B, 0, 50), Slice(A, 0, 5), Slice(C, 9, 1)])


@pytest.mark.parametrize(
    ("start", "length", "slices"),
    [
        (0, 40, [Slice(A, 10, 40)]),
        (0, 96, [Slice(A, 10, 40), Slice(B, 0, 50), Slice(A, 0, 5), Slice(C, 9, 1)]),
        (3, 7, [Slice(A, 13, 7)]),
        (39, 2, [Slice(A, 49, 1), Slice(B, 0, 1)]),
        (40, 1, [Slice(B, 0, 1)]),
        (60, 33, [Slice(B, 20, 30), Slice(A, 0, 3)]),
        (95, 1, [Slice(C, 9, 1)]),
        (7, 0, []),
    ],
)
def test_a_kept_run_lies_in_slices(start, length, slices):
    assert list(PLACES.find(Kept(start, length))) == slices
