"""`snapshot_dir=`: a copy elsewhere that goes along with the log; a sweep goes on from it."""

from __future__ import annotations

import os
import shutil
import threading
from pathlib import Path

import numpy as np
import pytest

from resume.errors import ConfigError, ResumeWarning, SchemaVersionError, SweepError
from resume.store import layout
from resume.store.files import Disk
from resume.sweep import ResumableSweep, lines, record
from resume.sweep.log import beside

LOG = Path("grid.sweep.jsonl")
COPY = Path("copies/grid/sweep.jsonl")
LARGE = "x" * 50_000


def sweep_of(items="abcdef", **options):
    placed = {"checkpoint_path": "grid", "snapshot_dir": "copies", **options}
    return ResumableSweep(items, **placed)


def elsewhere(**options):
    """The sweep on another machine, which has the copy alone."""
    return sweep_of(**{"checkpoint_path": "other/grid", "resume_from": "copies", **options})


def check_equal():
    assert COPY.read_bytes() == LOG.read_bytes()
    if beside(LOG).exists():
        assert beside(COPY).read_bytes() == beside(LOG).read_bytes()


def test_the_copy_goes_along_with_every_line():
    """Results, failures, kills and retries; at once, and with the manifest."""
    sweep = sweep_of()
    assert not os.path.exists("copies")

    sweep.record("a", 1)
    check_equal()
    sweep._ledger.keep_failure(1, {"type": "E", "text": "oh", "traceback": ""}, 0.5)
    check_equal()
    sweep._ledger.keep_kill(2)
    check_equal()
    sweep.retry()
    check_equal()
    sweep.record("d", LARGE)
    check_equal()
    sweep.record("e", np.arange(1e4))
    check_equal()

    assert record.path_of(COPY).exists()
    assert (COPY.stat().st_mode & 0o777, beside(COPY).stat().st_mode & 0o777) == (0o600, 0o600)


def test_a_sweep_goes_on_from_the_copy_alone():
    with sweep_of() as sweep:
        sweep.record("a", 1)
        sweep.record("b", LARGE)
        sweep.record("c", np.arange(1e4))

    with elsewhere() as other:
        assert other.result("b") == LARGE
        assert np.array_equal(other.result("c"), np.arange(1e4))
        assert other.pending == ["d", "e", "f"]
        other.record("d", 4)

    assert COPY.read_bytes() == Path("other/grid.sweep.jsonl").read_bytes()
    assert sweep_of(resume_from="copies").completed[3] == 4


def test_the_manifest_there_is_that_of_the_copy():
    with sweep_of() as sweep:
        sweep.record("a", 1)
        sweep.record("b", 2)

    told = layout.decode_manifest(record.path_of(COPY).read_bytes())

    assert told.body.name == COPY.name
    assert told.body.size_bytes == COPY.stat().st_size
    assert record.check(COPY, COPY.stat().st_size) is not None
    assert told.draft.extra["sweep"]["done"] == 2


@pytest.mark.parametrize("manifest", [None, b"no manifest"])
def test_without_a_manifest_here_the_copy_has_none(manifest):
    """It comes with the next one that is written."""
    sweep = sweep_of(snapshot_dir=None)
    sweep.record("a", 1)
    path = record.path_of(LOG)
    path.unlink()
    if manifest is not None:
        path.write_bytes(manifest)

    record.copy(LOG, COPY, LOG.stat().st_size)

    assert not COPY.parent.exists()


def test_a_manifest_that_tells_of_more_than_the_copy_has_waits():
    with sweep_of() as sweep:
        sweep.record("a", 1)
    before = record.path_of(COPY).read_bytes()

    record.copy(LOG, COPY, LOG.stat().st_size - 1)

    assert record.path_of(COPY).read_bytes() == before


def test_a_copy_that_lost_its_end_gets_it_again():
    with sweep_of() as sweep:
        sweep.record("a", 1)
        sweep.record("b", 2)
    whole = COPY.read_bytes().splitlines(keepends=True)
    COPY.write_bytes(b"".join(whole[:-1]))

    with sweep_of() as sweep:
        sweep.record("c", 3)

    check_equal()


