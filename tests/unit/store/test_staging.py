"""The pool of staging memory: bounded, used again, never left hanging."""

from __future__ import annotations

import threading

import pytest

from resume.store.extents import PIECE_BYTES
from resume.store.staging import MEMORY_BYTES, Block, Pool, StagingBrokenError

MIB = 1 << 20

pytestmark = pytest.mark.timeout(30)


def taken(pool: Pool) -> list[Block]:
    """All that the pool lends before it would wait."""
    blocks = []
    while not pool.is_used_up:
        blocks.append(pool.take())
    return blocks


@pytest.mark.parametrize(
    ("memory", "block", "count"),
    [
        (1, 4 * MIB, 1),
        (4 * MIB, 4 * MIB, 1),
        (9 * MIB, 4 * MIB, 2),
        (16 * MIB, 4 * MIB, 4),
        (30 * MIB, 4 * MIB, 7),
        (MEMORY_BYTES, 16 * MIB, 16),
    ],
)
def test_the_memory_is_bounded(memory, block, count):
    """Blocks that hold a piece at least, together no more than was asked for."""
    blocks = taken(Pool(memory))

    assert [len(one.memory) for one in blocks] == [block] * count
    assert block >= PIECE_BYTES
    assert block * count <= max(memory, PIECE_BYTES)


def test_the_block_that_came_back_last_is_lent_first():
    """It is warm; and no memory is made while some is free."""
    pool = Pool(16 * MIB)
    one, two, three = (pool.take() for _ in range(3))
    for block in (two, three, one):
        pool.give(block)

    again = [pool.take().memory for _ in range(4)]

    assert [id(memory) for memory in again[:3]] == [id(b.memory) for b in (one, three, two)]
    assert id(again[3]) not in [id(block.memory) for block in (one, two, three)]
    assert pool.is_used_up


def test_a_block_that_is_lent_again_is_empty():
    """Nothing of the save before is in it."""
    pool = Pool(4 * MIB)
    block = pool.take()
    block.add(100, 0, 0)
    pool.give(block)

    again = pool.take()

    assert (again.used, again.runs) == (0, [])
    assert again.has_room(4 * MIB)
    assert not again.has_room(4 * MIB + 1)


class Taker(threading.Thread):
    """Takes a block in a thread of its own."""

    def __init__(self, pool: Pool) -> None:
        super().__init__(daemon=True)
        self._pool = pool
        self.got: Block | None = None
        self.broken = False
        self.start()
        self.join(0.2)

    def run(self) -> None:
        try:
            self.got = self._pool.take()
        except StagingBrokenError:
            self.broken = True


def test_who_finds_nothing_free_waits_until_a_block_is_given_back():
    """And says so until all is staged: the writer may hurry."""
    pool = Pool(4 * MIB)
    block = pool.take()
    assert not pool.is_waited_for
    waiting = Taker(pool)
    assert waiting.is_alive()
    assert pool.is_waited_for

    pool.give(block)
    waiting.join()

    assert waiting.got is not None
    assert waiting.got.memory is block.memory
    assert pool.is_waited_for
    pool.mend()
    assert not pool.is_waited_for


def test_what_was_given_back_before_wakes_nobody_for_nothing():
    """Blocks that came back and were lent again: the next waits all the same."""
    pool = Pool(4 * MIB)
    for _ in range(5):
        pool.give(pool.take())
    block = pool.take()
    waiting = Taker(pool)
    assert waiting.is_alive()

    pool.give(block)
    waiting.join()

    assert waiting.got is not None


def test_who_waits_is_woken_when_the_writer_gives_up():
    """And nobody is lent anything until the pool is mended."""
    pool = Pool(8 * MIB)
    blocks = taken(pool)
    waiting = Taker(pool)
    assert waiting.is_alive()

    pool.break_off()
    waiting.join()

    assert waiting.broken
    pool.give(blocks[0])
    with pytest.raises(StagingBrokenError):
        pool.take()


def test_a_mended_pool_lends_all_of_its_memory_again():
    """Also what was lent and never came back, and no more than before."""
    pool = Pool(16 * MIB)
    blocks = taken(pool)
    pool.give(blocks[0])
    pool.break_off()

    pool.mend()

    again = taken(pool)
    assert len(again) == 4
    assert again[0].memory is blocks[0].memory
    assert Taker(pool).is_alive()
    pool.mend()
    assert len(taken(pool)) == 4


def test_where_nobody_can_give_back_the_pool_is_not_bounded():
    """At the end of the interpreter all is staged before anything is written."""
    pool = Pool(4 * MIB)
    pool.is_bounded = False
    blocks = [pool.take() for _ in range(3)]
    for block in blocks:
        pool.give(block)

    pool.mend()

    assert pool.is_bounded
    assert len(taken(pool)) == 1
