"""Saves beside the program: what is in them, who waits for them, and who is told of a failure."""

from __future__ import annotations

import gc
import logging
import time
import weakref

import numpy as np
import pytest
from crash.disk import leftovers
from crash.held import FULL, due_sync, held, later, written
from crash.runs import (
    SOON,
    USUAL,
    Weights,
    busy_lines,
    failure_lines,
    numbers,
    numbers_on_disk,
    store,
)

import resume
from resume import Checkpoint, ConfigError, StoreError
from resume.results import BUSY

pytestmark = pytest.mark.timeout(90)


# --- what is in a generation ---


def test_what_changes_after_sync_is_not_in_the_generation(disk):
    """The disk stands still; arrays, bytes, lists and objects change: none of it is saved."""

    def work():
        chp = Checkpoint("work", **SOON)
        large = np.zeros(1 << 20)
        tail = np.arange(20_000)
        raw = bytearray(200_000)
        few = bytearray(b"few")
        told = [0]
        tree = {"leaf": [0]}
        chp.restore()
        with held(disk):
            answer = due_sync(chp)
            assert answer
            assert (answer.generation, answer.is_durable) == (1, False)
            large += 1
            tail[:] = 7
            raw[:] = b"x" * len(raw)
            raw += b"longer than before"
            few[:] = b"many more than a few"
            told.append(1)
            tree["leaf"][0] = 1
            tree["more"] = 2
            assert disk.reached.wait(10)
        return chp

    work()

    saved = resume.load("work", folder="store")
    assert saved["large"].tolist() == [0.0] * (1 << 20)
    assert saved["tail"].tolist() == list(range(20_000))
    assert saved["raw"] == bytes(200_000)
    assert saved["few"] == b"few"
    assert (saved["told"], saved["tree"]) == ([0], {"leaf": [0]})


@pytest.mark.parametrize("size", [10, 70_000, 5 << 20])
def test_no_live_memory_is_lent_out_after_sync(disk, size):
    """A bytearray can change its size at once, whether it lay in the stream or beside it."""

    def work():
        chp = Checkpoint("work", memory="4MiB", **SOON)
        raw = bytearray(size)
        chp.restore()
        with held(disk):
            assert due_sync(chp)
            raw.append(1)
            del raw[5:]
            assert disk.reached.wait(10)

    work()

    assert resume.load("work", folder="store")["raw"] == bytes(size)


@pytest.mark.parametrize("background", [True, False])
def test_a_failed_save_lends_nothing_out_either(disk, background, caplog):
    """The error that is kept until it is told holds no view of the program's memory."""

    def work():
        chp = Checkpoint("work", background=background, **SOON)
        raw = bytearray(1 << 20)
        chp.restore()
        disk.error = FULL
        if background:
            disk.hold()
        answer = due_sync(chp)
        assert bool(answer) is background
        disk.let_go()
        written(chp)
        raw.append(1)
        chp.save()
        raw.append(2)

    work()

    assert len(failure_lines(caplog)) == 1
    assert len(resume.load("work", folder="store")["raw"]) == (1 << 20) + 1


def test_what_extra_gives_is_copied_at_the_save(disk):
    """A callable may give a live dict: what the program does to it later is not in the manifest."""
    notes = {"epoch": 1, "deep": [1]}

    def work():
        chp = Checkpoint("work", extra=lambda: notes, **SOON)
        n = 1
        chp.restore()
        with held(disk):
            assert due_sync(chp)
            notes["epoch"] = 2
            notes["deep"].append(2)

    work()

    assert store().newest().draft.extra == {"epoch": 1, "deep": [1]}


def test_what_extra_gives_is_refused_at_the_save_where_it_is_no_json(disk):
    """Not at some later safe point, out of the writer."""

    def work():
        chp = Checkpoint("work", extra=lambda: {"x": object()}, **SOON)
        n = 1
        chp.restore()
        with pytest.raises(ConfigError, match="extra= goes into the manifest as JSON"):
            due_sync(chp)

    work()

    assert numbers() == []


# --- a busy writer ---


def test_a_due_sync_that_meets_a_busy_writer_is_skipped_and_made_later(disk, caplog):
    """Falsy, counted once, said once; when the disk is free, the next safe point saves."""
    caplog.set_level(logging.INFO, "resume")

    def work():
        chp = Checkpoint("work", **SOON)
        n = 0
        chp.restore()
        for done in (1, 2):
            with held(disk):
                assert due_sync(chp).generation == 2 * done - 1
                for n in range(1, 4):
                    began = time.monotonic()
                    assert due_sync(chp) is BUSY
                    assert time.monotonic() - began < 10
                assert chp._run.saving.skipped == done
                assert len(numbers_on_disk()) == 2 * done - 2
            written(chp)
            assert due_sync(chp).generation == 2 * done
            written(chp)
            assert chp._run.saving.skipped == done

    work()

    assert numbers()[-1] == 4
    assert resume.load("work", folder="store")["n"] == 3
    (line,) = busy_lines(caplog)
    assert line.startswith("work: the disk is still busy with the save before (begun ")


