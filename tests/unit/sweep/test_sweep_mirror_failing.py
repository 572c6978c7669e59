"""A copy of a sweep on a disk that fails: told once, caught up later, and no harm to the log."""

from __future__ import annotations

import errno
import os
import shutil
import time
from pathlib import Path

import pytest

from resume.errors import ResumeWarning
from resume.store.files import Disk
from resume.sweep import ResumableSweep
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


class FailingDisk(Disk):
    """Takes nothing, while it fails."""

    fails = True

    def write(self, descriptor, data):
        if self.fails:
            os.write(descriptor, data[:7])
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        super().write(descriptor, data)


def test_a_full_disk_is_told_once_and_the_copy_catches_up(monkeypatch, caplog):
    sweep = sweep_of()
    sweep.record("a", 1)
    disk = sweep._ledger._mirror._disk = FailingDisk()

    with pytest.warns(
        ResumeWarning, match="grid stays behind.*no space left.*has everything"
    ) as all_:
        sweep.record("b", LARGE)
        sweep.record("c", 3)
    assert len(all_) == 1
    assert sweep_of(snapshot_dir=None).completed == [1, LARGE, 3]

    disk.fails = False
    sweep.record("d", 4)
    assert COPY.stat().st_size < LOG.stat().st_size  # not at every item
    with caplog.at_level("INFO", "resume"):
        sweep.flush()
    check_equal()
    assert "has caught up" in caplog.text


def test_a_full_disk_is_tried_again_after_a_while(monkeypatch):
    sweep = sweep_of()
    disk = sweep._ledger._mirror._disk = FailingDisk()
    with pytest.warns(ResumeWarning, match="stays behind"):
        sweep.record("a", 1)
    disk.fails = False

    monkeypatch.setattr(time, "monotonic", lambda real=time.monotonic: real() + 1000)
    sweep.record("b", 2)

    check_equal()


def test_a_copy_that_lacks_something_at_the_end_is_told(caplog):
    sweep = sweep_of()
    sweep._ledger._mirror._disk = FailingDisk()
    with pytest.warns(ResumeWarning, match="stays behind"):
        sweep.record("a", 1)

    with caplog.at_level("INFO", "resume"):
        sweep.close()

    assert "lacks what was recorded last; " in caplog.text
    assert sweep_of(snapshot_dir=None).completed == [1]


@pytest.mark.filterwarnings("ignore:.*stays behind")
def test_a_place_that_is_gone_does_not_keep_the_work_from_going_on():
    """It is no folder at all; already when the sweep is opened."""
    Path("disk").touch()

    sweep = sweep_of(snapshot_dir="disk/copies")
    sweep.record("a", 1)
    sweep.close()

    assert sweep_of(snapshot_dir=None).completed == [1]


def test_a_place_that_cannot_be_looked_at_does_not_keep_the_work_from_going_on():
    COPY.mkdir(parents=True)

    with pytest.warns(ResumeWarning, match="stays behind: cannot read.*It is tried again") as all_:
        sweep = sweep_of()
        sweep.record("a", 1)

    assert len(all_) == 1
    assert sweep_of(snapshot_dir=None).completed == [1]


@pytest.mark.filterwarnings("ignore:.*stays behind")
def test_a_name_that_the_disk_refuses_does_not_keep_the_work_from_going_on():
    sweep_of(snapshot_dir="x" * 300).record("a", 1)

    assert sweep_of(snapshot_dir=None).completed == [1]


def test_a_new_copy_that_does_not_fit_on_the_disk_leaves_the_old_one(monkeypatch):
    with sweep_of() as sweep:
        sweep.record("a", LARGE)
    shutil.rmtree("away", ignore_errors=True)
    shutil.copytree("copies", "away")
    with sweep_of() as sweep:
        sweep.record("b", 2)
    with elsewhere(resume_from="away", snapshot_dir=None) as other:
        other.record("c", LARGE)
    other = elsewhere()
    other._ledger._mirror._disk = FailingDisk()
    before = {path: path.read_bytes() for path in COPY.parent.iterdir()}

    with pytest.warns(ResumeWarning, match="no space left"):
        other.record("d", 4)

    assert before == {path: path.read_bytes() for path in COPY.parent.iterdir()}


def test_damage_here_does_not_spread():
    """What is not what was written is not copied."""
    sweep = sweep_of(durable="batch")
    sweep.record("a", 1)
    sweep.record("b", 22)
    LOG.write_bytes(LOG.read_bytes().replace(b'"result":22', b'"result":23'))

    with pytest.warns(ResumeWarning, match="stays behind.*is not what was written"):
        sweep._ledger._mirror.follow(to_the_end=True)

    assert b":23" not in COPY.read_bytes()


def test_a_log_that_became_shorter_is_not_copied():
    sweep = sweep_of(durable="batch")
    sweep.record("a", 1)
    copied = COPY.read_bytes()
    sweep.record("b", 22)
    with LOG.open("r+b") as out:
        out.truncate(len(copied))

    with pytest.warns(ResumeWarning, match="stays behind.*is not what it was"):
        sweep._ledger._mirror.follow(to_the_end=True)

    assert COPY.read_bytes() == copied


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_forked_child_is_not_held_up_by_a_thread_of_its_parent():
    sweep = sweep_of()
    sweep.record("a", 1)
    with sweep._ledger._mirror._guard:
        child = os.fork()
        if child == 0:  # pragma: no cover - in the child
            sweep.record("b", 2)
            os._exit(0)
        assert os.waitpid(child, 0)[1] == 0

    check_equal()