class CountingDisk(Disk):
    def __init__(self):
        self.bytes = self.waits = 0

    def write(self, descriptor, data):
        self.bytes += len(data)
        super().write(descriptor, data)

    def fsync(self, descriptor):
        self.waits += 1
        super().fsync(descriptor)


def test_each_byte_is_copied_once():
    """A step costs what was added, however long the log is."""
    items = [f"item {n}" for n in range(200)]
    sweep = sweep_of(items)
    disk = sweep._ledger._mirror._disk = CountingDisk()
    for number, item in enumerate(items):
        sweep.record(item, LARGE if number % 50 == 0 else number)
    sweep.close()

    assert disk.bytes == LOG.stat().st_size + beside(LOG).stat().st_size
    assert disk.waits <= len(items) + 10


def test_of_the_copy_only_what_is_new_is_read(monkeypatch):
    items = [f"item {n}" for n in range(100)]
    sweep = sweep_of(items)
    sweep.record(items[0], 0)
    read = []
    real = os.pread
    monkeypatch.setattr(os, "pread", lambda *args: read.append(len(data := real(*args))) or data)
    for item in items[1:50]:
        sweep.record(item, 1)
    first = sum(read)
    read.clear()
    for item in items[50:99]:
        sweep.record(item, 1)

    assert sum(read) <= 1.1 * first + 5000


def test_in_batches_the_copy_is_made_in_the_same_batches(monkeypatch):
    monkeypatch.setattr("resume.sweep.log.BATCH_S", 3600.0)
    sweep = sweep_of(durable="batch")
    sweep.record("a", 1)
    before = COPY.read_bytes()

    sweep.record("b", 2)
    sweep.record("c", 3)

    assert COPY.read_bytes() == before
    sweep.flush()
    check_equal()
    monkeypatch.setattr("resume.sweep.log.BATCH_S", 0.0)
    sweep.record("d", 4)
    check_equal()


def test_the_end_of_a_map_brings_the_copy_up(monkeypatch):
    monkeypatch.setattr("resume.sweep.log.BATCH_S", 3600.0)
    sweep_of(durable="batch").map(lambda item: item * 3, progress=False)

    check_equal()
    told = layout.decode_manifest(record.path_of(COPY).read_bytes())
    assert told.draft.complete


def test_a_sweep_that_was_there_before_is_copied_whole():
    with sweep_of(snapshot_dir=None) as sweep:
        for item in "abc":
            sweep.record(item, LARGE + item)

    with sweep_of() as sweep:
        assert not COPY.exists()  # nothing is made by looking
        sweep.record("d", 1)

    check_equal()


def test_a_long_log_is_copied_in_stretches_of_whole_lines(monkeypatch):
    with sweep_of(snapshot_dir=None) as sweep:
        for item in "abcde":
            sweep.record(item, item * 50)
    monkeypatch.setattr("resume.sweep.mirror._PIECE", 200)

    with sweep_of() as sweep:
        sweep.record("f", LARGE)

    check_equal()
    sweep_of().close()
    check_equal()


@pytest.mark.parametrize("cut", [1, 30, 200])
def test_a_torn_copy_is_mended(cut):
    """As a kill amid a step leaves it, with large results that nobody names."""
    with sweep_of() as sweep:
        sweep.record("a", LARGE)
        sweep.record("b", 2)
    data = COPY.read_bytes()
    COPY.write_bytes(data[:-cut])
    with beside(COPY).open("ab") as out:
        out.write(b"half a result")

    with sweep_of() as sweep:
        sweep.record("c", LARGE)

    check_equal()


def test_a_tail_of_zeros_in_the_copy_is_mended():
    """What a file system leaves where a power cut came between the length and the bytes."""
    with sweep_of() as sweep:
        sweep.record("a", 1)
    with COPY.open("ab") as out:
        out.write(bytes(5000))

    with sweep_of() as sweep:
        sweep.record("b", 2)

    check_equal()


