"""Which generation a call goes on from."""

from __future__ import annotations

import pytest

from resume import Checkpoint


class Killed(Exception):
    """Stands for a kill: leaves the block without saving its end."""


def collect(n, die_after=None, rate=0):
    with Checkpoint("collect", rate=rate, fsync=False) as chp:
        found = chp.get("found", [])
        while n > 0:
            found = [*found, n]
            chp["found"] = found
            n -= 1
            chp.sync()
            if len(found) == die_after:
                raise Killed
        return [*found, "end"]


@pytest.mark.filterwarnings("ignore:collect")
def test_finished_block_that_began_from_another_calls_names_gives_its_result_again():
    """Arguments are simple, so the second call is another one and keeps its own."""
    with pytest.raises(Killed):
        collect(4, die_after=2)

    first = collect(3, rate="1h")
    again = collect(3, rate="1h")

    assert first == [4, 3, 3, 2, 1, "end"]
    assert first == again


def test_finished_block_without_any_save_inside_runs_again_to_the_same_result():
    def total(n):
        with Checkpoint("total", rate="1h", fsync=False):
            found = 0
            for i in range(n):
                found += i
            found *= 2
            return found

    assert [12, 12, 12] == [total(4) for _ in range(3)]


def test_tail_of_a_finished_block_sees_the_state_that_it_saw():
    """What the block returns is evaluated before its end is restored."""

    def total(n):
        with Checkpoint("total", rate="1h", fsync=False) as chp:
            found = 0
            for i in chp.loop(range(n)):
                found += i
            found *= 2
            return found

    assert [12, 12, 12] == [total(4) for _ in range(3)]


def test_record_of_a_restore_tells_of_this_run_also_behind_the_door():
    """`record = chp.restore()` is a variable, and no part of the state."""

    def work():
        chp = Checkpoint("work", rate=0, fsync=False)
        record = chp.restore()
        for _ in chp.loop(range(3)):
            pass
        return record.generation

    assert [None, 3] == [work(), work()]
