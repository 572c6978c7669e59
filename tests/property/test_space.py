"""Whatever changes from save to save: half of the disk is live, and every kept generation whole."""

from __future__ import annotations

import math
import os

import numpy as np
import pytest
from crash.disk import PART, buffer, draft
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from resume.store import Retention, Store, carrying, transfer, windows
from resume.store.extents import digest
from resume.store.restore import read_own_tables

KEEP = 3

changes = st.lists(
    st.tuples(
        st.integers(0, 3),
        st.sampled_from(["scattered", "scattered", "block", "all", "moved", "shorter", "copied"]),
        st.integers(0, 2**32 - 1),
    ),
    max_size=3,
)
histories = st.lists(
    st.tuples(changes, st.sampled_from([False] * 7 + [True])), min_size=12, max_size=40
)
"""For each save what changes before it, and whether another process makes it."""


def change(state: list[np.ndarray], row: int, kind: str, seed: int) -> None:
    generator = np.random.default_rng(seed)
    array = state[row]
    first, last = sorted(generator.integers(0, len(array), 2))
    if kind == "scattered":
        array[generator.integers(0, len(array), 2)] = seed
    elif kind == "block":
        array[first:last] = generator.integers(0, 2**62, last - first)
    elif kind == "all":
        array += seed + 1
    elif kind == "moved":
        state[row] = np.roll(array, 8192)
    elif kind == "shorter":
        state[row] = np.concatenate([array[:last], array[: len(array) // 2]])[: 5 * PART // 8]
    else:
        state[row] = state[row - 1].copy()


class History:
    """Saves to one store, and what it should hold."""

    def __init__(self, folder, compress) -> None:
        self.folder, self.compress = folder, compress
        self.store = self.open()
        self.last = None
        self.saved = {}
        noise = np.random.default_rng(0)
        self.state = [noise.integers(0, 2**62, size) for size in (40_000, 9_000)]
        self.state += [np.arange(40_000), np.zeros(30_000, np.int64)]

    def open(self) -> Store:
        retention = Retention(keep=KEEP)
        return Store(self.folder, "x", fsync=False, retention=retention, compress=self.compress)

    def save(self, changes, *, in_another_process) -> None:
        if in_another_process:
            self.store.unlock()
            self.store = self.open()
        for one in changes:
            change(self.state, *one)
        buffers = [buffer(array, f"a{row}") for row, array in enumerate(self.state)]
        stream = os.urandom(50)
        how = self.store.begin if len(self.saved) % 2 else self.store.save
        self.last = how(draft(), stream, buffers, parent=self.last).wait()
        self.saved[self.last.number] = [stream, *(one.tobytes() for one in self.state)]

    def rest(self, most: int) -> None:
        """Half is live after at most so many saves of a state that changes no more."""
        for _ in range(most):
            if not self.is_half_live():
                self.save([], in_another_process=False)
        assert self.is_half_live()
        self.check_all()

    def check_all(self) -> None:
        """Each kept generation is what was saved, and nothing else is on the disk."""
        bodies = set()
        for manifest in self.store.chain():
            content = self.store.read(manifest)
            assert [bytes(one) for one in (content.stream, *content.buffers)] == (
                self.saved[manifest.number]
            )
            bodies |= {body.name for body in manifest.bodies}
        assert len(list(self.store.chain())) == min(KEEP, len(self.saved))
        assert bodies == {one for one in os.listdir(self.store.place) if one.endswith(".ckpt")}
        assert self.store.verify() == []

    def is_half_live(self) -> bool:
        """Whether the newest generation needs half of its bodies, counted byte by byte.

        All of the newest body counts as needed: no save can empty its own.
        """
        named = {}
        for part in self.slices():
            marks = named.setdefault(part.extent, np.zeros(part.extent.raw, bool))
            marks[part.start : part.start + part.length] = True
        live = self.last.body.size_bytes
        for extent, marks in named.items():
            if extent.body != self.last.body.name:
                live += math.ceil(extent.stored * marks.mean())
        return 2 * live >= sum(body.size_bytes for body in self.last.bodies)

    def slices(self):
        stored = read_own_tables(self.store.place, self.last)
        return [part for one in stored for piece in one.pieces for part in piece.slices]


compressions = st.sampled_from(["auto", "none", 1])


@settings(max_examples=20, deadline=None)
@given(histories, compressions)
def test_half_is_live_and_every_generation_is_whole(tmp_path_factory, history, compress):
    """The state is small enough to carry in any save all that there is to be carried.

    How many bytes a part of a compressed extent will take is only estimated: there, the estimate
    may be put right by the next save.
    """
    saves = History(tmp_path_factory.mktemp("h"), compress)
    for made, in_another_process in history:
        saves.save(made, in_another_process=in_another_process)

        assert saves.is_half_live() or compress != "none"
        assert len(saves.last.bodies) <= carrying.MOST_BODIES
    saves.check_all()
    saves.rest(3)
    saves.store.unlock()


@pytest.fixture(scope="module")
def _narrow():
    """Six bodies at most, and little may be carried in one save, in small batches."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(carrying, "MOST_BODIES", 6)
        patch.setattr(carrying, "_LEAST_BYTES", 30_000)
        patch.setattr(transfer, "_BATCH_BYTES", 50_000)
        patch.setattr(windows, "_WINDOW_BYTES", 90_000)
        patch.setattr(windows, "_GAP_BYTES", 1000)
        patch.setattr(transfer, "_PACKED_BYTES", 70_000)
        yield


@pytest.mark.usefixtures("_narrow")
@settings(
    max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(histories, compressions)
def test_bodies_that_are_emptied_in_part_lose_nothing(tmp_path_factory, history, compress):
    """With little allowed for each save it takes several, at the latest when nothing changes."""
    saves = History(tmp_path_factory.mktemp("h"), compress)
    for made, in_another_process in history:
        saves.save(made, in_another_process=in_another_process)

        assert len(saves.last.bodies) <= 6
    saves.check_all()
    saves.rest(100)
    saves.store.unlock()


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_of_a_thousand_saves_none_but_the_first_is_a_full_one(tmp_path):
    """1 % of the state changes each time, anywhere: what is written is near that, and so for ever.

    Every hundredth generation is kept, and the last three.
    """
    retention = Retention(keep=KEEP, keep_every=100)
    store = Store(tmp_path, "x", fsync=False, retention=retention)
    generator = np.random.default_rng(0)
    array = generator.random(16 << 17)
    parts = array.nbytes // PART
    last, full, changed, written, saved = None, 0, 0, 0, {}
    for _ in range(1000):
        last = store.commit(draft(), os.urandom(1000), [buffer(array)], parent=last)
        saved[last.number] = digest(memoryview(array).cast("B"))
        full = full or last.body.size_bytes
        if last.number > 1:
            written += last.body.size_bytes
            assert last.body.size_bytes < full / 4
        assert len(last.bodies) <= carrying.MOST_BODIES
        assert sum(body.size_bytes for body in last.bodies) < 2.5 * full
        on_disk = sum(path.stat().st_size for path in store.place.iterdir())
        assert on_disk < (2.5 + last.number // 100) * full

        some = generator.choice(parts, parts // 100, replace=False)
        array.reshape(parts, -1)[some, generator.integers(PART // 8)] = generator.random()
        changed += PART * len(some)

    kept = list(store.chain())
    assert [one.number for one in kept] == [1000, 999, 998, *range(900, 0, -100)]
    assert all(digest(store.read(one).buffers[0]) == saved[one.number] for one in kept)
    assert store.verify() == []
    assert written < 2 * changed
    named = {body.name for one in kept for body in one.bodies}
    assert named == {one for one in os.listdir(store.place) if one.endswith(".ckpt")}
    store.unlock()
