"""Bytes in, the same bytes out, and as few as possible written in between."""

from __future__ import annotations

import errno
import subprocess
from dataclasses import replace

import numpy as np
import pytest
import zstandard
from crash.disk import PART, PIECE, Watched, buffer, draft
from hypothesis import given, settings
from hypothesis import strategies as st

from resume.errors import ConfigError, IntegrityError, StoreError
from resume.store import Retention, Store
from resume.store.appending import is_worth_it
from resume.store.body import compression_level
from resume.store.extents import Extent, Piece, Slice, Stored
from resume.store.restore import read_own_tables
from resume.store.tables import decode_tables, encode_tables
from resume.types import Buffer

SIZES = [0, 1, 65536, PIECE - 1, PIECE, PIECE + 1, 3 * PIECE + 17]


def body_bytes(store: Store, number: int) -> int:
    return store.manifest(number).body.size_bytes


@pytest.mark.parametrize("compress", ["auto", "none", 3])
def test_buffers_of_every_size_come_back(tmp_path, compress):
    """Empty, tiny, around the piece size: equal, writable, each its own memory."""
    store = Store(tmp_path, "x", fsync=False, compress=compress)
    generator = np.random.default_rng(0)
    arrays = [generator.integers(0, 256, size, np.uint8) for size in SIZES]
    arrays += [np.zeros(2 * PIECE, np.uint8), np.arange(PIECE, dtype="<i4")]

    made = store.commit(draft(), b"", [buffer(one) for one in arrays], parent=None)
    content = store.read(made)

    assert bytes(content.stream) == b""
    for array, got in zip(arrays, content.buffers, strict=True):
        assert got == memoryview(array).cast("B")
        assert (got.readonly, got.ndim, got.format) == (False, 1, "B")
    content.buffers[-2][0] = 1
    assert content.buffers[-2][PIECE] == 0
    store.unlock()


@settings(max_examples=15, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 200_000)), max_size=6), st.data())
def test_any_sequence_of_changes_is_read_back(tmp_path_factory, changes, data):
    """Each generation of a random history, kept or derived, is what was saved."""
    store = Store(tmp_path_factory.mktemp("h"), "x", fsync=False, retention=Retention(keep=99))
    array = np.zeros(PIECE + 200_001, np.uint8)
    parent, saved = None, []
    for kind, place in changes:
        if kind < 3:
            array[place * (kind + 1) :: 7919] = place % 251
        else:
            array = np.roll(array, place)
        parent = store.commit(draft(), b"%d" % place, [buffer(array)], parent=parent)
        saved.append(array.tobytes())

    for manifest, expected in zip(reversed(list(store.chain())), saved, strict=True):
        assert bytes(store.read(manifest).buffers[0]) == expected
    store.unlock()


def test_the_sha256_is_that_of_sha256sum(tmp_path):
    """A person can check a body with the usual tool."""
    store = Store(tmp_path, "x", fsync=False)
    made = store.commit(draft(), b"s" * 100, [], parent=None)
    store.unlock()

    done = subprocess.run(
        ["sha256sum", store.place / made.body.name], capture_output=True, text=True, check=False
    )

    assert done.stdout.split()[0] == made.body.sha256


def test_only_changed_parts_are_written(tmp_path):
    """One changed number in 24 MiB costs 64 KiB; for a process that read nothing, a piece."""
    array = np.random.default_rng(1).random(3 << 20)
    store = Store(tmp_path, "x", fsync=False)
    first = store.commit(draft(), b"s", [buffer(array)], parent=None)
    assert body_bytes(store, 1) > 24 << 20
    array[5] = 0
    second = store.commit(draft(), b"s", [buffer(array)], parent=first)
    store.unlock()
    later = Store(tmp_path, "x", fsync=False)
    array[-5] = 0
    third = later.commit(draft(), b"s", [buffer(array)], parent=second)
    fourth = later.commit(draft(), b"s", [buffer(array)], parent=third)

    assert PART < body_bytes(later, 2) < PART + 10_000
    # the first piece has no digest of its own any more, the last one changed
    assert 2 * PIECE < body_bytes(later, 3) < 2 * PIECE + 10_000
    assert body_bytes(later, 4) < 10_000
    assert np.array_equal(np.frombuffer(later.read(fourth).buffers[0]), array)
    later.unlock()


