"""The sha256 of a body, taken as it is written or made up afterwards: the same, of good bytes."""

from __future__ import annotations

import errno
import hashlib
import os
import threading
import time
from contextlib import suppress
from functools import partial
from queue import SimpleQueue

import numpy as np
import pytest
from crash.disk import PIECE, buffer, draft, leftovers
from crash.held import FULL

from resume.errors import StoreError
from resume.store import Store, appending
from resume.store.appending import BodyWriter
from resume.store.extents import digest
from resume.store.files import Disk
from resume.store.handover import write_beside
from resume.store.hashing import BodyHash
from resume.store.pending import Pending
from resume.store.staging import Block, Pool

MIB = 1 << 20


def nothing():
    pass


@pytest.fixture
def any_disk_is_fast(monkeypatch):
    """A machine that is busy with other things must not change what is tested."""
    monkeypatch.setattr(appending, "_SLOW_BYTES_PER_S", 0)


@pytest.fixture
def file(tmp_path):
    """A file of 40 MiB and a bit, and the digests of its parts."""
    path = tmp_path / "body"
    data = np.random.default_rng(0).bytes(40 * MIB + 17)
    path.write_bytes(data)
    sizes = [PIECE] * 9 + [1, 0, 3 * MIB, MIB + 16]
    ends = np.cumsum(sizes).tolist()
    assert ends[-1] == len(data)
    parts = [data[end - size : end] for size, end in zip(sizes, ends, strict=True)]
    return path, parts


def hash_of(parts, now):
    """With the first *now* of *parts* taken at once, and the others put off."""
    made = BodyHash()
    for part in parts[:now]:
        made.update(part)
    made.put_off([(len(part), digest(part)) for part in parts[now:]])
    return made


@pytest.mark.parametrize("now", [0, 1, 9, 12, 13])
def test_it_is_the_same_however_much_was_put_off(file, now):
    """All, some or none of it."""
    path, parts = file
    made = hash_of(parts, now)
    assert made.is_behind is (now < 13)

    assert made.finish(path, nothing) == hashlib.sha256(b"".join(parts)).hexdigest()


def test_a_part_larger_than_a_batch_is_read_back_whole(tmp_path):
    """What somebody wrote in one piece."""
    data = bytes(range(256)) * (40 << 12)
    (tmp_path / "body").write_bytes(data)
    made = BodyHash()
    made.put_off([(len(data), digest(data))])

    assert made.finish(tmp_path / "body", nothing) == hashlib.sha256(data).hexdigest()


@pytest.mark.parametrize("place", [0, 17 * MIB, 40 * MIB + 16])
def test_a_byte_that_changed_since_is_refused(file, place):
    """It would be recorded as right."""
    path, parts = file
    with path.open("r+b") as body:
        body.seek(place)
        old = body.read(1)
        body.seek(place)
        body.write(bytes([old[0] ^ 1]))

    with pytest.raises(OSError, match="reads back differently") as caught:
        hash_of(parts, 0).finish(path, nothing)

    assert caught.value.errno == errno.EIO


def test_bytes_that_are_gone_are_refused(file):
    """Whoever cut the file."""
    path, parts = file
    os.truncate(path, 39 * MIB)

    with pytest.raises(OSError, match="reads back differently"):
        hash_of(parts, 1).finish(path, nothing)


def test_a_file_that_cannot_be_read_is_told(file):
    """As the disk says it."""
    _, parts = file

    with pytest.raises(FileNotFoundError):
        hash_of(parts, 1).finish(file[0].with_name("gone"), nothing)


@pytest.mark.parametrize("error", [KeyboardInterrupt, partial(OSError, errno.EIO, "broken")])
def test_what_is_raised_beside_ends_the_hashing(file, error):
    """A Ctrl-C, a broken disk: it passes, and no thread is left."""
    path, parts = file
    before = threading.active_count()

    def beside():
        raise error()

    with pytest.raises((KeyboardInterrupt, OSError)):
        hash_of(parts, 0).finish(path, beside)

    assert threading.active_count() == before


