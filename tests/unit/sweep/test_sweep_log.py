"""The log of a sweep on a disk: torn, damaged, full, shared, removed."""

from __future__ import annotations

import errno
import json
import os
import socket
import subprocess
import sys
import threading
import time

import pytest

from resume.errors import IntegrityError, ResumeWarning, SchemaVersionError, StoreError
from resume.store.files import Disk
from resume.sweep import lines
from resume.sweep.log import Log, beside, new_head


class Seen:
    """What a log handed out."""

    def __init__(self):
        self.keys = []
        self.starts = []

    def __call__(self, found):
        self.keys += found.keys
        self.starts += found.starts


def opened(path, **options):
    seen = Seen()
    log = Log(path, new_head("grid", 3), seen, **options)
    log.refresh()
    return log, seen


def add(log, key, result="1"):
    with log.writing():
        return log.append(lines.open_end(f'{{"key":"{key}","result":{result}}}'))


@pytest.fixture
def path(tmp_path):
    return tmp_path / "grid.sweep.jsonl"


@pytest.fixture
def three(path):
    """A log of three lines behind its head, closed."""
    log, _ = opened(path)
    for key in "abc":
        add(log, key)
    log.close()
    return path


def test_nothing_is_made_by_looking(path):
    log, seen = opened(path)

    assert not log.exists
    assert not path.exists()
    assert seen.keys == []


def test_what_was_appended_is_read_again(three):
    log, seen = opened(three)

    assert seen.keys == ["a", "b", "c"]
    assert log.count == 4
    assert log.size == three.stat().st_size
    assert log.line_at(seen.starts[1])["key"] == "b"
    assert not log.is_read_only


def test_the_log_is_the_users_alone(three):
    assert three.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("cut", [1, 5, 40])
def test_a_torn_last_line_is_cut_off_by_the_next_writer(three, cut):
    """With a warning; the lines before it stay, and the next one joins them."""
    data = three.read_bytes()
    three.write_bytes(data[:-cut])
    log, seen = opened(three)
    assert seen.keys == ["a", "b"]
    assert three.stat().st_size == len(data) - cut  # a look changes nothing

    with pytest.warns(ResumeWarning, match="torn by a crash"):
        add(log, "d")

    assert opened(three)[1].keys == ["a", "b", "d"]


def test_a_tail_of_zeros_is_torn_too(three):
    """What a file system leaves where a power cut came between the length and the bytes."""
    with three.open("ab") as out:
        out.write(bytes(5000))
    log, _ = opened(three)

    with pytest.warns(ResumeWarning, match="5000 bytes"):
        add(log, "d")

    assert opened(three)[1].keys == ["a", "b", "c", "d"]


def test_a_torn_head_is_begun_again(path):
    path.write_bytes(b'{"sweep":1,"na')
    log, _ = opened(path)

    with pytest.warns(ResumeWarning, match="torn"):
        add(log, "a")

    assert opened(path)[1].keys == ["a"]


@pytest.mark.parametrize(("line", "named"), [(0, "line 1"), (1, "line 2"), (2, "line 3")])
def test_damage_in_the_middle_names_the_line(three, line, named):
    """And changes nothing."""
    whole = three.read_bytes().splitlines(keepends=True)
    whole[line] = whole[line].replace(b'"', b"'", 1)
    three.write_bytes(b"".join(whole))

    with pytest.raises(IntegrityError, match=f"{named}.*is not what was written"):
        opened(three)

    assert three.read_bytes() == b"".join(whole)


def test_damage_in_the_last_whole_line_is_damage(three):
    """It has its newline, so no crash has torn it."""
    data = three.read_bytes()
    three.write_bytes(data[:-30] + b"#" + data[-29:])

    with pytest.raises(IntegrityError, match="line 4"):
        opened(three)


def test_a_file_that_is_no_log_is_left_alone(path):
    path.write_bytes(b"my own notes\n")

    with pytest.raises(IntegrityError, match="line 1, its head"):
        opened(path)

    assert path.read_bytes() == b"my own notes\n"


def test_a_long_stretch_without_a_newline_is_damage(three):
    """No line is as long; a writer that took it for torn would cut off what follows."""
    with three.open("ab") as out:
        out.write(bytes(5 << 20) + b"\n")

    with pytest.raises(IntegrityError, match="line 5"):
        opened(three)


def test_a_log_from_the_future_is_told_from_a_damaged_one(three):
    data = three.read_bytes()
    head = lines.encode_line({"sweep": 2, "what": "else"}, "")
    three.write_bytes(head + data[data.index(b"\n") + 1 :])

    with pytest.raises(SchemaVersionError, match="format 2; this version of resume reads format 1"):
        opened(three)


def test_two_logs_take_turns(path):
    """Each reads what the other has appended before it appends; one head, one chain."""
    one, seen_by_one = opened(path)
    other, seen_by_other = opened(path)

    for key in "abcdef":
        add(one if key in "ace" else other, key)
    one.refresh()

    assert seen_by_one.keys == ["b", "d", "f"]
    assert seen_by_other.keys == ["a", "c", "e"]
    assert opened(path)[1].keys == list("abcdef")


