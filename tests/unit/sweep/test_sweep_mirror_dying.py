"""Whatever step of copying a process dies at, what is there can be gone on from."""

from __future__ import annotations

import shutil
import warnings
from pathlib import Path

import pytest
from mortal_disk import Died, MortalDisk

from resume.sweep import ResumableSweep
from resume.sweep.sheet import Sheet

LOG, COPY = Path("grid.sweep.jsonl"), Path("copies/grid/sweep.jsonl")
LARGE = "x" * 50_000
RESULTS = {"a": 1, "b": LARGE + "b", "c": [3], "d": LARGE + "d"}
MOST_STEPS = 200


def sweep_of(place="grid", **options):
    return ResumableSweep(
        "abcde", **{"checkpoint_path": place, "snapshot_dir": "copies", **options}
    )


def found_in_the_copy(tag):
    """What a new machine finds, each result read in full."""
    sweep = sweep_of(f"new{tag}/grid", resume_from="copies", snapshot_dir=None)
    found = dict(sweep.pairs())
    sweep.close()
    return found


def die_at_every_step(make, check):
    """Until *make* comes to its end alive: let it die one step later each time, then *check*."""
    died = 0
    for steps in range(MOST_STEPS):
        for path in ("copies", *Path().glob("new*"), "away", "other"):
            shutil.rmtree(path, ignore_errors=True)
        for path in Path().glob("grid.*"):
            path.unlink()
        try:
            make(MortalDisk(steps))
        except Died:
            died += 1
            check(steps)
        else:
            return died
    raise AssertionError(steps)


@pytest.mark.filterwarnings("ignore:.*torn by a crash")
def test_dying_at_any_step_leaves_a_beginning_of_the_log():
    """All whole lines there can be read, with their large results; the next launch catches up."""

    def make(disk):
        sweep = sweep_of()
        sweep._ledger._mirror._disk = disk
        for item, result in RESULTS.items():
            sweep.record(item, result)
        sweep.close()

    def check(steps):
        whole = COPY.read_bytes() if COPY.exists() else b""
        whole = whole[: whole.rfind(b"\n") + 1]
        assert LOG.read_bytes().startswith(whole)
        found = found_in_the_copy(steps)
        assert found.items() <= RESULTS.items()
        assert len(found) == max(0, whole.count(b"\n") - 1)
        with sweep_of() as sweep:
            sweep.record("e", 5)
        assert COPY.read_bytes() == LOG.read_bytes()
        assert found_in_the_copy(f"{steps}-") == {**dict(sweep_of().pairs()), "e": 5}

    assert die_at_every_step(make, check) > 10


def test_dying_at_any_step_of_a_new_copy_leaves_the_old_or_the_new():
    """Where the copy is of a log whose results this one has taken in."""

    def make(disk):
        with sweep_of() as sweep:
            sweep.record("a", 1)
        shutil.copytree("copies", "away")
        with sweep_of() as sweep:
            sweep.record("b", RESULTS["b"])
        with sweep_of("other/grid", resume_from="away", snapshot_dir=None) as other:
            other.record("c", [3])
        other = sweep_of("other/grid", resume_from="copies")
        other._ledger._mirror._disk = disk
        other.record("d", 4)  # and not closed: the dead do nothing more

    def check(steps):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            found = found_in_the_copy(steps)
        old = {"a": 1, "b": RESULTS["b"]}
        assert found in (old, {**old, "c": [3], "d": 4})

    assert die_at_every_step(make, check) >= 4


def test_dying_at_any_step_of_a_shorter_copy_leaves_no_word_of_a_longer_one():
    """The old manifest tells how long the old copy was: beside the new one, it would be damage."""

    def make(disk):
        with sweep_of() as sweep:
            sweep.record("a", 1)
        shutil.copytree("copies", "away")
        with sweep_of() as sweep:
            for _ in range(20):
                sweep._ledger.keep_failure(1, {"type": "E", "text": "oh", "traceback": ""}, None)
        with sweep_of("other/grid", resume_from="away", snapshot_dir=None) as other:
            other.record("b", 2)
        other = sweep_of("other/grid")
        other._ledger._mirror._disk = disk
        other.record("c", [3])

    def check(steps):
        assert Sheet(COPY).read().counts()["done"] in (1, 3)

    assert die_at_every_step(make, check) >= 3
