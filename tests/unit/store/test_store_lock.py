"""One writer at a time, named; also where the file system has no locks."""

from __future__ import annotations

import gc
import json
import os
import pickle
import shutil
import threading
import time
from functools import partial

import pytest
from crash.disk import WithoutLinks, WithoutLocks, in_child, save, which_state

from resume.errors import CheckpointBusyError, StoreError
from resume.store import Store, claim_files, lock
from resume.store.files import Disk

needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")


def test_a_second_store_of_the_process_is_busy(tmp_path):
    """Under whatever path; the text names the process, and the error crosses processes."""
    store = Store(tmp_path / "c", "x")
    store.lock()
    store.lock()
    (tmp_path / "other").symlink_to(tmp_path / "c")

    for folder in (tmp_path / "c", tmp_path / "other"):
        with pytest.raises(CheckpointBusyError, match=f"process {os.getpid()} on ") as caught:
            Store(folder, "x").lock()
        assert "another checkpoint of this program" in str(caught.value)
        assert isinstance(pickle.loads(pickle.dumps(caught.value)), TimeoutError)
    Store(tmp_path / "c", "y").lock()

    store.unlock()
    later = Store(tmp_path / "c", "x")
    later.lock()
    later.unlock()


@needs_fork
def test_another_process_is_named(tmp_path):
    """Host, process and since when stand in the text; looking takes no lock."""
    reading, writing = os.pipe()
    done, end = os.pipe()
    pid = os.fork()
    if pid == 0:
        Store(tmp_path, "x").lock()
        held = Store(tmp_path, "x")
        held.lock()
        os.write(writing, b"!")
        os.read(done, 1)
        os._exit(0)
    os.read(reading, 1)
    store = Store(tmp_path, "x")

    try:
        holder = store.holder()
        assert holder["pid"] == pid
        assert abs(holder["since"] - time.time()) < 60
        assert store.entries() == []
        with pytest.raises(
            CheckpointBusyError, match=rf"process {pid} on .*, since .* ago"
        ) as caught:
            save(store, 1, None)
        assert "name=" in str(caught.value)
    finally:
        os.write(end, b"!")
        os.waitpid(pid, 0)
        for one in (reading, writing, done, end):
            os.close(one)
    store.lock()
    store.unlock()


def test_a_forgotten_store_gives_the_lock_back(tmp_path):
    """No `unlock`, and the object is gone: the next one is not busy."""
    store = Store(tmp_path, "x")
    store.lock()
    del store
    gc.collect()

    store = Store(tmp_path, "x")
    store.lock()
    store.unlock()


def test_a_removed_folder_is_locked_anew(tmp_path):
    """Somebody removes `.checkpoints` while the program runs: the next save makes it again."""
    store = Store(tmp_path / "c", "x")
    first = save(store, 1, None)
    shutil.rmtree(tmp_path / "c")

    second = save(store, 2, first)

    assert which_state(store.read(second)) == 2
    with pytest.raises(CheckpointBusyError):
        Store(tmp_path / "c", "x").lock()
    store.unlock()


def test_a_lock_file_that_may_not_be_opened_is_no_contention(tmp_path):
    """A folder in its place is the disk's fault, and told as that."""
    (tmp_path / "x" / "lock").mkdir(parents=True)

    with pytest.raises(StoreError) as caught:
        Store(tmp_path, "x").lock()
    assert not isinstance(caught.value, CheckpointBusyError)


def claimed(folder, **options) -> Store:
    return Store(folder, "x", disk=WithoutLocks(), **options)


def test_a_claim_stands_in_for_a_lock(tmp_path):
    """Where flock is refused: one holder, named, and free again after it."""
    store = claimed(tmp_path)
    first = save(store, 1, None)

    assert store.holder()["pid"] == os.getpid()
    assert (store.place / lock.CLAIM_NAME).exists()
    if hasattr(os, "fork"):

        def act():
            try:
                claimed(tmp_path).lock()
            except CheckpointBusyError as why:
                assert str(os.getppid()) in str(why)
            else:
                os._exit(50)

        assert in_child(act) == 0
    save(store, 2, first)
    threads = threading.active_count()
    store.unlock()
    assert store.holder() is None
    assert threading.active_count() == threads - 1
    assert not (store.place / lock.CLAIM_NAME).exists()


def test_a_claim_without_locks_and_links(tmp_path):
    """The poorest of file systems."""
    kind = type("Neither", (WithoutLocks, WithoutLinks), {})
    store = Store(tmp_path, "x", disk=kind())
    save(store, 2, save(store, 1, None))

    assert which_state(store.read_best()[1]) == 2
    assert store.verify() == []
    store.unlock()


def write_claim(store: Store, **record) -> None:
    store.place.mkdir(parents=True, exist_ok=True)
    plain = {"host": "elsewhere", "pid": 1, "since": 1.0, "token": "t"}
    (store.place / lock.CLAIM_NAME).write_text(json.dumps({**plain, **record}))


def test_a_fresh_claim_of_another_machine_holds(tmp_path):
    """Nobody can ask whether its process lives; its heartbeat tells."""
    store = claimed(tmp_path)
    write_claim(store)

    with pytest.raises(CheckpointBusyError, match="elsewhere"):
        store.lock()


