"""Bytes on their way from old bodies to a new one: cut, joined, compressed again, never twice."""

from __future__ import annotations

import logging
import math
import os
import tracemalloc

import numpy as np
import pytest
from crash.disk import PART, Watched

from resume.store import transfer
from resume.store.appending import BodyWriter
from resume.store.carrying import carry
from resume.store.extents import RAW, UNKNOWN, ZSTD, Extent, Piece, Slice, Stored, digest
from resume.store.filling import read_extent
from resume.store.sources import Source, empty
from resume.store.transfer import Transfer
from resume.store.windows import windows
from resume.types import BodyRef


class Bench:
    """Old bodies made by hand, and a new one to carry them into."""

    def __init__(self, place):
        self.place, self.disk, self.bodies = place, Watched(), {}
        self.writer = self.open("new", 1)
        self.damaged = set()

    def open(self, name, level):
        return BodyWriter(self.disk, name, self.disk.create(self.place / name), level)

    def body(self, name, raws, level=0):
        """A body with an extent for each of *raws*, and so much that is dead that it is emptied."""
        writer = self.open(name, level)
        extents = []
        for raw in raws:
            writer.write(b"dead")
            extents += writer.add(memoryview(raw), [(0, len(raw))], [digest(raw)])
        writer.write(bytes(8 * sum(map(len, raws))))
        self.bodies[name] = BodyRef(name, writer.offset, "")
        os.close(writer.descriptor)
        return extents

    def carry(self, *pieces):
        """What becomes of a buffer of *pieces*, each given by its slices."""
        before = tuple(Piece(UNKNOWN, tuple(slices), b"parts") for slices in pieces)
        stored = (Stored("w", "<f8", 0, before),)
        (after,) = carry(stored, self.bodies, self.place, self.writer, self.damaged)
        assert [piece.parts for piece in after.pieces] == [b"parts"] * len(pieces)
        return [piece.slices for piece in after.pieces]

    def raw(self, slices):
        """The bytes of *slices*, which must lie in the new body."""
        source = Source(self.place / "new", self.writer.descriptor)
        found = []
        for part in slices:
            assert part.extent.body == "new"
            raw = empty(part.extent.raw)
            read_extent(part.extent, source, raw)
            found.append(raw[part.start : part.start + part.length])
        return b"".join(found)


@pytest.fixture
def bench(tmp_path):
    made = Bench(tmp_path)
    made.writer.descriptor = os.open(tmp_path / "new", os.O_RDWR)
    yield made
    os.close(made.writer.descriptor)


def blocks(count, size=PART):
    """Bytes that can be compressed, no two places alike."""
    words = size // 8
    return [np.arange(row * words, (row + 1) * words).tobytes() for row in range(count)]


def wholes(extents):
    return [Slice(extent, 0, extent.raw) for extent in extents]


@pytest.mark.parametrize("level", [0, 1])
def test_parts_that_follow_each_other_become_one_extent(bench, level):
    """Of two bodies in turn, as a piece has them that was changed bit by bit."""
    raws = blocks(6)
    one, two = bench.body("a", raws[::2], level), bench.body("b", raws[1::2], level)

    (slices,) = bench.carry(
        [part for pair in zip(wholes(one), wholes(two), strict=True) for part in pair]
    )

    assert [(part.start, part.length) for part in slices] == [(0, 6 * PART)]
    assert slices[0].extent.codec == (ZSTD if level else RAW)
    assert bench.raw(slices) == b"".join(raws)


def test_extents_never_cross_a_piece(bench):
    """However close they lie in the old body."""
    raws = blocks(2)

    first, second = bench.carry(*([part] for part in wholes(bench.body("a", raws))))

    assert first[0].extent is not second[0].extent
    assert bench.raw(first + second) == b"".join(raws)


def test_what_stays_lies_between_what_is_carried(bench):
    """Two extents of the new body, for their bytes do not follow each other."""
    raws = blocks(2)
    one, two = wholes(bench.body("a", raws))
    fresh = Slice(Extent("new", 0, PART, PART, RAW, b"0" * 16), 0, PART)

    ((first, middle, last),) = bench.carry([one, fresh, two])

    assert middle == fresh
    assert first.extent is not last.extent
    assert bench.raw((first, last)) == b"".join(raws)


