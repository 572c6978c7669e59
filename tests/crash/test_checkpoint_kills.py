"""A program killed or refused at each disk operation of its checkpoint: a rerun ends the same."""

from __future__ import annotations

import errno
import functools
import os
import random
import re
import signal
from pathlib import Path

import numpy as np
import pytest
from crash.disk import FailsAt, KilledAt, Watched, in_child

from resume import Checkpoint, StoreError, engine
from resume.store import Store
from resume.store.files import Disk

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")

ITEMS = 3


class Hasty(Disk):
    """Does not wait for the medium: a killed process loses nothing by it, and the test time."""

    def fsync(self, descriptor):
        pass

    def sync_folder(self, path):
        pass


class HastyKilledAt(KilledAt, Hasty):
    """SIGKILL at an operation; fsync is one, though nothing is waited for."""


class HastyFailsAt(FailsAt, Hasty):
    """A refusal at an operation; fsync is one, though nothing is waited for."""


class Interrupted(Exception):
    """The program's own error in the middle of its work."""


interrupted_at = 0
"""Where the program fails; no argument, or a rerun without it would be another call."""


def train(items, diary, **options):
    """A loop with an array, a list and random numbers; it notes in *diary* what it does."""
    options = {"background": False, **options}
    with Checkpoint("train", folder="store", rate=0, keep=1, **options) as chp:
        random.seed(7)
        weights = np.arange(20_000.0)
        seen = []
        for k in chp.loop(range(items)):
            note(diary, f"item {k}")
            weights[k] += random.random()
            seen.append((k, random.random()))
            if k + 1 == interrupted_at:
                raise Interrupted
    return float(weights.sum()), seen