def test_a_copy_that_somebody_put_in_its_place_is_compared_in_full():
    """While the sweep runs; its last line is the right one."""
    sweep = sweep_of()
    for item in "abc":
        sweep.record(item, 1)
    Path("new").write_bytes(COPY.read_bytes().replace(b'"a"', b'"X"'))
    os.replace("new", COPY)

    with pytest.warns(ResumeWarning, match="line 2 is not what was written.*A new copy is made"):
        sweep.record("d", 1)

    check_equal()


def test_what_another_launch_has_copied_is_passed_over():
    """Two launches on one log: each brings what it knows of, and nothing twice."""
    one, other = sweep_of(), sweep_of()
    for number, item in enumerate("abcd"):
        (one if number % 2 else other).record(item, LARGE + item)
        check_equal()


def test_a_launch_that_knows_less_leaves_the_copy_ahead():
    one, other = sweep_of(), sweep_of()
    one.record("a", 1)
    one.record("b", 2)
    before = COPY.read_bytes()
    other._ledger._log.refresh()
    one.record("c", 3)

    other._ledger._mirror.follow(to_the_end=True)

    assert COPY.read_bytes().startswith(before)
    check_equal()


class ToldDisk(Disk):
    """Tells that somebody is about to wait for a lock."""

    def __init__(self):
        self.waits = threading.Event()

    def wait_for_lock(self, descriptor):
        self.waits.set()
        super().wait_for_lock(descriptor)


def test_who_waits_for_a_copy_that_is_replaced_goes_on_in_the_new_one():
    fcntl = pytest.importorskip("fcntl")
    sweep = sweep_of()
    sweep.record("a", 1)
    disk = sweep._ledger._mirror._disk = ToldDisk()
    waiting = threading.Thread(target=sweep.record, args=("b", 2))
    with COPY.open("rb") as old:
        fcntl.flock(old, fcntl.LOCK_EX)
        waiting.start()
        assert disk.waits.wait(60)
        shutil.copy(COPY, "new")
        os.replace("new", COPY)
    waiting.join(60)

    assert not waiting.is_alive()
    check_equal()


def test_threads_that_record_share_the_copy():
    items = [f"{n}" for n in range(40)]
    sweep = sweep_of(items)
    threads = [
        threading.Thread(target=lambda n=n: [sweep.record(i, i) for i in items[n::4]])
        for n in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)

    check_equal()
    assert len(sweep_of(items).completed) == 40


def test_a_copy_that_was_changed_or_removed_is_made_again():
    sweep = sweep_of()
    sweep.record("a", LARGE)
    shutil.rmtree("copies")
    sweep.record("b", 2)
    check_equal()

    beside(COPY).unlink()
    sweep.close()
    sweep_of().close()

    check_equal()


def test_a_damaged_copy_is_set_aside_and_made_anew():
    with sweep_of() as sweep:
        for item in "abc":
            sweep.record(item, LARGE + item)
    data = COPY.read_bytes().replace(b'"a"', b'"X"')
    COPY.write_bytes(data)

    with pytest.warns(ResumeWarning, match="line 2 is not what was written.*A new copy is made"):
        sweep_of().record("d", 1)

    check_equal()
    (aside,) = COPY.parent.glob("sweep.jsonl.aside-*")
    assert aside.read_bytes() == data


def test_a_copy_whose_results_the_log_has_taken_in_is_replaced():
    """Two that went on apart: the log here has all of both, in another order."""
    with sweep_of() as sweep:
        sweep.record("a", LARGE + "a")
    shutil.copytree("copies", "away")
    with sweep_of() as sweep:
        sweep.record("b", LARGE + "b")
    with elsewhere(resume_from="away", snapshot_dir=None) as other:
        other.record("c", LARGE + "c")

    with elsewhere() as other:
        other.record("d", 4)

    assert COPY.read_bytes() == Path("other/grid.sweep.jsonl").read_bytes()
    again = sweep_of(checkpoint_path="third/grid", resume_from="copies", snapshot_dir=None)
    assert [result[-1:] for result in again.completed[:3]] == ["a", "b", "c"]
    assert again.completed[3] == 4


