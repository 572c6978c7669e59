"""Old bodies are emptied into new ones: which, how far, and what becomes of their bytes."""

from __future__ import annotations

import logging
import math
import os

import numpy as np
import pytest
from crash.disk import PART, buffer, draft

from resume.errors import ResumeError
from resume.store import Retention, Store
from resume.store.carrying import MOST_BODIES, Use, choose, uses_of
from resume.store.extents import (
    RAW,
    ZSTD,
    Extent,
    Piece,
    Slice,
    Stored,
)
from resume.store.files import Disk
from resume.store.restore import read_own_tables
from resume.types import BodyRef

MIB = 1 << 20
OWN = 500
"""Bytes of a save's own, where the number is of no matter."""
SAVES = 3
"""After so many changes, by `change`, of an array of 20 parts its first body is emptied."""


def use(size: float, live: float, read: float | None = None) -> Use:
    """Sizes in MiB; what is read is what is live, unless it is said."""
    return Use(int(size * MIB), int(live * MIB), int((live if read is None else read) * MIB))


def noise(count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).random(count)


class Series:
    """Saves of one state, one after the other."""

    def __init__(self, folder, *, keep=1, **options):
        self.store = Store(folder, "x", fsync=False, retention=Retention(keep=keep), **options)
        self.last = None

    def save(self, *arrays):
        buffers = [buffer(array, f"a{row}") for row, array in enumerate(arrays)]
        stream = b"stream %d" % (self.last.number if self.last else 0)
        self.last = self.store.commit(draft(), stream, buffers, parent=self.last)
        return self.last

    @property
    def stored(self):
        return read_own_tables(self.store.place, self.last)

    def holds(self, *arrays):
        content = Store(self.store.folder, "x").read(self.last)
        return [bytes(one) for one in content.buffers] == [one.tobytes() for one in arrays]

    def names(self):
        return [body.name for body in self.last.bodies]


@pytest.fixture
def series(tmp_path):
    made = []

    def make(**options):
        made.append(Series(tmp_path, **options))
        return made[-1]

    yield make
    for one in made:
        one.store.unlock()


# --- which bodies, and how far


@pytest.mark.parametrize(
    "uses",
    [
        {},
        {"a": use(10, 10)},
        {"a": use(10, 5)},
        {"a": use(10, 1), "b": use(10, 9.5)},
        {str(row): use(1, 0.6) for row in range(MOST_BODIES - 1)},
    ],
)
def test_nothing_is_carried_while_half_is_live_and_bodies_are_few(uses):
    """A body may be as good as empty, if the others are full."""
    assert choose(uses, OWN) == {}


def test_the_emptiest_go_until_half_of_all_is_live():
    """In the order of their live share, and none more than needed."""
    uses = {"a": use(1, 0.6), "b": use(1, 0.1), "c": use(1, 0.45), "d": use(1, 0.6)}

    assert choose(uses, OWN) == {"b": math.inf}
    uses["e"] = use(0.3, 0.01)
    assert choose(uses, OWN) == {"e": math.inf, "b": math.inf}


def test_a_large_body_is_emptied_in_the_course_of_several_saves():
    """A save carries a 32nd of what is live, or as much as it writes itself, or 1 MiB."""
    uses = {"a": use(1600, 640)}

    assert choose(uses, 0) == {"a": pytest.approx(20 * MIB)}
    assert choose(uses, 30 * MIB) == {"a": pytest.approx(30 * MIB)}
    assert choose({"a": use(16, 6.4)}, 0) == {"a": pytest.approx(MIB)}
    assert choose({"a": use(1.6, 0.64)}, 0) == {"a": math.inf}


def test_what_is_left_of_the_allowance_goes_to_the_next_body():
    """The emptiest entirely, the next in part, the others not at all."""
    uses = {"a": use(3, 0.25), "b": use(10, 3), "c": use(10, 4), "d": use(10, 3.5)}

    assert choose(uses, 0) == {"a": math.inf, "b": pytest.approx(0.75 * MIB)}


def test_reading_counts_a_quarter_of_writing():
    """A body that is hardly live, but everywhere, has to be read in full."""
    uses = {"a": use(1600, 10, read=1600), "b": use(100, 70)}

    assert choose(uses, 0) == {"a": pytest.approx(10 * MIB * 2.5 / 400, rel=0.01)}