@pytest.mark.parametrize("options", [{"rate": 0}, {"rate": "1h", "iterations": 1}])
def test_where_every_safe_point_is_asked_for_the_writer_is_waited_for(disk, options):
    """`rate=0` and `iterations=`: no save is skipped, each stands on the one before."""

    def work():
        chp = Checkpoint("work", **options, **USUAL)
        n = 0
        chp.restore()
        n = 1
        with held(disk, let_go_after=0.2):
            assert chp.sync().generation == 1
            assert numbers_on_disk() == []
            n = 2
            assert chp.sync().generation == 2
            assert disk._open.is_set()
        assert chp._run.saving.skipped == 0

    work()

    assert numbers() == [1, 2]
    assert store().newest().parent == 1


def test_save_waits_for_the_writer_and_for_itself(disk):
    """What it returns is durable, and so is the one that was on its way."""

    def work():
        chp = Checkpoint("work", **SOON)
        n = 1
        chp.restore()
        with held(disk, let_go_after=0.2):
            assert not due_sync(chp).is_durable
            n = 2
            answer = chp.save()
            assert disk._open.is_set()
        assert (answer.generation, answer.is_durable) == (2, True)
        assert numbers_on_disk() == [1, 2]

    work()


def test_the_end_of_a_block_waits_until_it_is_durable(disk):
    """Behind the `with` the final state is on disk, and the lock is free."""

    def work():
        with Checkpoint("work", **SOON) as chp:
            n = 1
            disk.hold()
            assert due_sync(chp)
            n = 2
            later(disk.let_go)
        assert disk._open.is_set()
        assert numbers_on_disk() == [1, 2]
        assert store().holder() is None

    work()

    assert store().newest().draft.complete


def test_a_sync_inside_an_item_that_meets_a_busy_writer_keeps_nobody_waiting(disk):
    """It is put off to the item's end, skipped there, and forgotten: time asks again."""

    def work():
        with Checkpoint("work", **SOON) as chp:
            for k in chp.loop(range(6)):
                if k == 0:
                    due_sync(chp)
                if k == 1:
                    written(chp)
                    disk.hold()
                    due_sync(chp)
                if k == 2:
                    due_sync(chp)
                    assert chp._run.saving.asked == "sync"
                if k == 3:
                    skipped = chp._run.saving.skipped
                    assert skipped
                    due_sync(chp)
                if k == 4:
                    assert chp._run.saving.skipped == skipped
                    assert chp._run.saving.asked is None
                    later(disk.let_go)

    work()

    newest = store().newest()
    base = store().manifest(newest.draft.base)
    assert base.draft.position["loops"][0]["done"] == 6


def test_the_end_of_a_loop_is_saved_though_a_sync_was_put_off_to_it(disk):
    """The writer is busy at the last item: the end of the loop waits for it, and is the base."""

    def work():
        with Checkpoint("work", **SOON) as chp:
            for k in chp.loop(range(2)):
                if k == 0:
                    disk.hold()
                    due_sync(chp)
                else:
                    due_sync(chp)
                    later(disk.let_go)

    work()

    newest = store().newest()
    assert newest.draft.complete
    assert store().manifest(newest.draft.base).draft.position["loops"][0]["done"] == 2


# --- a save that fails ---


def test_a_failed_background_save_is_told_once_at_the_next_safe_point(disk, caplog):
    """Also where no save is due; the next one works, and stands on the last good one."""

    def work():
        chp = Checkpoint("work", rate="1h", keep=9, **USUAL)
        chp.restore()
        for k in chp.loop(range(7)):
            if k in (0, 2, 5):
                chp.save()
            if k == 2:
                written(chp)
                disk.error = FULL
                disk.hold()
            if k == 3:
                disk.let_go()
                written(chp)
                assert failure_lines(caplog) == []
            if k == 4:
                assert len(failure_lines(caplog)) == 1

    work()

    (line,) = failure_lines(caplog)
    assert line.startswith("⚠ work: could not save: cannot save 'work' to ")
    assert "no space left on device" in line
    assert "The previous generation is untouched" in line
    assert store().verify() == []
    assert numbers() == [1, 2]
    assert store().newest().parent == 1
    assert leftovers(store().place) == []


def test_a_failed_background_save_is_raised_where_asked_for(disk):
    """At the next safe point, once; a program that goes on saves again."""

    def work():
        chp = Checkpoint("work", on_save_error="raise", **SOON)
        n = 1
        chp.restore()
        assert chp.save().generation == 1
        disk.error = FULL
        n = 2
        with held(disk):
            assert due_sync(chp).generation == 2
        written(chp)
        with pytest.raises(StoreError, match="no space left") as caught:
            chp.sync()
        assert caught.value.__cause__.errno == FULL
        n = 3
        assert due_sync(chp).generation == 2

    work()

    assert numbers() == [1, 2]
    assert store().newest().parent == 1
    assert store().verify() == []
    assert resume.load("work", folder="store")["n"] == 3


