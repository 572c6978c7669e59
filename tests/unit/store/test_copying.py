"""Copies of live memory and other work of the pause, alone and by two."""

from __future__ import annotations

import gc
import threading
import weakref
from functools import partial

import numpy as np
import pytest

from resume.store import copying
from resume.store.copying import Filling, Parts, SecondThread, Stretch, fill_by_two
from resume.store.extents import PART_BYTES, PIECE_BYTES
from resume.store.staging import Block, Pool

MIB = 1 << 20
PART = PART_BYTES

pytestmark = pytest.mark.timeout(30)


def noise(size, seed=0):
    return memoryview(np.random.default_rng(seed).integers(0, 256, size, np.uint8))


@pytest.fixture
def second():
    before = threading.active_count()
    made = SecondThread()
    yield made
    made.close()
    made.close()
    assert threading.active_count() == before


@pytest.fixture(params=[1, 2])
def processors(request, monkeypatch):
    monkeypatch.setattr(copying, "_processors", lambda: request.param)
    return request.param


# --- the other thread ---


def test_a_task_is_done_beside(second, monkeypatch):
    """In another thread, one after the other, and all are done after the wait."""
    monkeypatch.setattr(copying, "_processors", lambda: 2)
    seen = []

    for _ in range(3):
        assert second.begin(lambda: seen.append(threading.current_thread()))
    second.wait()
    second.wait()

    assert len(seen) == 3
    assert {one.name for one in seen} == {"resume-copy"}


def test_what_the_other_thread_meets_is_raised(second, monkeypatch):
    """By the wait, or by the next task; and the thread goes on."""
    monkeypatch.setattr(copying, "_processors", lambda: 2)
    done = []

    second.begin(partial(int, "no number"))
    with pytest.raises(ValueError, match="no number"):
        second.wait()
    second.begin(partial(int, "none either"))
    with pytest.raises(ValueError, match="none either"):
        second.begin(partial(done.append, 1))
    assert second.begin(partial(done.append, 2))
    second.wait()

    assert done == [2]


def test_what_is_raised_keeps_no_frame_alive(second, monkeypatch):
    """The collector may wait for long, and the frames of a save hold the program's."""
    monkeypatch.setattr(copying, "_processors", lambda: 2)

    class Held:
        pass

    def save():
        held = Held()
        second.begin(partial(divmod, 1, 0))
        try:
            second.wait()
        except ZeroDivisionError:
            return weakref.ref(held)

    gc.collect()
    gc.disable()
    try:
        assert save()() is None
    finally:
        gc.enable()


def test_there_is_no_thread_for_one_processor(second, monkeypatch):
    """Nothing is begun."""
    monkeypatch.setattr(copying, "_processors", lambda: 1)
    before = threading.active_count()

    assert not second.begin(partial(int, "no number"))
    second.wait()

    assert threading.active_count() == before


def test_where_no_thread_can_start_nothing_is_begun(second, monkeypatch):
    """At the end of the interpreter, for example; the copies are made all the same."""
    monkeypatch.setattr(copying, "_processors", lambda: 2)

    def refuse(self):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    source, target = noise(9 * MIB), memoryview(bytearray(9 * MIB))

    assert not second.begin(partial(int, "no number"))
    fill_by_two(target, [Stretch(source, 0, 9 * MIB)], second)

    assert target == source


def test_the_thread_ends_with_what_it_works_for(monkeypatch):
    """Where an interrupt comes ahead of the close."""
    monkeypatch.setattr(copying, "_processors", lambda: 2)
    made = SecondThread()
    made.begin(lambda: None)
    made.wait()
    (thread,) = [one for one in threading.enumerate() if one.name == "resume-copy"]

    del made
    gc.collect()

    thread.join(10)
    assert not thread.is_alive()


# --- copies ---


@pytest.mark.parametrize(
    "sizes",
    [[], [0], [1], [3 * MIB], [16 * MIB], [5 * MIB + 1, 3], [1, 7 * MIB], [65536] * 200, [0, 0]],
    ids=str,
)
def test_all_bytes_arrive(sizes, processors, second):
    """Whatever the sizes, and however many processors there are; a second time as well."""
    for _ in range(2):
        sources = [noise(size, seed) for seed, size in enumerate(sizes)]
        target = memoryview(bytearray(sum(sizes)))
        fill_by_two(target, [Stretch(one, 0, len(one)) for one in sources], second)
        assert target == b"".join(sources)