@pytest.mark.parametrize("level", [0, 1])
def test_only_the_named_part_of_an_extent_is_carried(bench, level):
    """Slices of one extent that overlap or repeat share the new one."""
    (raw,) = blocks(1, 4 * PART)
    (extent,) = bench.body("a", [raw], level)
    spans = [(PART, 2 * PART), (PART // 2, PART), (2 * PART, 2 * PART), (PART, 2 * PART)]

    found = bench.carry(*([Slice(extent, start, length)] for start, length in spans))

    for slices, (start, length) in zip(found, spans, strict=True):
        assert bench.raw(slices) == raw[start : start + length]
    new = {part.extent for slices in found for part in slices}
    assert sum(extent.raw for extent in new) == 4 * PART - PART // 2
    assert {extent.codec for extent in new} == {ZSTD if level else RAW}


def test_the_same_bytes_twice_in_one_piece_are_carried_once(bench):
    """As the zeros of a large array are."""
    raws = blocks(2)
    zero, other = wholes(bench.body("a", raws))

    (slices,) = bench.carry([zero, zero, other, zero])

    assert bench.raw(slices) == raws[0] + raws[0] + raws[1] + raws[0]
    assert sum(extent.raw for extent in {part.extent for part in slices}) == 2 * PART


def test_compressed_extents_go_as_they_lie_or_are_packed_anew(bench):
    """A large one as it is, though its neighbours are carried too; small ones together."""
    raws = [*blocks(2), *blocks(1, 2 << 20), *blocks(1)]
    extents = bench.body("a", raws, 3)

    (slices,) = bench.carry(wholes(extents))

    assert [part.extent.raw for part in slices] == [2 * PART, 2 << 20, PART]
    assert bench.raw(slices) == b"".join(raws)
    old, new = (bench.place / "a").read_bytes(), (bench.place / "new").read_bytes()
    for before, after in ((extents[2], slices[1].extent), (extents[3], slices[2].extent)):
        assert old[before.offset :][: before.stored] == new[after.offset :][: after.stored]
        assert (before.digest, before.stored) == (after.digest, after.stored)


def test_a_body_that_is_emptied_in_part_keeps_the_rest(bench):
    """As much as is allowed goes, in the order of the state."""
    raws = blocks(48)
    extents = bench.body("a", raws)

    (slices,) = bench.carry(wholes(extents))

    moved = [part for part in slices if part.extent.body == "new"]
    assert [part.length for part in moved] == [16 * PART]
    assert slices[1:] == tuple(wholes(extents[16:]))
    assert bench.raw(moved) == b"".join(raws[:16])


def test_shared_bytes_stay_shared(bench):
    """An array under three names, one of them changed a little: its bytes are carried once."""
    (raw,) = blocks(1, 10 * PART)
    (extent,) = bench.body("a", [raw])
    fresh = Slice(Extent("new", 0, PART, PART, RAW, b"0" * 16), 0, PART)
    start, end = Slice(extent, 0, 5 * PART), Slice(extent, 6 * PART, 4 * PART)

    one, two, three = bench.carry([start, fresh, end], wholes([extent]), wholes([extent]))

    assert bench.raw(one[:1] + one[2:]) == raw[: 5 * PART] + raw[6 * PART :]
    assert bench.raw(two) == bench.raw(three) == raw
    assert bench.writer.offset == len(raw)


def test_raw_and_compressed_neighbours_stay_apart(bench):
    """What could not be compressed is not tried again, and the others stay compressed."""
    raws = blocks(4)
    raw, packed = wholes(bench.body("a", raws[:2])), wholes(bench.body("b", raws[2:], 1))

    (slices,) = bench.carry([*raw, *packed])

    assert [part.extent.codec for part in slices] == [RAW, ZSTD]
    assert bench.raw(slices) == b"".join(raws)


def test_many_small_extents_go_in_few_calls_and_little_memory(bench):
    """48 MiB in 768 pieces: a write for every 4 MiB, and never all of it at once."""
    raws = blocks(768)
    extents = bench.body("a", raws)
    bench.disk.steps.clear()
    moving = Transfer({"a": math.inf}, bench.bodies, bench.place, bench.writer, set())

    tracemalloc.start()
    steps = [moving.plan(Piece(UNKNOWN, (part,))) for part in wholes(extents)]
    moving.finish()
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert bench.disk.steps == ["write"] * 12
    assert most < 20 << 20
    assert bench.raw([move.new for (move,) in steps]) == b"".join(raws)


def test_what_lies_close_is_read_at_once():
    """Over gaps of up to 256 KiB, and up to 4 MiB in one go, whatever the order in the state."""
    starts = [0, PART, 3 * PART, 8 * PART, 30 * PART, *range(31 * PART, 130 * PART, PART)]
    extents = [Extent("a", start, PART, PART, RAW, b"") for start in starts]

    found = list(windows(reversed(extents)))

    assert [one for window in found for one in window] == extents
    assert [window[0].offset // PART for window in found] == [0, 30, 94]


@pytest.mark.parametrize("level", [0, 1])
def test_damage_is_warned_of_once_and_takes_nothing_back(bench, caplog, monkeypatch, level):
    """What was carried before it was met is carried; what is behind it stays where it is."""
    caplog.set_level(logging.WARNING, logger="resume")
    monkeypatch.setattr(transfer, "_BATCH_BYTES", PART)
    raws, others = blocks(4), blocks(6)[4:]
    extents, good = bench.body("a", raws, level), bench.body("b", others, level)
    with open(bench.place / "a", "r+b") as file:
        for extent in extents[1:]:
            file.seek(extent.offset + extent.stored - 20)
            file.write(b"damage")
    one, two, three, four = wholes(extents)
    five, six = wholes(good)

    first, second, third, fourth, last = bench.carry(
        [one], [two, five], [three, six], [four], [six, one, five]
    )

    assert bench.damaged == {"a"}
    assert caplog.text.count("stays as it is") == len(caplog.records) == 1
    assert bench.raw(first) == raws[0]
    assert second == (two, five)
    assert third[0] == three
    assert fourth == (four,)
    assert bench.raw(third[1:]) == others[1]
    assert bench.raw(last[:2]) == others[1] + raws[0]
    assert last[2] == five