@pytest.mark.parametrize("how", ["save", "rate=0"])
def test_a_failed_background_save_is_told_by_the_save_that_waits_for_it(disk, caplog, how):
    """And then that save is made."""

    def work():
        rate = {"rate": 0} if how == "rate=0" else {"rate": 0.001}
        chp = Checkpoint("work", **rate, **USUAL)
        n = 1
        chp.restore()
        disk.error = FULL
        with held(disk, let_go_after=0.1):
            assert due_sync(chp)
            n = 2
            answer = chp.save() if how == "save" else chp.sync()
        assert answer.generation == 1

    work()

    assert len(failure_lines(caplog)) == 1
    assert resume.load("work", folder="store")["n"] == 2


def test_the_end_of_a_block_raises_what_the_writer_met(disk):
    """`on_save_error="raise"`, and nothing else is saved at the end: the block itself raises."""

    def work():
        with Checkpoint("work", on_save_error="raise", at_finish=False, **SOON) as chp:
            n = 1
            disk.error = FULL
            disk.hold()
            assert due_sync(chp)
            later(disk.let_go)

    with pytest.raises(StoreError, match="no space left"):
        work()

    assert numbers() == []
    assert store().holder() is None


def test_a_failure_after_the_function_has_ended_is_told(disk, caplog):
    """Its end waits, so the line is there when it returns."""

    def work():
        chp = Checkpoint("work", **SOON)
        n = 1
        chp.restore()
        disk.error = FULL
        disk.hold()
        assert due_sync(chp)
        later(disk.let_go)
        return n

    assert work() == 1

    (line,) = failure_lines(caplog)
    assert "no space left on device" in line
    assert store().holder() is None
    assert leftovers(store().place) == []


def test_a_failure_after_the_function_has_ended_is_raised_by_the_next_checkpoint(disk, caplog):
    """Once; the one after that can be made."""

    def work():
        chp = Checkpoint("work", on_save_error="raise", **SOON)
        n = 1
        chp.restore()
        disk.error = FULL
        disk.hold()
        assert due_sync(chp)
        later(disk.let_go)
        return n

    assert work() == 1

    (line,) = failure_lines(caplog)
    with pytest.raises(StoreError, match="no space left"):
        Checkpoint("other")
    assert work() == 1
    assert numbers() == []
    with pytest.raises(StoreError):
        Checkpoint("other")


def test_an_error_that_was_caught_keeps_nothing_alive(disk):
    """Neither the state nor the lock: nothing of ours holds the frames that it came through."""
    seen = []

    def work():
        chp = Checkpoint("work", on_save_error="raise", **SOON)
        weights = np.zeros(1000).view(Weights)
        seen.append(weakref.ref(weights))
        chp.restore()
        disk.error = FULL
        with held(disk):
            assert due_sync(chp)
        written(chp)
        chp.sync()

    def foreground():
        chp = Checkpoint("work", on_save_error="raise", background=False, **SOON)
        weights = np.zeros(1000).view(Weights)
        seen.append(weakref.ref(weights))
        chp.restore()
        disk.error = FULL
        due_sync(chp)

    gc.collect()
    gc.disable()
    try:
        for call in (work, foreground):
            with pytest.raises(StoreError):
                call()
            assert seen.pop()() is None, call
            assert store().holder() is None, call
    finally:
        gc.enable()


def test_a_writer_without_memory_is_told_like_a_full_disk(disk, caplog):
    """`warn`: the program, which may have enough itself, goes on."""

    def work():
        chp = Checkpoint("work", **SOON)
        n = 1
        chp.restore()
        disk.error = MemoryError
        with held(disk):
            assert due_sync(chp)
        written(chp)
        assert due_sync(chp).generation == 1

    work()

    (line,) = failure_lines(caplog)
    assert "there is not enough memory. The previous generation is untouched" in line
    assert numbers() == [1]


def test_an_error_that_nobody_foresaw_is_raised_with_the_way_that_it_took(disk):
    """The writer's own traceback is text by then: its frames would hold the state."""

    def work():
        chp = Checkpoint("work", **SOON)
        n = 1
        chp.restore()
        disk.error = ZeroDivisionError
        with held(disk):
            assert due_sync(chp)
        written(chp)
        with pytest.raises(ZeroDivisionError) as caught:
            chp.sync()
        assert "in write_body" in caught.value.__notes__[0]
        del caught
        assert due_sync(chp).generation == 1

    work()

    assert numbers() == [1]
    assert leftovers(store().place) == []