def note(diary, line):
    descriptor = os.open(diary, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(descriptor, (line + "\n").encode())
    os.close(descriptor)


def use(disk, monkeypatch=None):
    """Let the checkpoints made from now on write through *disk*."""
    kind = functools.partial(Store, disk=disk)
    if monkeypatch is None:
        engine.Store = kind
    else:
        monkeypatch.setattr(engine, "Store", kind)


def run(diary, disk=None, **options):
    """A whole run in a process of its own: its exit status, and what it returned."""
    answer = Path(f"{diary}.answer")
    answer.unlink(missing_ok=True)

    def act():
        use(disk or Hasty())
        answer.write_text(repr(train(ITEMS, diary, **options)))

    code = in_child(act)
    return code, answer.read_text() if answer.exists() else None


def items(diary):
    """The items that ran, in their order."""
    text = Path(diary).read_text() if Path(diary).exists() else ""
    return [int(line.split()[1]) for line in text.splitlines()]


def only_last_redone(done, most=1):
    """Whether each run but the first went on with at most *most* of the items done before."""
    steps = zip(done, done[1:], strict=False)
    return all(1 - most <= after - before <= 1 for before, after in steps)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """What the uninterrupted program returns, and the disk operations of its run."""
    folder = tmp_path_factory.mktemp("whole")
    steps = folder / "steps"

    def act():
        os.chdir(folder)
        disk = Watched()
        use(disk)
        Path("answer").write_text(repr(train(ITEMS, "diary")))
        steps.write_text("\n".join(disk.steps))

    assert in_child(act) == 0
    return (folder / "answer").read_text(), steps.read_text().split()


def in_folder(path):
    path.mkdir()
    os.chdir(path)


@pytest.mark.parametrize(("background", "most"), [(False, 1), (True, 2)])
def test_killed_at_every_disk_operation_of_a_whole_run(tmp_path, whole, background, most):
    """SIGKILL ahead of, or amid, each operation: the rerun ends with the result, no save is lost.

    At most the item in work is done again, and the one before it where its save was on its way:
    what was durable before the kill is never gone.
    """
    result, steps = whole
    assert {"create", "write", "fsync", "link", "rename", "sync_folder", "unlink"} <= set(steps)
    redone = 0

    for step in range(1, len(steps) + 1):
        in_folder(tmp_path / f"{step}")
        killed = run("diary", HastyKilledAt(step), background=background)
        assert killed == (-signal.SIGKILL, None), steps[step - 1]
        assert Store(Path("store"), "train").verify() == []

        assert run("diary", background=background) == (0, result)

        done = items("diary")
        assert only_last_redone(done, most), f"{steps[step - 1]} (step {step}): {done}"
        redone += len(done) - ITEMS
        assert Store(Path("store"), "train").verify() == []

    assert 0 < redone < len(steps)


@pytest.mark.parametrize("seed", range(8))
def test_killed_again_and_again(tmp_path, whole, seed):
    """Every rerun is killed as well, at any operation, until one comes to the end."""
    result, steps = whole
    dice = random.Random(seed)
    background = seed % 2 == 0
    kills = 0

    while True:
        code, got = run("diary", HastyKilledAt(dice.randint(10, len(steps))), background=background)
        if code == 0:
            break
        kills += 1
        assert code == -signal.SIGKILL
        assert Store(Path("store"), "train").verify() == []

    assert got == result
    assert only_last_redone(items("diary"), 2 if background else 1)
    assert kills


REFUSALS = [errno.ENOSPC, errno.EIO, errno.EROFS]


@pytest.mark.parametrize("number", REFUSALS, ids=errno.errorcode.get)
def test_a_refusing_disk_stops_no_program(tmp_path, whole, number, monkeypatch, caplog):
    """`warn`: whatever fails from some operation on, it ends with the result; one line a save."""
    result, steps = whole
    opening = steps.index("lock") + 1  # until then restore() itself fails: nothing can be held
    told = 0

    for step in range(opening + 4, len(steps) + 1, 3):
        in_folder(tmp_path / f"{step}")
        use(HastyFailsAt(step, number, lasting=True), monkeypatch)
        caplog.clear()

        assert repr(train(ITEMS, "diary")) == result

        lines = [line for line in caplog.messages if "could not save" in line]
        told += len(lines)
        # the items, the end of the loop, the end of the block
        assert len(lines) <= ITEMS + 2
        for line in lines:
            assert re.match(r"⚠ train: could not save: cannot save 'train' to ", line)
            assert os.strerror(number).lower() in line
            assert "The previous generation is untouched" in line
        assert Store(Path("store"), "train").verify() == []

        use(Hasty(), monkeypatch)
        assert repr(train(ITEMS, "diary")) == result
        saved = steps[: step - 1].count("link")
        assert items("diary")[ITEMS:] == list(range(ITEMS))[saved:]

    assert told > len(steps) // 5


@pytest.mark.parametrize("number", REFUSALS, ids=errno.errorcode.get)
def test_a_refusal_is_raised_where_asked_for(tmp_path, whole, number, monkeypatch):
    """`raise`: the program gets the StoreError; the rerun goes on from the generation before."""
    result, steps = whole
    opening = steps.index("lock") + 1
    raised = 0

    for step in range(opening + 2, len(steps) + 1, 3):
        in_folder(tmp_path / f"{step}")
        use(HastyFailsAt(step, number), monkeypatch)
        try:
            train(ITEMS, "diary", on_save_error="raise")
        except StoreError as why:
            raised += 1
            assert os.strerror(number).lower() in str(why)
            assert why.__cause__.errno == number
        use(Hasty(), monkeypatch)

        assert Store(Path("store"), "train").verify() == []
        assert repr(train(ITEMS, "diary", on_save_error="raise")) == result
        assert only_last_redone(items("diary"))

    assert raised > 5


def test_one_refusal_and_the_next_save_works(tmp_path, whole, monkeypatch, caplog):
    """A disk that was full for a moment: one line, and the following items are saved."""
    result, steps = whole
    first_link = steps.index("link") + 1
    use(HastyFailsAt(first_link, errno.ENOSPC), monkeypatch)

    monkeypatch.setitem(globals(), "interrupted_at", 3)

    with pytest.raises(Interrupted):
        train(ITEMS, "diary")

    lines = [line for line in caplog.messages if "could not save" in line]
    assert len(lines) == 1
    assert "Free some space" in lines[0]
    use(Hasty(), monkeypatch)
    monkeypatch.setitem(globals(), "interrupted_at", 0)
    assert repr(train(ITEMS, "diary")) == result
    assert items("diary") == [0, 1, 2, 2]


def test_a_folder_that_cannot_be_written_is_told_at_the_start(tmp_path, monkeypatch):
    """Where not even the lock can be had, `restore()` says so before hours of work are at stake."""
    use(HastyFailsAt(1, errno.EROFS, lasting=True), monkeypatch)

    with pytest.raises(StoreError, match="read-only file system") as caught:
        train(ITEMS, "diary")

    assert "folder= or RESUME_DIR" in str(caught.value)
    assert items("diary") == []


def fit(rows, until):
    """An argument with parts of its own, and left out."""
    chp = Checkpoint("fit", folder="store", rate=0, exclude=["rows"])
    n = 0
    total = 0.0
    chp.restore()
    while n < until:
        n += 1
        total += float(rows[0].sum()) + rows[1]["more"][0]
        chp.sync()
        if n == interrupted_at:
            os.kill(os.getpid(), signal.SIGKILL)
    return n, total


def test_an_excluded_argument_is_left_out_with_its_parts(tmp_path, monkeypatch):
    """A list of arrays and dicts, not saved: the rerun has its own, and goes on."""
    rows = [np.arange(3.0), {"more": [1]}]
    monkeypatch.setitem(globals(), "interrupted_at", 2)
    assert in_child(lambda: fit(rows, 4)) == -signal.SIGKILL
    monkeypatch.setitem(globals(), "interrupted_at", 0)

    assert fit(rows, 4) == (4, 16.0)

    manifest = Store(Path("store"), "fit").newest()
    assert manifest.number == 4
    assert {one.name for one in manifest.draft.variables if not one.skipped} == {
        "n",
        "total",
        "until",
    }
