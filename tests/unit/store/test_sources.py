"""Open bodies: hashed in their order, refused, closed."""

from __future__ import annotations

import gc
import hashlib
import os
import threading
import weakref

import numpy as np
import pytest
from crash.disk import PIECE, buffer, draft

from resume.errors import IntegrityError
from resume.store import Store, trust
from resume.store.filling import in_parallel
from resume.store.sources import Bodies, HashedSource, Source, empty, hash_file
from resume.types import BodyRef

SIZE = 3_000_000


@pytest.fixture
def body(tmp_path):
    path = tmp_path / "body"
    path.write_bytes(os.urandom(SIZE))
    descriptor = os.open(path, os.O_RDONLY)
    yield Source(path, descriptor)
    os.close(descriptor)


def hashed(source):
    data = source.path.read_bytes()
    return HashedSource(source, BodyRef("body", len(data), hashlib.sha256(data).hexdigest()))


def test_every_byte_is_hashed_once_and_used_as_it_was(body):
    """What lies between the places that are read counts as well."""
    data, found = body.path.read_bytes(), hashed(body)
    one, two, three = (empty(size) for size in (1000, 5, 1_500_000))

    found.read_into(one, 10)
    found.read_row([two, three], 100_000)
    found.finish()

    assert data[10:1010] == bytes(one)
    assert data[100_000:100_005] == bytes(two)
    assert data[100_005:1_600_005] == bytes(three)
    assert hash_file(body.descriptor) == hashlib.sha256(data).hexdigest()


@pytest.mark.parametrize("place", [0, 500, 2_000_000, SIZE - 1])
def test_a_changed_byte_is_found_wherever_it_is(body, place):
    """In what is read, between, and behind."""
    found = hashed(body)
    data = bytearray(body.path.read_bytes())
    data[place] ^= 1
    body.path.write_bytes(data)

    found.read_into(empty(1000), 0)

    with pytest.raises(IntegrityError, match="sha256"):
        found.finish()


def test_reading_back_is_refused(body):
    """Those bytes would be others than the hashed ones."""
    found = hashed(body)
    found.read_into(empty(1000), 1000)

    with pytest.raises(IntegrityError, match="contradict"):
        found.read_into(empty(10), 1500)


def test_a_row_that_the_file_cuts_short(body):
    """The bytes that are there arrive, and then it is damage."""
    targets = [empty(1000) for _ in range(3)]
    expected = body.path.read_bytes()[SIZE - 1500 : SIZE - 500]

    with pytest.raises(IntegrityError, match="ends before"):
        body.read_row(targets, SIZE - 1500)

    assert expected == bytes(targets[0])


def test_a_medium_that_cannot_be_read_is_damage(tmp_path):
    """The error names the body, not the thread or the call."""
    descriptor = os.open(tmp_path, os.O_RDONLY)
    try:
        with pytest.raises(IntegrityError, match="body is damaged"):
            Source(tmp_path / "body", descriptor).read_into(empty(10), 0)
    finally:
        os.close(descriptor)


def test_dropped_bodies_are_closed(tmp_path):
    """Nobody has to think of it."""
    store = Store(tmp_path, "x", fsync=False)
    made = store.commit(draft(), b"s", [], parent=None)
    store.unlock()
    before = len(os.listdir("/proc/self/fd"))
    bodies = Bodies(store.place, made, vouched=False)
    assert len(os.listdir("/proc/self/fd")) == before + 1

    del bodies

    assert len(os.listdir("/proc/self/fd")) == before


# ---------------------------------------------------------------- what is hashed, what is copied


@pytest.fixture
def saved(tmp_path):
    """A store with an array and a large text."""
    array = np.random.default_rng(0).random(PIECE // 8)
    text = np.frombuffer(os.urandom(300_000), np.uint8)
    store = Store(tmp_path, "x", fsync=False, compress="none")
    views = [buffer(array), type(buffer(text))("t", memoryview(text).cast("B"), "bytes")]
    made = store.commit(draft(), b"stream", views, parent=None)
    store.unlock()
    return store, made, [bytes(one.view) for one in views]


def test_what_is_copied_anyway_is_not_held_beyond_a_bound(saved, monkeypatch):
    """It is verified by the restore, and read again into the object that it belongs to."""
    store, made, raw = saved
    monkeypatch.setattr("resume.store.restore._COPIED_BYTES", 1)
    buffers = store.read(made).buffers
    assert [buffers.is_held(0), buffers.is_held(1)] == [True, False]
    target = memoryview(bytearray(buffers.size_of(1)))

    buffers.read_into(1, target)

    assert raw == [bytes(buffers[0]), bytes(target)]
    assert raw[1] == bytes(buffers[1])


def test_damage_of_what_is_not_held_is_found_by_the_restore(saved, monkeypatch):
    """Before anything is unpickled."""
    store, made, raw = saved
    monkeypatch.setattr("resume.store.restore._COPIED_BYTES", 1)
    monkeypatch.setattr("resume.store.restore.HASHED_BYTES", 1)
    path = store.place / made.body.name
    data = bytearray(path.read_bytes())
    data[data.find(raw[1][:64])] ^= 1
    path.write_bytes(data)

    with pytest.raises(IntegrityError, match="xxh3"):
        store.read(made)


def test_what_others_write_to_is_hashed_each_time(saved, monkeypatch):
    """Vouched for, and read again: a change is found that leaves every extent whole."""
    store, made, raw = saved
    monkeypatch.setattr("resume.store.restore.HASHED_BYTES", 1)
    monkeypatch.setenv("RESUME_TRUST", "1")
    path = store.place / made.body.name
    monkeypatch.setattr(trust, "complaint", lambda found: "everybody can write to it")
    content = store.read(made)
    assert raw == [bytes(one) for one in content.buffers]
    data = bytearray(path.read_bytes())
    data[5] ^= 1
    path.write_bytes(data)

    with pytest.raises(IntegrityError, match="sha256"):
        store.read(made, content)


# ---------------------------------------------------------------- several threads


def test_the_first_error_ends_the_work_and_the_threads():
    """What had not begun is left, nothing runs on."""
    before = threading.active_count()
    done = []

    def act(item, scratch):
        done.append(item)
        if item == 3:
            raise IntegrityError("three")

    with pytest.raises(IntegrityError, match="three"):
        in_parallel(act, list(range(100_000)), 1 << 30)

    assert len(done) < 100_000
    assert before == threading.active_count()


def test_where_no_thread_can_be_started_one_does_it_all(monkeypatch):
    """So it is at the end of the interpreter."""

    def refuse(thread):
        raise RuntimeError("can't create new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    done = []

    in_parallel(lambda item, _: done.append(item), list(range(1000)), 1 << 30)

    assert done == list(range(1000))


@pytest.mark.parametrize("total", [1, 1 << 30])
def test_an_error_keeps_nothing_alive(total):
    """Once it is handled, what its callers worked on goes, without the collector."""

    class Kept:
        pass

    def work():
        kept = Kept()
        try:
            in_parallel(lambda *_: int("x"), [kept] * 1000, total)
        except ValueError:
            return weakref.ref(kept)

    gc.collect()
    gc.disable()
    try:
        assert work()() is None
    finally:
        gc.enable()


@pytest.mark.parametrize("total", [1, 1 << 30])
def test_every_item_is_done_once(total):
    """By one thread or by several."""
    done = []

    in_parallel(lambda item, _: done.append(item), list(range(1000)), total)

    assert sorted(done) == list(range(1000))
