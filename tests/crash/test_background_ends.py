"""Saves beside the program: how a function ends, and what waits for memory."""

from __future__ import annotations

import gc
import os
import signal
import threading
import time
import tracemalloc

import pytest
from crash.disk import leftovers
from crash.held import FULL, Held, all_called, due_sync, held, later, written
from crash.runs import SOON, failure_lines, noise, numbers, numbers_on_disk, store
from crash.test_checkpoint_kills import use

import resume
from resume import Checkpoint, StoreError
from resume.results import FAILED

pytestmark = pytest.mark.timeout(90)


# --- the end ---


def test_the_end_of_the_function_waits(disk):
    """When it has returned, the generation is there, the lock is free, no thread is left."""
    threads = threading.active_count()

    def work(n):
        chp = Checkpoint("work", args="caller", **SOON)
        before = chp.restore()
        disk.hold()
        assert due_sync(chp)
        later(disk.let_go)
        return before.generation

    assert work(1) is None
    assert numbers_on_disk() == [1]
    assert store().holder() is None
    all_called()
    assert threading.active_count() == threads
    assert work(2) == 1
    assert numbers_on_disk() == [1, 2]


@pytest.mark.parametrize("waits", [True, False])
def test_the_end_of_the_function_gives_the_memory_back(disk, waits):
    """That for copies, which may be large, without the collector."""

    def work():
        chp = Checkpoint("work", args="caller", **SOON)
        large = noise()
        chp.restore()
        if waits:
            disk.hold()
            later(disk.let_go)
        assert due_sync(chp)
        if not waits:
            written(chp)
        return tracemalloc.get_traced_memory()[0]

    gc.collect()
    gc.disable()
    tracemalloc.start()
    try:
        inside = work()
        outside = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
        gc.enable()

    assert inside > 2 * noise().nbytes
    assert outside < 2 << 20


def test_the_end_of_a_function_in_another_thread_waits(disk):
    """The thread ends when the generation is durable."""
    found = []

    def work():
        chp = Checkpoint("work", **SOON)
        n = 1
        chp.restore()
        disk.hold()
        assert due_sync(chp)
        later(disk.let_go)

    def call():
        work()
        found.extend(numbers_on_disk())

    thread = threading.Thread(target=call)
    thread.start()
    thread.join()

    assert found == [1]


def test_an_object_that_is_dropped_while_it_is_saved(disk):
    """`of=`: whoever opens its checkpoint next waits for the writer, and finds the generation."""

    class Trainer:
        def __init__(self):
            self.n = 0
            self.chp = Checkpoint("work", of=self, **SOON)
            self.before = self.chp.restore()

    trainer = Trainer()
    trainer.n = 5
    disk.hold()
    assert due_sync(trainer.chp)
    del trainer
    gc.collect()
    later(disk.let_go)
    again = Trainer()

    assert (again.before.generation, again.n) == (1, 5)
    again.n = 6
    assert again.chp.save().generation == 2


def test_ctrl_c_while_the_end_of_the_function_waits(disk):
    """The caller gets it right after the call; the generation is whole, the lock is given back."""

    def work():
        chp = Checkpoint("work", **SOON)
        n = 1
        chp.restore()
        disk.hold()
        assert due_sync(chp)
        later(lambda: os.kill(os.getpid(), signal.SIGINT))
        return n

    returned = []
    with pytest.raises(KeyboardInterrupt):
        returned.append(work())
        time.sleep(30)

    assert returned == [1]
    assert numbers_on_disk() == []
    later(disk.let_go)
    assert numbers() == [1]
    assert store().holder() is None


def test_a_second_checkpoint_waits_for_what_the_first_left_on_its_way(disk):
    """After a Ctrl-C in the wait of the first one: no CheckpointBusyError, and its last state."""

    def work(n):
        chp = Checkpoint("work", args="saved", **SOON)
        before = chp.restore()
        if before:
            return before.generation, n
        disk.hold()
        assert due_sync(chp)
        later(lambda: os.kill(os.getpid(), signal.SIGINT))
        return None

    with pytest.raises(KeyboardInterrupt):
        work(1)
        time.sleep(30)
    later(disk.let_go)

    assert work(2) == (1, 1)