def test_switched_off_a_sweep_reads_and_writes_no_copy(monkeypatch):
    with sweep_of() as sweep:
        sweep.record("a", 1)
    before = {path: path.read_bytes() for path in COPY.parent.iterdir()}
    monkeypatch.setenv("RESUME_DISABLE", "1")

    with elsewhere() as off, sweep_of() as other:
        assert off.pending == other.pending == list("abcdef")
        off.record("b", 2)
        other.record("c", 3)

    assert before == {path: path.read_bytes() for path in COPY.parent.iterdir()}


# --- whose copy it is -----------------------------------------------------------------------------


def test_a_copy_that_knows_more_is_not_replaced():
    """A new machine with the same command, which does not say where to go on from."""
    with sweep_of() as sweep:
        sweep.record("a", 1)
    before = COPY.read_bytes()

    with pytest.raises(SweepError, match="1 items .* first is 'a'.*Take it in with resume_from="):
        elsewhere(resume_from=None)

    assert COPY.read_bytes() == before


def test_two_machines_that_copy_to_one_place_do_not_spoil_it():
    """The second is told, goes on, and has its results at home."""
    one = sweep_of()
    one.record("a", 1)
    other = elsewhere()
    one.record("b", 2)

    with pytest.warns(ResumeWarning, match="stays behind.*another program.*Nothing more is copied"):
        other.record("c", 3)
    other.record("d", 4)
    one.record("e", 5)
    other.close()

    check_equal()
    assert other.completed == [1, 3, 4]


def test_clean_sets_the_copy_aside_too():
    with sweep_of() as sweep:
        sweep.record("a", LARGE)
    before = COPY.read_bytes()

    with sweep_of(clean=True) as sweep:
        sweep.record("b", 2)

    check_equal()
    (aside,) = COPY.parent.glob("sweep.jsonl.aside-*")
    assert aside.read_bytes() == before
    assert len(list(COPY.parent.glob("sweep.jsonl.results.aside-*"))) == 1


def test_clean_with_the_copy_as_source_goes_on_with_it():
    """A damaged log is mended from its own copy."""
    with sweep_of() as sweep:
        sweep.record("a", LARGE)
    LOG.write_bytes(LOG.read_bytes().replace(b'"a"', b'"X"'))

    sweep = sweep_of(clean=True, resume_from="copies")

    assert sweep.completed == [LARGE]
    check_equal()
    assert not list(COPY.parent.glob("*.aside-*"))


def test_a_copy_from_the_future_is_left_alone():
    with sweep_of() as sweep:
        sweep.record("a", 1)
    data = COPY.read_bytes()
    head = lines.encode_line({"sweep": 2, "what": "else"}, "")
    COPY.write_bytes(head + data[data.index(b"\n") + 1 :])

    with pytest.raises(SchemaVersionError, match="format 2"):
        sweep_of()

    assert COPY.read_bytes().startswith(head)


@pytest.mark.filterwarnings("ignore:.*stays behind")
def test_a_copy_that_a_later_release_wrote_meanwhile_is_left_alone():
    sweep = sweep_of()
    sweep.record("a", 1)
    head = lines.encode_line({"sweep": 2, "what": "else"}, "")
    COPY.write_bytes(head)

    sweep.record("b", 2)
    sweep.close()

    assert COPY.read_bytes() == head


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("", "give the path of a folder"),
        (7, "give the path of a folder"),
        (b"copies", "give the path of a folder"),
        ("s3://bucket/x", "give the path of a folder"),
        ("file", "'file' is a file"),
    ],
)
def test_what_can_be_no_folder_is_told(given, told):
    Path("file").touch()

    with pytest.raises(ConfigError, match=told):
        sweep_of(snapshot_dir=given)


def test_the_folder_of_the_log_itself_is_no_place_for_a_copy():
    with pytest.raises(ConfigError, match="is where the log itself lies"):
        ResumableSweep("ab", name="grid", folder="here", snapshot_dir="here")