def test_threads_take_turns(path):
    log, _ = opened(path, in_batches=True)
    threads = [
        threading.Thread(target=lambda n=n: [add(log, f"{n} {m}") for m in range(30)])
        for n in range(4)
    ]

    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)

    assert sorted(opened(path)[1].keys) == sorted(f"{n} {m}" for n in range(4) for m in range(30))


def test_a_log_is_read_in_pieces(path, monkeypatch):
    """Lines that lie across the edge of a piece are read like all others."""
    log, _ = opened(path, in_batches=True)
    for number in range(300):
        add(log, f"item {number}", result=str(number) * (number % 40 + 1))
    log.flush()
    monkeypatch.setattr("resume.sweep.log._PIECE", 500)

    again, seen = opened(path)

    assert seen.keys == [f"item {number}" for number in range(300)]
    assert again.line_at(seen.starts[250])["result"] == int("250" * 11)


def test_a_line_of_any_length_is_read_alone(path):
    log, _ = opened(path)
    start = add(log, "a", result=f'"{"x" * 100_000}"')

    assert len(log.line_at(start)["result"]) == 100_000


def test_a_line_that_rots_after_the_opening_is_found_when_it_is_read(three):
    log, seen = opened(three)
    data = three.read_bytes()
    three.write_bytes(data.replace(b'"b","result":1', b'"b","result":2'))

    with pytest.raises(IntegrityError, match="the line at byte"):
        log.line_at(seen.starts[1])


def test_a_log_that_lost_lines_meanwhile_is_told(three):
    log, _ = opened(three)
    three.write_bytes(three.read_bytes()[:200])

    with pytest.raises(IntegrityError, match="has lost its end: 200 bytes"):
        add(log, "d")


@pytest.mark.parametrize("how", ["unlink", "replace"])
def test_a_log_that_was_taken_away_is_told(three, how):
    """What is recorded into a file without a name would be gone in silence."""
    log, _ = opened(three)
    add(log, "d")
    if how == "unlink":
        three.unlink()
    else:
        three.rename(three.with_suffix(".old"))
        three.write_bytes(b"")

    with pytest.raises(StoreError, match="removed or set aside"):
        add(log, "e")


def test_a_log_that_is_gone_before_it_is_opened_again_is_told(three):
    log, _ = opened(three)
    log.close()
    three.unlink()

    with pytest.raises(StoreError, match="cannot read"):
        log.refresh()


class FullDisk(Disk):
    """Takes so many bytes, and no more."""

    def __init__(self, room):
        self.room = room

    def write(self, descriptor, data):
        if self.room < len(data):
            os.write(descriptor, data[: self.room])
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        super().write(descriptor, data)


class DeafDisk(Disk):
    """Cannot be waited for."""

    def fsync(self, descriptor):
        raise OSError(errno.EIO, os.strerror(errno.EIO))


def test_a_full_disk_leaves_no_half_line(three):
    """The log is as it was, and goes on when there is room again."""
    log, _ = opened(three)
    log._disk = FullDisk(10)
    before = three.read_bytes()

    with pytest.raises(StoreError, match="no space left.*recorded before is safe"):
        add(log, "d")

    assert three.read_bytes() == before
    log._disk = Disk()
    add(log, "e")
    assert opened(three)[1].keys == ["a", "b", "c", "e"]


def test_a_disk_that_cannot_be_waited_for_is_told(three):
    """The line is there, and is read like one of somebody else."""
    log, seen = opened(three)
    log._disk = DeafDisk()

    with pytest.raises(StoreError, match="input/output error"):
        add(log, "d")
    log._disk = Disk()
    add(log, "e")

    assert seen.keys == ["a", "b", "c", "d"]
    assert opened(three)[1].keys == ["a", "b", "c", "d", "e"]


class LocklessDisk(Disk):
    """As a file system without locks; the claim that stands for one is its maker's."""

    def wait_for_lock(self, descriptor):
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))


def test_without_locks_a_file_stands_for_the_lock(path):
    """Several take turns, and none is left behind."""
    logs = [opened(path, in_batches=True)[0] for _ in range(3)]
    for log in logs:
        log._disk = LocklessDisk()
    threads = [
        threading.Thread(target=lambda n=n, log=log: [add(log, f"{n} {m}") for m in range(20)])
        for n, log in enumerate(logs)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)

    assert sorted(opened(path)[1].keys) == sorted(f"{n} {m}" for n in range(3) for m in range(20))
    assert not path.with_name(f"{path.name}.lock").exists()


def test_the_claim_of_a_dead_writer_is_taken_over(three):
    claim = three.with_name(f"{three.name}.lock")
    with subprocess.Popen([sys.executable, "-c", ""]) as child:
        record = {"host": socket.gethostname(), "pid": child.pid, "since": 1.0}
    claim.write_text(json.dumps(record))
    log, _ = opened(three)
    log._disk = LocklessDisk()

    add(log, "d")

    assert opened(three)[1].keys == ["a", "b", "c", "d"]
    assert not claim.exists()