def test_ctrl_c_in_a_save_that_waits_for_the_one_before(disk):
    """The program goes on: the next save stands on the one that was on its way."""

    def work():
        chp = Checkpoint("work", **SOON)
        n = 1
        chp.restore()
        disk.hold()
        assert due_sync(chp)
        later(lambda: os.kill(os.getpid(), signal.SIGINT))
        with pytest.raises(KeyboardInterrupt):
            chp.save()
        all_called()
        n = 2
        later(disk.let_go)
        assert chp.save().generation == 2

    work()

    assert store().newest().parent == 1
    assert [manifest.number for manifest in store().chain()] == [2, 1]


def test_ctrl_c_twice_in_a_save_that_waits_for_a_disk_that_hangs(disk):
    """The first waits for the next safe point, as ever; the second does not."""

    def work():
        chp = Checkpoint("work", **{**SOON, "signals": "auto"})
        n = 1
        chp.restore()
        disk.hold()
        assert due_sync(chp)
        later(lambda: os.kill(os.getpid(), signal.SIGINT), 0.2)
        later(lambda: os.kill(os.getpid(), signal.SIGINT), 0.7)
        with pytest.raises(KeyboardInterrupt):
            chp.save()
        all_called()
        later(disk.let_go)
        assert chp.save().generation == 2

    work()

    assert [manifest.number for manifest in store().chain()] == [2, 1]


def test_ctrl_c_in_a_save_that_waits_for_one_that_fails(disk, caplog):
    """The failure is told all the same, by the next save."""

    def work():
        chp = Checkpoint("work", **SOON)
        n = 1
        chp.restore()
        disk.error = FULL
        disk.hold()
        assert due_sync(chp)
        later(lambda: os.kill(os.getpid(), signal.SIGINT))
        with pytest.raises(KeyboardInterrupt):
            chp.save()
        all_called()
        later(disk.let_go)
        assert chp.save().generation == 1

    work()

    assert len(failure_lines(caplog)) == 1


# --- memory for what waits ---


@pytest.fixture
def writing(monkeypatch):
    """As `disk`, and what is held are the large writes."""
    made = Held("write")
    use(made, monkeypatch)
    yield made
    made.let_go()
    all_called()


def test_a_state_larger_than_the_memory_waits_for_the_disk_and_is_whole(writing):
    """`memory=` bounds the copies; sync() returns when the last of them is made."""

    def work():
        chp = Checkpoint("work", memory="4MiB", **SOON)
        large = noise()
        chp.restore()
        with held(writing, let_go_after=0.2):
            assert due_sync(chp)
            assert writing._open.is_set()
            large[:] = 0

    work()

    assert resume.load("work", folder="store")["large"].tolist() == noise().tolist()


def test_ctrl_c_while_the_caller_waits_for_memory(writing):
    """Nothing is left of that save, and the next works."""

    def work():
        chp = Checkpoint("work", memory="4MiB", **SOON)
        large = noise()
        chp.restore()
        writing.hold()
        later(lambda: os.kill(os.getpid(), signal.SIGINT))
        later(writing.let_go, 0.4)
        with pytest.raises(KeyboardInterrupt):
            due_sync(chp)
        large += 1
        assert chp.save().generation == 1

    work()

    assert numbers() == [1]
    assert leftovers(store().place) == []
    assert len(list(store().place.glob("*.ckpt"))) == 1
    assert resume.load("work", folder="store")["large"].tolist() == (noise() + 1).tolist()


@pytest.mark.parametrize("on_save_error", ["warn", "raise"])
def test_the_writer_fails_while_the_caller_waits_for_memory(writing, caplog, on_save_error):
    """No deadlock: the sync() that waits tells of it."""

    def work():
        chp = Checkpoint("work", memory="4MiB", on_save_error=on_save_error, **SOON)
        large = noise()
        chp.restore()
        writing.error = FULL
        with held(writing, let_go_after=0.2):
            if on_save_error == "raise":
                with pytest.raises(StoreError, match="no space left"):
                    due_sync(chp)
            else:
                assert due_sync(chp) is FAILED
        large += 1
        assert due_sync(chp).generation == 1

    work()

    assert len(failure_lines(caplog)) == (on_save_error == "warn")
    assert numbers() == [1]
    assert leftovers(store().place) == []
    assert resume.load("work", folder="store")["large"].tolist() == (noise() + 1).tolist()