def test_renamed_and_moved_buffers_are_found_by_their_digest(tmp_path):
    """Another path, another order, a copy of a piece: nothing is written twice."""
    generator = np.random.default_rng(2)
    one, two = generator.random(PIECE // 4), generator.random(PIECE // 4)
    store = Store(tmp_path, "x", fsync=False)
    first = store.commit(draft(), b"s", [buffer(one, "a"), buffer(two, "b")], parent=None)
    longer = np.concatenate([two, one])

    second = store.commit(
        draft(), b"s", [buffer(two, "c"), buffer(one, "a"), buffer(longer, "d")], parent=first
    )

    assert body_bytes(store, second.number) < 10_000
    assert np.array_equal(np.frombuffer(store.read(second).buffers[2]), longer)
    store.unlock()


def test_compression_is_decided_by_a_sample(tmp_path):
    """Noise is stored as it is, what repeats is not, nor are zeros ahead of noise a reason."""
    noise = np.random.default_rng(3).random(PIECE // 8)
    half = noise.copy()
    half[: len(half) // 4] = 0

    def shrinks(array):
        view = memoryview(array).cast("B")
        spans = [(0, len(view) // 3), (len(view) // 3, len(view))]
        return is_worth_it(view, spans, zstandard.ZstdCompressor(level=1))

    assert not shrinks(noise)
    assert shrinks(np.arange(PIECE // 8))
    assert shrinks(half)
    store = Store(tmp_path, "x", fsync=False)
    made = store.commit(draft(), b"s", [buffer(np.zeros(PIECE, np.uint8))], parent=None)
    assert made.body.size_bytes < 10_000
    store.unlock()


@pytest.mark.parametrize("wrong", ["gzip", -1, 23, True, 1.5, None])
def test_an_unknown_compression_is_refused(wrong):
    """The text lists what there is."""
    with pytest.raises(ConfigError, match="auto"):
        compression_level(wrong)


def test_a_large_generation_is_read_in_parallel(tmp_path):
    """Over 32 MiB several threads fill the buffers, and none is left afterwards."""
    import threading

    array = np.random.default_rng(4).random(5 << 20)
    store = Store(tmp_path, "x", fsync=False, compress=1)
    made = store.commit(draft(), b"s", [buffer(array)], parent=None)
    before = threading.active_count()

    content = store.read(made)

    assert np.array_equal(np.frombuffer(content.buffers[0]), array)
    assert threading.active_count() == before
    store.unlock()


def slices_across() -> list[Stored]:
    one = Extent("b", 100, 50, 200_000, 1, b"1" * 16)
    two = Extent("a", 0, 70_000, 70_000, 0, b"2" * 16)
    pieces = (Piece(b"3" * 16, (Slice(one, 10, 100_000), Slice(two, 0, 70_000))),)
    return [Stored("", "stream", 0, ()), Stored("p.q", "<f8", 170_000, pieces)]


def test_tables_of_partial_slices_come_back():
    """The format's slices of extents, which a later writer will use, are read today."""
    assert decode_tables(encode_tables(slices_across(), ["a", "b"]), ["a", "b"]) == slices_across()


def test_tables_that_contradict_themselves_are_refused():
    """Cut, foreign or inconsistent tables raise ValueError, never another error."""
    good = encode_tables(slices_across(), ["a", "b"])
    import zstandard

    inner = zstandard.ZstdDecompressor().decompress(good)
    squeeze = zstandard.ZstdCompressor().compress
    for bad in (b"", b"hello", good[:-3], squeeze(b""), squeeze(inner[:-1]), squeeze(b"X" + inner)):
        with pytest.raises(ValueError, match="no tables"):
            decode_tables(bad, ["a", "b"])
    with pytest.raises(ValueError, match="no tables"):
        decode_tables(good, ["a"])
    for place in range(len(inner)):
        flipped = bytearray(inner)
        flipped[place] ^= 0xFF
        try:
            decode_tables(squeeze(bytes(flipped)), ["a", "b"])
        except ValueError:
            pass


def test_a_manifest_that_was_replaced_is_not_read(tmp_path):
    """`read` of a manifest in hand finds that the file under its number is another."""
    store = Store(tmp_path, "x", fsync=False)
    made = store.commit(draft(), b"s", [], parent=None)
    store.unlock()
    store.remove()
    store.commit(draft(), b"t", [], parent=None)

    with pytest.raises(IntegrityError, match="replaced"):
        store.read(made)
    store.unlock()


def test_a_stream_may_be_a_memoryview(tmp_path):
    """Of any item size; what is stored are its bytes."""
    store = Store(tmp_path, "x", fsync=False)
    made = store.commit(draft(), memoryview(np.arange(4, dtype="<i8")), [], parent=None)

    assert np.frombuffer(store.read(made).stream, "<i8").tolist() == [0, 1, 2, 3]
    store.unlock()


def test_what_was_made_last_is_known_when_it_is_durable(tmp_path):
    """Also where nobody kept what `begin` returned, and though a later save fails."""
    full = []

    def before(*_):
        if full:
            raise OSError(errno.ENOSPC, "full")

    store = Store(tmp_path, "x", fsync=False, disk=Watched(before))
    assert store.last_made() is None

    first = store.commit(draft(), b"1", [], parent=None)
    assert store.last_made() == first
    store.begin(draft(), b"2", [], parent=first)
    made = store.last_made()

    assert (made.number, made.parent) == (2, 1)
    assert store.read(made).stream == b"2"
    full.append(True)
    with pytest.raises(StoreError, match="full"):
        store.commit(draft(), b"3", [], parent=made)
    assert store.last_made() == made
    store.unlock()


def test_the_store_is_quiet_on_disk_until_it_saves(tmp_path):
    """Looking creates nothing."""
    disk = Watched()
    store = Store(tmp_path / "none", "x", disk=disk)

    assert store.newest() is None
    assert store.read_best() is None
    assert store.entries() == []
    assert list(store.chain()) == []
    assert store.verify() == []
    assert store.gc() == 0
    assert store.holder() is None
    store.remove()
    assert disk.steps == []
    assert not (tmp_path / "none").exists()
    assert Buffer("", memoryview(b""), "").path == ""


def test_tables_are_checked_by_sha256_before_they_are_used(tmp_path):
    """Beyond 64 MiB nothing else guards them, and they say what goes where."""
    store = Store(tmp_path, "x", fsync=False)
    made = store.commit(draft(), b"s", [], parent=None)
    store.unlock()
    forged = replace(made, tables={**made.tables, "sha256": "0" * 64})

    assert read_own_tables(store.place, made)
    with pytest.raises(IntegrityError, match=r"its tables \(sha256\)"):
        read_own_tables(store.place, forged)