def test_what_is_raised_beside_does_not_wait_for_all_the_rest(tmp_path):
    """Minutes of reading back are given up after the batch that is under way."""
    count = 512 * MIB // PIECE
    with (tmp_path / "body").open("wb") as body:
        body.truncate(count * PIECE)
    parts = [(PIECE, digest(bytes(PIECE)))] * count

    spent = []
    for beside in (nothing, partial(_raise, KeyboardInterrupt())):
        made = BodyHash()
        made.put_off(parts)
        began = time.process_time()
        with suppress(KeyboardInterrupt):
            made.finish(tmp_path / "body", beside)
        spent.append(time.process_time() - began)

    assert spent[1] < spent[0] / 2


def _raise(why):
    raise why


def test_it_is_made_here_where_no_thread_can_start(file, monkeypatch):
    """At the end of the interpreter: all is done all the same, one after the other."""
    path, parts = file
    done = []

    def refuse(_self):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    expected = hashlib.sha256(b"".join(parts)).hexdigest()

    assert hash_of(parts, 1).finish(path, lambda: done.append(1)) == expected
    assert done == [1]


# --- by a body's writer ---


class Slow(Disk):
    """Takes twenty bytes in a microsecond."""

    def write(self, descriptor, data):
        super().write(descriptor, data)
        time.sleep(len(data) / 2e7)


@pytest.mark.parametrize(
    ("disk", "is_awaited", "size", "is_put_off"),
    [
        (Disk(), True, PIECE, True),
        (Disk(), True, 1000, False),
        (Disk(), False, PIECE, False),
    ],
    ids=["awaited", "small", "not-awaited"],
)
@pytest.mark.usefixtures("any_disk_is_fast")
def test_only_what_the_program_waits_for_is_put_off(tmp_path, disk, is_awaited, size, is_put_off):
    """And what follows it as well."""
    look_at_a_writer(tmp_path / "body", disk, size, is_awaited=is_awaited, is_put_off=is_put_off)


def test_on_a_slow_disk_nothing_is_put_off(tmp_path):
    """To read it back might take as long as to write it."""
    look_at_a_writer(tmp_path / "body", Slow(), PIECE, is_awaited=True, is_put_off=False)