def test_a_claim_that_was_taken_over_is_left_to_who_took_it(three):
    """Its first holder slept for a minute amid a line."""
    claim = three.with_name(f"{three.name}.lock")
    log, _ = opened(three)
    log._disk = LocklessDisk()

    with log.writing():
        claim.write_text(json.dumps({"host": "h", "pid": 1, "since": 1.0, "token": "another's"}))

    assert claim.exists()


class BrokenLockDisk(Disk):
    def wait_for_lock(self, descriptor):
        raise OSError(errno.EIO, os.strerror(errno.EIO))


def test_a_lock_that_fails_otherwise_is_told(three):
    log, _ = opened(three)
    log._disk = BrokenLockDisk()

    with pytest.raises(StoreError, match="input/output error"):
        add(log, "d")


class CountingDisk(Disk):
    def __init__(self):
        self.waits = 0

    def fsync(self, descriptor):
        self.waits += 1
        super().fsync(descriptor)


@pytest.mark.parametrize(("in_batches", "waits"), [(False, 20), (True, 0)])
def test_how_often_the_disk_is_waited_for(three, in_batches, waits, monkeypatch):
    """For each line; or, in batches, when the time has come, and when it is asked for."""
    monkeypatch.setattr("resume.sweep.log.BATCH_S", 3600.0)
    log, _ = opened(three, in_batches=in_batches)
    log._synced_at = time.monotonic()
    log._disk = CountingDisk()

    for number in range(20):
        add(log, f"{number}")

    assert log._disk.waits == waits
    log.flush()
    log.flush()
    assert log._disk.waits == waits + in_batches


def test_batches_wait_when_the_time_has_come(three, monkeypatch):
    monkeypatch.setattr("resume.sweep.log.BATCH_S", 0.0)
    log, _ = opened(three, in_batches=True)
    log._disk = CountingDisk()

    add(log, "d")

    assert log._disk.waits == 1


def test_large_results_lie_beside(three):
    log, _ = opened(three)
    with log.writing():
        first = log.store(b"x" * 100)
        second = log.store(b"y" * 50)

    assert log.stored(first) == b"x" * 100
    assert log.stored(second) == b"y" * 50
    assert second[0] == 100
    beside(three).write_bytes(b"x" * 100 + b"y" * 49 + b"z")
    with pytest.raises(IntegrityError, match="the result of 50 bytes at byte 100"):
        log.stored(second)
    beside(three).write_bytes(b"x" * 10)
    with pytest.raises(IntegrityError, match="the result of 100 bytes"):
        log.stored(first)


def test_a_log_on_a_read_only_disk_is_read(three, monkeypatch):
    """And only who writes is told that it may not."""
    real = os.open

    def refusing(path, flags, *rest, **more):
        if str(path) == str(three) and flags & os.O_RDWR:
            raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(path))
        return real(path, flags, *rest, **more)

    monkeypatch.setattr(os, "open", refusing)
    log, seen = opened(three)

    assert seen.keys == ["a", "b", "c"]
    assert log.is_read_only
    with pytest.raises(StoreError, match="read-only"):
        add(log, "d")


def test_damage_on_a_read_only_disk_is_told_without_the_lock(three, monkeypatch):
    data = three.read_bytes()
    three.write_bytes(data.replace(b'"b"', b'"x"'))
    real = os.open

    def refusing(path, flags, *rest, **more):
        if flags & os.O_RDWR:
            raise OSError(errno.EACCES, os.strerror(errno.EACCES), str(path))
        return real(path, flags, *rest, **more)

    monkeypatch.setattr(os, "open", refusing)

    with pytest.raises(IntegrityError, match="line 3"):
        opened(three)


def test_a_refusal_of_another_kind_is_told(tmp_path):
    (tmp_path / "folder").mkdir()

    with pytest.raises(StoreError, match="cannot read .*is a directory"):
        opened(tmp_path / "folder")


def test_a_closed_log_opens_again(three):
    log, _ = opened(three)
    log.close()
    log.close()

    add(log, "d")

    assert opened(three)[1].keys == ["a", "b", "c", "d"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_forked_child_holds_neither_lock_nor_file_of_its_parent(three):
    """Its parent may be killed: who comes next is not kept waiting by it. It may append itself."""
    log, _ = opened(three)
    reading, writing = os.pipe()
    with log.writing():
        inherited = log._descriptor
        child = os.fork()
        if child == 0:  # pragma: no cover - in the child
            os.close(reading)
            try:
                os.fstat(inherited)
                os.write(writing, b"open")
            except OSError:
                os.write(writing, b"closed")
            os.close(writing)
            add(log, "child")  # waits for the parent's lock
            os._exit(0)
        os.close(writing)
        told = os.read(reading, 10)
    os.close(reading)
    assert os.waitpid(child, 0)[1] == 0

    assert told == b"closed"
    assert opened(three)[1].keys == ["a", "b", "c", "child"]
