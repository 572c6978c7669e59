"""Any stream after any other: the plan gives it back, and edits cost about what they touch."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from resume.store.cuts import (
    LEAST_BYTES,
    MOST_BYTES,
    Fresh,
    Kept,
    cut_points,
    plan_stream,
    remember,
)
from resume.store.extents import PIECE_BYTES

PATTERNS = (b"\0", b"\xff", b"0123456789", b"key \x8c\x05value G?", bytes(range(256)))


@st.composite
def stretches(draw, most=2_000_000):
    """Bytes of one kind: noise, few symbols, a repeated pattern, a counter."""
    size = draw(st.integers(0, most))
    rng = np.random.default_rng(draw(st.integers(0, 9)))
    kind = draw(st.sampled_from(("noise", "symbols", "pattern", "counter")))
    if kind == "noise":
        return rng.bytes(size)
    if kind == "symbols":
        symbols = np.frombuffer(draw(st.sampled_from(PATTERNS)), np.uint8)
        return rng.choice(symbols, size).tobytes()
    if kind == "pattern":
        pattern = draw(st.sampled_from(PATTERNS))
        return (pattern * (size // len(pattern) + 1))[:size]
    return np.arange(size // 4, dtype=np.uint32).tobytes()


STREAMS = st.lists(stretches(), max_size=3).map(b"".join)


@st.composite
def edited(draw, stream):
    """*stream* with some bytes taken out and others put in, and how many were put in."""
    new, put_in, edits = stream, 0, draw(st.integers(0, 4))
    for _ in range(edits):
        place = draw(st.integers(0, len(new)))
        inserted = draw(st.binary(max_size=50) | stretches(most=100_000))
        new = new[:place] + inserted + new[place + draw(st.integers(0, 100_000)) :]
        put_in += len(inserted)
    return new, put_in, edits


def check_plan(old, new):
    """Hold what is true of any plan; gives the bytes that have to be written."""
    runs, chunks = plan_stream(new, remember(old, cut_points(old)))
    sources = [(run, old if isinstance(run, Kept) else new) for run in runs]

    assert b"".join(data[run.start : run.start + run.length] for run, data in sources) == new
    assert chunks == remember(new, cut_points(new))
    place = 0
    before = None
    for run in runs:
        assert 0 < run.length
        assert place // PIECE_BYTES == (place + run.length - 1) // PIECE_BYTES
        if isinstance(run, Fresh):
            assert run.start == place
        if type(run) is type(before) and before.start + before.length == run.start:
            assert place % PIECE_BYTES == 0, "two runs that could be one"
        place, before = place + run.length, run
    return sum(run.length for run in runs if isinstance(run, Fresh))


@settings(deadline=None, max_examples=60)
@given(STREAMS)
def test_chunks_are_within_their_bounds(stream):
    ends = cut_points(stream)
    lengths = np.diff([0, *ends])

    assert (ends[-1] if ends else 0) == len(stream)
    assert all(LEAST_BYTES <= length <= MOST_BYTES for length in lengths[:-1])
    assert all(0 < length <= MOST_BYTES for length in lengths[-1:])


@settings(deadline=None, max_examples=60)
@given(STREAMS, STREAMS)
def test_a_plan_gives_the_stream_back(old, new):
    """Whatever the earlier stream was."""
    check_plan(old, new)


@settings(deadline=None, max_examples=60)
@given(st.data(), st.integers(0, 5_000_000), st.integers(0, 9))
def test_edits_cost_about_what_they_touch(data, size, seed):
    """What was put in, and a few chunks around it; all the rest is found again."""
    old = np.random.default_rng(seed).bytes(size)
    new, put_in, edits = data.draw(edited(old))

    assert check_plan(old, new) <= put_in + edits * 4 * MOST_BYTES


@settings(deadline=None, max_examples=60)
@given(st.data(), STREAMS)
def test_edits_of_any_stream(data, old):
    """Where bytes repeat the cuts may not meet again; the plan is right all the same."""
    check_plan(old, data.draw(edited(old))[0])