def look_at_a_writer(path, disk, size, *, is_awaited, is_put_off):
    writer = BodyWriter(disk, "body", disk.create(path), 0, is_awaited=lambda: is_awaited)
    data = np.random.default_rng(0).bytes(size)
    writer.write(b"head")
    writer.add(memoryview(data), [(0, size // 2), (size // 2 + 1, size)], [
        digest(data[: size // 2]), digest(data[size // 2 + 1 :])
    ])  # fmt: skip
    writer.write(b"tail")
    os.close(writer.descriptor)

    assert writer.hash.is_behind is is_put_off
    sha256 = writer.hash.finish(path, nothing)
    assert sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert writer.offset == path.stat().st_size == size + 7


# --- by a whole save ---


def large_state():
    """40 MiB: noise, zeros that are found again, and what compresses."""
    noise = np.random.default_rng(1).integers(0, 256, 5 * PIECE, np.uint8)
    plain = np.arange(PIECE // 2, dtype="<i8") // 1000
    return [buffer(one) for one in (noise, np.zeros(PIECE, np.uint8), plain, noise[: PIECE + 70])]


def assert_hash_is_right(store, manifest):
    body = (store.place / manifest.body.name).read_bytes()
    assert manifest.body.sha256 == hashlib.sha256(body).hexdigest()
    assert store.verify() == []


@pytest.mark.shared
@pytest.mark.usefixtures("any_disk_is_fast")
@pytest.mark.parametrize("compress", ["auto", "none", 1])
@pytest.mark.parametrize("memory", [PIECE, 12 * MIB, 256 * MIB])
@pytest.mark.parametrize("how", ["begin", "save"])
def test_the_manifest_tells_the_sha256_of_the_body(tmp_path, how, memory, compress):
    """However it was hashed; and what was saved is read back."""
    store = Store(tmp_path, "x", memory_bytes=memory, compress=compress)
    stream = np.random.default_rng(2).bytes(3 * MIB)

    manifest = getattr(store, how)(draft(), stream, large_state(), parent=None).wait()

    assert_hash_is_right(store, manifest)
    content = store.read(manifest)
    assert bytes(content.stream) == stream
    for one, got in zip(large_state(), content.buffers, strict=True):
        assert one.view == got
    store.unlock()


class Treacherous(Disk):
    """Changes some of what it took; fails, or is interrupted, at the next fsync."""

    def __init__(self):
        self.damages = False
        self.error = None

    def write(self, descriptor, data):
        super().write(descriptor, data)
        if self.damages and len(data) >= PIECE:
            self.damages = False
            os.pwrite(descriptor, b"not this", os.fstat(descriptor).st_size - 1000)

    def fsync(self, descriptor):
        error, self.error = self.error, None
        if error is not None:
            raise error()
        super().fsync(descriptor)


@pytest.mark.usefixtures("any_disk_is_fast")
@pytest.mark.parametrize("how", ["begin", "save"])
def test_bytes_that_change_before_they_are_hashed_refuse_the_save(tmp_path, how):
    """The generation before stands, nothing is left of this one, and the next is made."""
    disk = Treacherous()
    store = Store(tmp_path, "x", memory_bytes=PIECE, disk=disk)
    first = store.commit(draft(), b"first", [], parent=None)
    disk.damages = True

    pending = getattr(store, how)(draft(), b"second", large_state(), parent=first)
    with pytest.raises(StoreError, match="reads back differently.*previous generation is untouch"):
        pending.wait()

    assert not disk.damages
    assert store.newest() == first
    assert leftovers(store.place) == []
    made = store.commit(draft(), b"third", large_state(), parent=first)
    assert (made.number, made.parent) == (2, 1)
    assert_hash_is_right(store, made)
    store.unlock()


@pytest.mark.usefixtures("any_disk_is_fast")
@pytest.mark.parametrize("how", ["begin", "save"])
@pytest.mark.parametrize("error", [partial(OSError, FULL, "no space left"), KeyboardInterrupt])
def test_an_error_while_it_is_hashed_leaves_nothing_behind(tmp_path, how, error):
    """A full disk or a Ctrl-C in the fsync beside: no file, no thread."""
    disk = Treacherous()
    store = Store(tmp_path, "x", memory_bytes=PIECE, disk=disk)
    first = store.commit(draft(), b"first", [], parent=None)
    before = threading.active_count()
    disk.error = error

    pending = getattr(store, how)(draft(), b"second", large_state(), parent=first)
    with pytest.raises((StoreError, KeyboardInterrupt)):
        pending.wait()

    assert threading.active_count() == before
    assert store.newest() == first
    assert leftovers(store.place) == []
    assert_hash_is_right(store, store.commit(draft(), b"third", large_state(), parent=first))
    store.unlock()


def test_who_waits_for_memory_takes_the_digests(tmp_path):
    """The pool is used up, so the program has the time; the writer gets the block with them."""
    pool = Pool(2 * PIECE)
    shipped, taken = SimpleQueue(), []

    def staging(ship):
        for k in range(5):
            run = pool.take().add(PIECE, 0, k)
            run.data[:8] = b"%8d" % k
            ship(Block(run.data, PIECE, [run]))
            shipped.put(k)
        return []

    def act(feed):
        def take(block):
            (run,) = block.runs
            while run.owner < 4 and shipped.get() <= run.owner:  # the other block is lent, too
                pass
            taken.append((run.owner, run.digest, digest(run.data)))

        feed(take)

    pending = Pending(tmp_path, 1)
    write_beside(pending, act, staging, pool)
    pending.settle()

    assert pending.error is None
    assert [owner for owner, _, _ in taken] == [0, 1, 2, 3, 4]
    assert all(mark == right for _, mark, right in taken[2:])
    assert not pool.is_waited_for
