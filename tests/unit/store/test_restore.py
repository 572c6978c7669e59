"""Extents into memory: whole, in parts, in rows; what is verified, and what is handed out again."""

from __future__ import annotations

import gc
import os

import numpy as np
import pytest
import zstandard
from crash.disk import PART, PIECE, buffer, draft

from resume.errors import IntegrityError
from resume.store import Store
from resume.store.changes import part_digests
from resume.store.extents import RAW, UNKNOWN, ZSTD, Extent, Piece, Slice, Stored, digest
from resume.store.filling import Plan, carry_out, with_marks
from resume.store.sources import Source, empty


class Made:
    """A body made by hand, open: extents of random bytes, one behind the other."""

    def __init__(self, path, sizes, codec=RAW):
        self.raw = [os.urandom(size) for size in sizes]
        self.extents = []
        self.by_name, self.foreign = {}, set()
        data = b"head"
        for raw in self.raw:
            stored = raw if codec == RAW else zstandard.ZstdCompressor().compress(raw)
            self.extents.append(
                Extent(path.name, len(data), len(stored), len(raw), codec, digest(raw))
            )
            data += stored
        path.write_bytes(data)
        self.path = path
        self.descriptor = os.open(path, os.O_RDONLY)
        self.sources = {path.name: Source(path, self.descriptor)}

    def damage(self, index):
        with open(self.path, "r+b") as out:
            out.seek(self.extents[index].offset + self.extents[index].stored // 2)
            byte = out.read(1)
            out.seek(-1, os.SEEK_CUR)
            out.write(bytes([byte[0] ^ 1]))


@pytest.fixture
def made(tmp_path):
    opened = []

    def make(sizes, codec=RAW):
        opened.append(Made(tmp_path / f"body{len(opened)}", sizes, codec))
        return opened[-1]

    yield make
    for one in opened:
        os.close(one.descriptor)


def filled(body, stored):
    """The bytes of *stored*, and its pieces with their marks."""
    plan, target = Plan(), empty(stored.size_bytes)
    plan.add_buffer(stored, target)
    carry_out(plan, body)
    return bytes(target), with_marks([stored], plan.marks)[0]


def of(slices, mark=UNKNOWN):
    size = sum(one.length for one in slices)
    return Stored("w", "<f8", size, (Piece(mark, tuple(slices)),))


@pytest.mark.parametrize("codec", [RAW, ZSTD])
def test_a_piece_of_many_slices_comes_with_the_digests_of_its_parts(made, codec):
    """Slices of two extents, in turn: put together, each 64 KiB with its digest, digest UNKNOWN."""
    body = made([PIECE, PIECE], codec)
    slices = [Slice(body.extents[k % 2], k * PART, PART) for k in range(PIECE // PART)]
    expected = b"".join(body.raw[k % 2][k * PART : (k + 1) * PART] for k in range(PIECE // PART))

    found, stored = filled(body, of(slices))

    assert expected == found
    assert part_digests(memoryview(expected)) == stored.pieces[0].parts
    assert UNKNOWN == stored.pieces[0].digest


def test_slices_between_the_parts_leave_no_digests(made):
    """What does not begin at a multiple of 64 KiB is put together all the same."""
    body = made([PIECE])
    slices = [Slice(body.extents[0], 5, 100_000), Slice(body.extents[0], 200_000, 100_000)]

    found, stored = filled(body, of(slices))

    assert body.raw[0][5:100_005] + body.raw[0][200_000:300_000] == found
    assert b"" == stored.pieces[0].parts


def test_one_extent_in_many_places(made):
    """Used whole twice and in part once: read once, and everywhere."""
    body = made([3 * PART])
    whole = Slice(body.extents[0], 0, 3 * PART)

    found, stored = filled(body, of([whole, whole, Slice(body.extents[0], PART, PART)]))

    assert body.raw[0] * 2 + body.raw[0][PART : 2 * PART] == found
    assert part_digests(memoryview(found)) == stored.pieces[0].parts


@pytest.mark.parametrize("sizes", [[1, 2, 3], [100_000] * 30, [PIECE, 70_000, 1, PIECE, 200_000]])
def test_neighbours_are_read_in_rows(made, sizes):
    """Small and large extents side by side: each buffer has its own bytes."""
    body = made(sizes)
    plan, targets = Plan(), [empty(size) for size in sizes]
    for extent, target in zip(body.extents, targets, strict=True):
        plan.add_buffer(of([Slice(extent, 0, extent.raw)], extent.digest), target)

    carry_out(plan, body)

    assert body.raw == [bytes(one) for one in targets]


@pytest.mark.parametrize("codec", [RAW, ZSTD])
@pytest.mark.parametrize("which", [0, 1, 2])
def test_damage_is_found_though_only_another_part_is_used(made, codec, which):
    """The digest covers all of an extent: one bad byte beside the live slice is an error too."""
    body = made([3 * PART] * 3, codec)
    body.damage(which)

    with pytest.raises(IntegrityError, match="xxh3"):
        filled(body, of([Slice(one, 2 * PART, PART) for one in body.extents]))


def test_nothing_unverified_lands_in_what_is_alive(made):
    """Where targets are living memory, damaged bytes never get there."""
    body = made([PIECE])
    body.damage(0)
    target = memoryview(bytearray(PIECE))
    plan = Plan(in_place=False)
    plan.add_piece(Piece(UNKNOWN, (Slice(body.extents[0], 0, PIECE),)), target)

    with pytest.raises(IntegrityError):
        carry_out(plan, body)

    assert bytes(PIECE) == bytes(target)


def test_a_body_that_ends_early_is_damage(made):
    """In the middle of a row as well."""
    body = made([100_000] * 10)
    os.truncate(body.path, 450_000)

    with pytest.raises(IntegrityError, match="ends before|xxh3"):
        filled(body, of([Slice(one, 0, one.raw) for one in body.extents]))


# ---------------------------------------------------------------- handed out again


@pytest.fixture
def saved(tmp_path):
    """Two arrays in a store, and the content as a restore finds it."""
    arrays = [np.random.default_rng(k).random((5 << 20) // 8) for k in range(2)]
    store = Store(tmp_path, "x", fsync=False, compress="none")
    made = store.commit(draft(), b"stream", [buffer(one) for one in arrays], parent=None)
    store.unlock()
    return store, made, arrays


def test_memory_that_is_as_it_was_is_handed_out_again(saved):
    """The second time nothing is read where the first memory is alive, and unchanged."""
    store, made, arrays = saved
    content = store.read(made)
    kept = list(content.buffers)

    again = store.read(made, content)

    assert b"stream" == bytes(again.stream)
    for before, array, now in zip(kept, arrays, again.buffers, strict=True):
        assert before.obj is now.obj
        assert array.tobytes() == bytes(now)


def test_memory_that_was_written_to_is_left_alone(saved):
    """It belongs to somebody: the bytes come in fresh memory."""
    store, made, arrays = saved
    content = store.read(made)
    kept = list(content.buffers)
    kept[0][-1] ^= 1

    now = store.read(made, content).buffers[0]

    assert kept[0].obj is not now.obj
    assert arrays[0].tobytes() == bytes(now)
    assert arrays[0].tobytes() != bytes(kept[0])


def test_nothing_keeps_what_was_handed_out(saved):
    """Who drops the buffer frees it."""
    import weakref

    store, made, _ = saved
    content = store.read(made)
    owner = weakref.ref(content.buffers[0].obj)

    gc.collect()

    assert owner() is None


def test_damage_is_found_before_any_place_is_filled(saved):
    """Two places to fill, the bytes of the second damaged: the first is as it was, too."""
    store, made, arrays = saved
    content = store.read(made)
    places = {k: memoryview(bytearray(one.nbytes)) for k, one in enumerate(arrays)}
    body = store.place / made.body.name
    data = bytearray(body.read_bytes())
    at = data.find(arrays[1].tobytes()[:64])
    data[at] ^= 1
    body.write_bytes(data)
    list(content.buffers)

    with pytest.raises(IntegrityError, match="xxh3"):
        store.read(made, content).buffers.fill(places)

    assert not any(any(bytes(place)) for place in places.values())


def test_bodies_that_vanished_are_told_before_anything_is_decoded(saved):
    """Between restore() and the door: missing, or of another size."""
    store, made, _ = saved
    content = store.read(made)
    body = store.place / made.body.name
    os.truncate(body, made.body.size_bytes - 1)
    with pytest.raises(IntegrityError, match="bytes instead of"):
        store.read(made, content)

    body.unlink()

    with pytest.raises(IntegrityError, match="damaged"):
        store.read(made, content)