def test_of_too_many_bodies_those_with_the_fewest_live_bytes_go():
    """Not the emptiest: that may be the largest. And not one more that is larger than all these."""
    uses = {str(row): use(40, 30 + row) for row in range(MOST_BODIES - 2)}
    uses |= {"huge": use(900, 480), "tiny": use(0.02, 0.02)}

    assert choose(uses, OWN) == {"tiny": math.inf}


def test_bodies_of_a_size_go_together():
    """Else one would go at each save, and each time with all that went before."""
    uses = {str(row): use(0.1, 0.1) for row in range(MOST_BODIES - 1)} | {"huge": use(900, 800)}

    chosen = choose(uses, MIB // 10)

    assert chosen == {str(row): math.inf for row in range(MOST_BODIES - 1)}
    tiny = {str(row): use(0.01, 0.01) for row in range(MOST_BODIES)}
    assert choose(tiny, MIB // 100) == dict.fromkeys(tiny, math.inf)


def test_bodies_that_must_go_do_so_whatever_it_costs():
    """The allowance bounds what goes along, not what is needed."""
    uses = {str(row): use(100, 100) for row in range(MOST_BODIES + 2)}

    assert len(choose(uses, OWN)) == 3


def test_what_is_live_is_counted_by_the_byte():
    """Named twice or by overlapping slices: once. Compressed: its share. Other bodies: not here."""
    raw = Extent("a", 0, 1000, 1000, RAW, b"1" * 16)
    packed = Extent("a", 1000, 100, 1000, ZSTD, b"2" * 16)
    whole = Extent("b", 0, 50, 400, ZSTD, b"3" * 16)
    other = Extent("c", 0, 50, 50, RAW, b"4" * 16)
    slices = (Slice(raw, 100, 300), Slice(raw, 300, 200), Slice(raw, 700, 100), Slice(whole, 0, 9))
    more = (Slice(packed, 500, 250), Slice(whole, 0, 400), Slice(other, 0, 50), Slice(whole, 9, 9))
    stored = [Stored("", "stream", 0, (Piece(b"", slices), Piece(b"", more)))]
    sizes = {name: BodyRef(name, 5000, "") for name in "abx"}

    assert uses_of(stored, sizes) == {"a": Use(5000, 500 + 25, 1100), "b": Use(5000, 50, 50)}


# --- what becomes of the bytes


def change(array: np.ndarray, generator: np.random.Generator) -> None:
    """Change 8 of its parts of 64 KiB, the first one never."""
    step = PART // array.itemsize
    for part in generator.choice(np.arange(1, len(array) // step), 8, replace=False):
        array[part * step] = generator.integers(1 << 30)


def empty_first(series, array, *others, spare=False):
    """Change and save *array* until the first body is emptied, or the next save will do that.

    The first part never changes, so that it must have been carried.
    """
    generator = np.random.default_rng(5)
    series.save(array, *others)
    (first,) = series.names()
    for _ in range(SAVES - spare):
        assert first in series.names()
        change(array, generator)
        series.save(array, *others)
    assert (first in series.names()) == spare
    if spare:
        change(array, generator)
    return first


def test_an_emptied_body_is_gone_and_the_state_is_whole(series, tmp_path):
    """Three bodies, then one: what the first held lies in the newest, verified."""
    one = series()
    array = noise(20 * PART // 8)

    first = empty_first(one, array)

    assert first not in one.names()
    assert one.holds(array)
    assert sorted(one.names()) == sorted(
        name for name in os.listdir(one.store.place) if name.endswith(".ckpt")
    )
    assert one.store.verify() == []


def test_nothing_dead_is_carried(series):
    """What is carried are the parts that are named, not the extents that they lie in."""
    one = series(compress="none")
    array = noise(20 * PART // 8)

    empty_first(one, array)

    slices = [part for part in one.stored[1].pieces[0].slices if part.extent.body == one.names()[0]]
    assert len({part.extent for part in slices}) > 2
    for extent in {part.extent for part in slices}:
        assert sum(part.length for part in slices if part.extent is extent) == extent.raw


def test_what_is_known_of_the_pieces_stays_known(series):
    """After its bytes were carried a changed number costs 64 KiB; nothing, in a new process."""
    one = series()
    array = noise(20 * PART // 8)
    constant = noise(PART // 8 + 8, 1)

    first = empty_first(one, array, constant)
    assert first not in one.names()
    array[7] = 1
    assert one.save(array, constant).body.size_bytes < PART + 10_000

    one.store.unlock()
    one.store = Store(one.store.folder, "x", fsync=False)
    assert one.save(array, constant).body.size_bytes < array.nbytes + 10_000
    assert one.holds(array, constant)


def test_kept_generations_keep_their_bodies(series):
    """Each of the last three is whole by itself, though the newest needs no old body."""
    one = series(keep=3)
    array = noise(20 * PART // 8)
    seen = {}

    for k in range(12):
        array[(1 + k % 2) * PART // 8 :: 2 * PART // 8] = -k
        seen[one.save(array).number] = array.tobytes()

    for manifest in one.store.chain():
        assert bytes(one.store.read(manifest).buffers[0]) == seen[manifest.number]
    assert len(list(one.store.chain())) == 3
    assert one.store.verify() == []


def test_there_are_never_more_than_64_bodies(series):
    """Each save changes one of 80 arrays; those that change no more are carried, never staged."""
    one = series()
    arrays = [noise(PART // 8 + 8, k) for k in range(80)]
    one.save(*arrays)
    first = one.last.body.size_bytes
    most = 0

    for k in range(150):
        arrays[k % 80][0] = k
        one.save(*arrays)
        most = max(most, len(one.last.bodies))
        assert one.last.body.size_bytes < first / 2

    assert most == MOST_BODIES == 64
    assert one.holds(*arrays)
    bodies = [name for name in os.listdir(one.store.place) if name.endswith(".ckpt")]
    assert sorted(bodies) == sorted(one.names())


def test_all_bodies_are_lent_however_many_and_empty(series):
    """The program's thread copies what changed, not what the writer finds to be in a poor place."""
    from resume.store.commit import begin_generation

    one = series()
    arrays = [noise(PART // 8 + 8, k) for k in range(80)]
    one.save(*arrays)
    for k in range(63):
        arrays[k][0] = k
        one.save(*arrays)
    assert len(one.names()) == MOST_BODIES

    commission = begin_generation(one.store._target, one.last, None)

    assert sorted(commission.lent.bodies) == sorted(one.names())


# --- what goes wrong


def damage(path, offset):
    data = bytearray(path.read_bytes())
    data[offset] ^= 1
    path.write_bytes(data)


@pytest.fixture
def about_to_carry(series, caplog):
    """A series whose next save empties the first body, and that body."""
    one = series(keep=9)
    array = noise(20 * PART // 8)
    other = noise(PART // 8 + 8, 1)
    first = empty_first(one, array, other, spare=True)
    caplog.set_level(logging.WARNING, logger="resume")
    return one, array, other, one.store.place / first


def test_the_next_save_would_empty_the_first_body(about_to_carry, caplog):
    """What the tests below stand on."""
    one, array, other, first = about_to_carry

    one.save(array, other)

    assert first.name not in one.names()
    assert caplog.text == ""


@pytest.mark.parametrize("harm", ["flip", "cut", "remove", "replace"])
def test_a_damaged_body_stays_where_it_is(about_to_carry, caplog, harm, monkeypatch):
    """One warning; the save goes on, and the next one is whole again."""
    monkeypatch.setattr("resume.store.restore.HASHED_BYTES", 1)
    one, array, other, first = about_to_carry
    (piece,) = one.stored[2].pieces
    offset = piece.slices[0].extent.offset
    whole = first.read_bytes()

    class Harming(Disk):
        def create(self, path):
            if path.name.startswith(".") and ".ckpt." in path.name and "manifest" not in path.name:
                harmed()
            return super().create(path)

    def harmed():
        if harm == "flip":
            damage(first, offset + 5)
        elif harm == "cut":
            os.truncate(first, offset)
        elif harm == "remove":
            first.unlink()
        else:
            first.chmod(0o606)

    one.store._disk.create = Harming().create
    one.save(array, other)
    del one.store._disk.create

    assert caplog.text.count("stays as it is") == 1
    assert str(first) in caplog.text
    assert first.name in one.names()
    with pytest.raises(ResumeError):
        one.store.read(one.last)

    caplog.clear()
    one.save(array, other)

    assert first.name not in one.names()
    assert one.holds(array, other)
    assert caplog.text == ""
    assert len(whole) > array.nbytes
