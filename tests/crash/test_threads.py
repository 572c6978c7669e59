"""Other threads: they write to the state while it is saved, and they ask for saves."""

from __future__ import annotations

import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

import resume
from resume import Checkpoint
from resume.store import Store

PIECE = 4 << 20


@contextmanager
def in_thread(act):
    """Call *act* again and again in another thread, with many switches between the threads."""
    ended = threading.Event()
    failures = []

    def work():
        try:
            while not ended.is_set():
                act()
        except BaseException as why:
            failures.append(why)

    thread = threading.Thread(target=work)
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
        sys.setswitchinterval(interval)
    assert failures == []


@pytest.mark.parametrize("compress", ["none", 1])
def test_every_generation_is_readable_while_a_thread_writes_to_the_arrays(compress):
    """Numbers change amid the save: each generation verifies, and holds a value that was there."""
    shared = {
        "large": np.zeros(3 * PIECE // 8, dtype=np.int64),
        "middle": np.zeros(20_000, dtype=np.int64),
        "small": np.zeros(100, dtype=np.int64),
        "raw": bytearray(100_000),
    }
    turn = 0

    def scribble():
        nonlocal turn
        turn += 1
        shared["large"][turn % 1000 :: 1000] = turn
        shared["middle"][:] = turn
        shared["small"][:] = turn
        shared["raw"][turn % 90_000] = turn % 251

    def work():
        large, middle, small, raw = shared.values()
        chp = Checkpoint("work", folder="store", keep=100, compress=compress)
        n = 0
        chp.restore()
        with in_thread(scribble):
            while n < 12:
                n += 1
                assert chp.save()

    work()

    store = Store(Path("store"), "work")
    assert store.verify() == []
    manifests = [entry.manifest for entry in store.entries()]
    assert [manifest.number for manifest in manifests] == list(range(12, 0, -1))
    for manifest in manifests:
        assert len(store.read(manifest).buffers) >= 3
    last = resume.load("work", folder="store")
    assert last["n"] == 12
    assert 0 < last["large"].max() <= turn
    assert 0 < last["small"].max() <= turn


def test_the_rerun_after_such_saves_goes_on():
    """What was saved under a writing thread restores like any other state."""

    def work(until):
        chp = Checkpoint("work", folder="store", args="caller", keep=1)
        data = np.zeros(PIECE // 4)
        n = 0
        back = chp.restore()
        assert data.shape == (PIECE // 4,)
        with in_thread(lambda: np.add(data, 1, out=data)):
            while n < until:
                n += 1
                chp.save()
        return back, n

    for until in range(2, 8, 2):
        back, n = work(until)
        assert n == until
        assert back.generation == (until - 2 or None)


def ask(chp, how, **values):
    """The answer that another thread gets."""
    answers = []
    thread = threading.Thread(target=lambda: answers.append(getattr(chp, how)(**values)))
    thread.start()
    thread.join()
    return answers[0]


def test_a_thread_only_asks_for_a_save():
    """Its save() is falsy and writes nothing; the owner's next safe point saves, its values too."""
    store = Store(Path("store"), "work")

    def work():
        chp = Checkpoint("work", folder="store", rate="1h")
        n = 0
        chp.restore()
        while n < 3:
            n += 1
            assert not chp.sync()
            answer = ask(chp, "save", told=n)
            assert not answer
            assert "another thread" in answer.why
            assert len(store.entries()) == n - 1
            assert chp.sync().generation == n
            assert not chp.sync()

    work()

    assert resume.load("work", folder="store")["told"] == 3


@pytest.mark.parametrize("options", [{"rate": "1h"}, {"rate": "1h", "iterations": 3}])
def test_a_threads_sync_that_is_not_due_asks_for_nothing(options):
    """The throttle is one for all threads, and another thread's sync counts as no safe point."""
    saved = []

    def work():
        chp = Checkpoint("work", folder="store", **options)
        n = 0
        chp.restore()
        while n < 6:
            n += 1
            assert ask(chp, "sync").why == "not due"
            saved.append(bool(chp.sync()))

    work()

    assert saved == [n % 3 == 0 and "iterations" in options for n in range(1, 7)]


def test_a_threads_sync_that_is_due_asks_for_a_save():
    """The owner's next safe point saves."""

    def work():
        chp = Checkpoint("work", folder="store", rate=0)
        n = 0
        chp.restore()
        assert "another thread" in ask(chp, "sync").why
        assert chp.sync().generation == 1
        return n

    work()


def test_a_threads_sync_asks_as_often_as_the_share_of_saves_allows():
    """With rate="auto" it waits for what is measured, as the owner's does, and no fixed time."""

    def work():
        chp = Checkpoint("work", folder="store", rate="auto", max_overhead=1.0)
        n = 0
        chp.restore()
        assert ask(chp, "sync").why == "not due"
        chp.save()
        time.sleep(1)
        assert "another thread" in ask(chp, "sync").why
        return n

    work()


def test_a_thread_asks_between_two_items_of_a_loop():
    """The loop saves at the end of the item in which the request came, and only there."""
    numbers = []
    store = Store(Path("store"), "work")

    def work():
        with Checkpoint("work", folder="store", rate="1h", at_finish=False) as chp:
            for k in chp.loop(range(5)):
                numbers.append(len(store.entries()))
                if k == 2:
                    thread = threading.Thread(target=chp.save)
                    thread.start()
                    thread.join()
                    del thread

    work()

    assert numbers == [0, 0, 0, 1, 1]


def test_a_request_amid_a_save_is_not_lost():
    """What is asked for while a save is being made may not be in it, so the next one makes it."""
    asked = threading.Event()
    answers = []

    class Slow:
        """Its state takes a while to capture, and the other thread asks meanwhile."""

        def __getstate__(self):
            if not asked.is_set():
                thread = threading.Thread(target=lambda: answers.append(SAVER[0].save()))
                thread.start()
                thread.join()
                asked.set()
            return {}

    SAVER = []

    def work():
        chp = Checkpoint("work", folder="store", rate="1h")
        SAVER.append(chp)
        slow = Slow()
        n = 0
        chp.restore()
        n = 1
        assert chp.save().generation == 1
        assert answers and not answers[0]
        n = 2
        assert chp.sync().generation == 2
        n = 3
        assert not chp.sync()
        return slow, n

    work()


def test_threads_that_ask_all_the_time_do_no_harm():
    """Requests from several threads during saves: no error, and whole generations."""

    def work():
        chp = Checkpoint("work", folder="store", rate="1h", keep=5)
        data = np.arange(50_000)
        n = 0
        chp.restore()
        with in_thread(chp.sync), in_thread(chp.save):
            until = time.monotonic() + 0.5
            while time.monotonic() < until or n < 5:
                n += 1
                chp.sync()
        return data, n

    work()

    store = Store(Path("store"), "work")
    assert store.verify() == []
    assert len(store.entries()) == 5


def test_a_checkpoint_in_a_thread_belongs_to_it():
    """Each thread has checkpoints of its own, and none is written by another's sync."""

    def work(name):
        chp = Checkpoint(f"work-{name}", folder="store", rate=0)
        n = 0
        chp.restore()
        while n < 5:
            n += 1
            assert chp.sync()
        results.append((name, n))

    results = []
    threads = [threading.Thread(target=work, args=(name,)) for name in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(results) == [(name, 5) for name in "abcd"]
    for name in "abcd":
        assert Store(Path("store"), f"work-{name}").newest().number == 5


def test_the_same_checkpoint_in_two_threads_is_busy():
    """The second is told who has it; the first goes on."""
    errors = []

    def work(nested):
        chp = Checkpoint("work", folder="store", rate=0, exclude=["other"])
        n = 0
        chp.restore()
        n = 1
        assert chp.save()
        if nested:
            other = threading.Thread(target=second)
            other.start()
            other.join()
        n = 2
        assert chp.save()

    def second():
        try:
            work(nested=False)
        except resume.CheckpointBusyError as why:
            errors.append(str(why))

    work(nested=True)

    assert len(errors) == 1
    assert "live already" in errors[0]
    assert Store(Path("store"), "work").newest().number == 2