@pytest.mark.parametrize("count", [0, 1, 63, 64, 65, 100])
@pytest.mark.parametrize("odd", [0, 1000])
def test_parts_and_stretches_lie_one_behind_the_other(count, odd, processors, second):
    """Wherever the middle falls; from memory that cannot be written to, and at an odd address."""
    source = noise(150 * PART + odd + 3)[3:].toreadonly()
    rows = np.random.default_rng(1).permutation(150)[:count].tolist()
    copies = [
        Stretch(source, 7, 7 + odd),
        Parts(source, rows),
        Stretch(source, 5 * PART, 37 * PART),
        Parts(source, rows[::-1]),
    ]
    table = [source[row * PART : (row + 1) * PART] for row in range(150)]
    expected = [
        source[7 : 7 + odd],
        *(table[row] for row in rows),
        source[5 * PART : 37 * PART],
        *(table[row] for row in rows[::-1]),
    ]
    target = memoryview(bytearray(sum(map(len, expected))))

    fill_by_two(target, copies, second)

    assert target == b"".join(expected)


def test_the_work_is_shared_where_there_is_much(monkeypatch, second):
    """A second thread takes half of many bytes, and none of few."""
    monkeypatch.setattr(copying, "_processors", lambda: 2)
    source = noise(8 * MIB)
    before = threading.active_count()

    fill_by_two(memoryview(bytearray(MIB)), [Stretch(source, 0, MIB)], second)
    assert threading.active_count() == before
    fill_by_two(memoryview(bytearray(8 * MIB)), [Stretch(source, 0, 8 * MIB)], second)
    assert threading.active_count() == before + 1


def test_a_half_that_fails_is_no_copy(monkeypatch, second):
    """Neither hang nor garbage: the error is raised."""
    monkeypatch.setattr(copying, "_processors", lambda: 2)
    source, target = noise(6 * MIB), memoryview(bytearray(8 * MIB))
    copies = [Stretch(source, 0, 4 * MIB), Stretch(source, 4 * MIB, 8 * MIB)]

    with pytest.raises(ValueError, match="broadcast"):
        fill_by_two(target, copies, second)
    fill_by_two(target[: 6 * MIB], [Stretch(source, 0, 6 * MIB)], second)

    assert target[: 6 * MIB] == source


# --- blocks ---


class Shipped:
    """Takes the full blocks: keeps what was in them, and gives them back."""

    def __init__(self, pool):
        self.pool = pool
        self.contents = []

    def __call__(self, block: Block) -> None:
        self.contents.append(bytes(block.memory[: block.used]))
        self.pool.give(block)


@pytest.mark.parametrize("looked", [0, 1000 * MIB])
@pytest.mark.parametrize("memory", [1, 16 * MIB, 32 * MIB])
def test_blocks_are_shipped_in_order_and_full(memory, looked, processors, second):
    """Copied by both, or by the other thread while this one looks on; with one block, too."""
    source = noise(21 * PIECE_BYTES // 2)
    pool = Pool(memory)
    shipped = Shipped(pool)
    filling = Filling(pool, shipped, second)
    expected = []

    for row in range(0, len(source) // PART, 3):
        filling.looked_bytes += looked
        run = filling.add(source, row * PART, (row + 1) * PART, 0)
        assert run.start == row % 64 * PART
        expected.append(source[row * PART : (row + 1) * PART])
    whole = filling.add(source, 2 * PIECE_BYTES, 3 * PIECE_BYTES, 1)
    expected.append(source[2 * PIECE_BYTES : 3 * PIECE_BYTES])
    filling.finish()

    assert b"".join(shipped.contents) == b"".join(expected)
    assert whole.start == 0
    assert pool._made == len(pool._free)


def test_the_other_thread_copies_while_this_one_looks_on(monkeypatch, second):
    """Where much is looked at for a block; else both copy, and it is shipped at once."""
    monkeypatch.setattr(copying, "_processors", lambda: 2)
    source = noise(3 * PIECE_BYTES)
    pool = Pool(4 * PIECE_BYTES)
    assert pool._made == 0
    shipped = Shipped(pool)
    filling = Filling(pool, shipped, second)

    filling.add(source, 0, PIECE_BYTES, 0)
    filling.looked_bytes += 2 * PIECE_BYTES
    filling.add(source, PIECE_BYTES, 2 * PIECE_BYTES, 0)
    assert shipped.contents == []
    filling.add(source, 2 * PIECE_BYTES, 3 * PIECE_BYTES, 0)
    assert len(shipped.contents) == 2
    filling.finish()

    assert b"".join(shipped.contents) == source