def test_a_silent_claim_is_taken_over(tmp_path):
    """No heartbeat for over a minute, by the file system's own clock."""
    store = claimed(tmp_path)
    write_claim(store)
    then = time.time() - claim_files.STALE_S - 5
    os.utime(store.place / lock.CLAIM_NAME, (then, then))

    store.lock()

    assert store.holder()["pid"] == os.getpid()
    store.unlock()


@needs_fork
def test_a_dead_claim_of_this_machine_is_taken_over_at_once(tmp_path):
    """Its process is gone."""
    store = claimed(tmp_path)

    def dies():
        held = claimed(tmp_path)
        held.lock()
        os._exit(0)

    in_child(dies)
    assert (store.place / lock.CLAIM_NAME).exists()
    store.lock()
    store.unlock()


def test_the_heartbeat_touches_the_claim(tmp_path, monkeypatch):
    """While it is held, its time goes on."""
    monkeypatch.setattr(lock, "HEARTBEAT_S", 0.01)
    store = claimed(tmp_path)
    store.lock()
    path = store.place / lock.CLAIM_NAME
    os.utime(path, (1.0, 1.0))

    deadline = time.time() + 10
    while path.stat().st_mtime == 1.0 and time.time() < deadline:
        time.sleep(0.01)

    assert path.stat().st_mtime > 1.0
    store.unlock()


def test_a_lost_claim_is_noticed_at_the_next_save(tmp_path):
    """Another took it over while this one slept: busy, and nothing is written."""
    store = claimed(tmp_path)
    first = save(store, 1, None)
    write_claim(store)

    with pytest.raises(CheckpointBusyError, match="elsewhere"):
        save(store, 2, first)

    assert [one.number for one in store.entries()] == [1]
    store.unlock()
    assert (store.place / lock.CLAIM_NAME).exists()


class Meanwhile(WithoutLocks):
    """While one thread publishes its claim, another does *act*, and the first waits for it."""

    def __init__(self, act) -> None:
        super().__init__()
        self._act = act
        self.has_ended = []

    def link(self, source, target) -> None:
        super().link(source, target)
        if not self.has_ended:
            thread = threading.Thread(target=self._act, daemon=True)
            thread.start()
            thread.join(10)
            self.has_ended.append(not thread.is_alive())


@pytest.mark.parametrize("kind", [Disk, WithoutLocks])
def test_the_collector_waits_for_nobody_who_takes_a_lock(tmp_path, kind):
    """It drops a store in any thread: also in one that who takes the lock waits for."""
    forgotten = [Store(tmp_path, "forgotten", disk=kind())]
    forgotten[0].lock()
    disk = Meanwhile(forgotten.clear)
    store = Store(tmp_path, "x", disk=disk)

    store.lock()

    assert disk.has_ended == [True]
    again = Store(tmp_path, "forgotten", disk=kind())
    again.lock()
    again.unlock()
    store.unlock()


def test_a_lock_that_was_given_back_meanwhile_can_be_taken_again(tmp_path):
    """By the thread that gave it back, while another is still at work on its own."""
    first = claimed(tmp_path)
    first.lock()
    disk = Meanwhile(first.unlock)

    Store(tmp_path, "y", disk=disk).lock()
    first.lock()

    assert disk.has_ended == [True]
    assert first.holder()["pid"] == os.getpid()
    first.unlock()
    assert first.holder() is None


def test_a_claim_may_be_dropped_by_its_own_heartbeat(tmp_path, monkeypatch):
    """The collector runs in that thread as in any other, amid its wait."""
    monkeypatch.setattr(lock, "HEARTBEAT_S", 0.01)
    held = [claimed(tmp_path)]
    place = held[0].place
    utime = os.utime

    def drop(path):
        utime(path)
        if threading.current_thread().name == "resume-claim":
            held.clear()

    monkeypatch.setattr(os, "utime", drop)
    held[0].lock()
    deadline = time.time() + 10
    # the thread goes behind the file: it ends what it drops there
    while any(one.name == "resume-claim" for one in threading.enumerate()):
        assert time.time() < deadline
        time.sleep(0.01)

    assert not held
    assert not (place / lock.CLAIM_NAME).exists()


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (partial(RuntimeError, "can't start new thread"), StoreError),
        (KeyboardInterrupt, KeyboardInterrupt),
    ],
)
def test_a_claim_without_a_heartbeat_is_given_back(tmp_path, monkeypatch, error, told):
    """The system has no thread left, or a Ctrl-C comes amid its start: nobody is kept out."""
    store = claimed(tmp_path)

    def fails(thread):
        raise error()

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", fails)
        with pytest.raises(told):
            store.lock()

    assert not (store.place / lock.CLAIM_NAME).exists()
    store.lock()
    store.unlock()


def test_a_holders_record_that_says_nothing(tmp_path):
    """Empty, half written or of another shape: nobody is named, nothing fails."""
    store = Store(tmp_path, "x")
    store.place.mkdir(parents=True)
    for text in ("", "{", "[]", '{"pid": "x"}', '{"pid": 1}'):
        (store.place / lock.LOCK_NAME).write_text(text)
        assert store.holder() is None
    assert "another program" in str(lock.busy("x", None))
