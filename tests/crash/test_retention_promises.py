"""What `keep=` promises: whose generations count, that the newest stays, and when old ones go."""

from __future__ import annotations

import errno
import os
import shutil
import signal
from pathlib import Path

import pytest
from crash.disk import FailsAt, KilledAt, Watched, draft, in_child

from resume.errors import StoreError
from resume.store import DEATHS, Retention, Store
from resume.types import Content, Manifest

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")


def save(store: Store, k: int, parent: Manifest | None, **changes: object) -> Manifest:
    return store.commit(draft(**changes), b"state %d" % k, [], parent=parent)


def which_state(content: Content) -> int:
    return int(bytes(content.stream).split()[1])


def numbers(store: Store, *, live: bool) -> list[int]:
    return [one.number for one in store.entries() if one.live == live]


def test_only_the_checkpoints_own_line_counts(tmp_path):
    """Neither its neighbours in the folder, nor what was set aside, nor what was stepped over."""
    names = ["x", "x@1", "y"]
    stores = [Store(tmp_path, one, fsync=False, retention=Retention(keep=2)) for one in names]
    aside = [save(one, 3, save(one, 2, save(one, 1, None))) for one in stores]
    x = stores[0]
    first = save(x, 4, None)
    second = save(x, 5, first)
    over = save(x, 6, second)

    for k, parent in ((7, second), (8, None), (9, None)):
        save(x, k, parent or x.newest())

    assert numbers(x, live=True) == [9, 8]
    assert numbers(x, live=False) == [over.number, 3, 2]
    assert [which_state(one.read(old)) for one, old in zip(stores, aside, strict=True)] == [3] * 3
    assert [numbers(one, live=True) for one in stores[1:]] == [[3, 2]] * 2
    for one in stores:
        one.unlock()


@pytest.mark.parametrize(
    "retention",
    [Retention(keep=1), Retention(keep=1, keep_every=2), Retention(keep=1, keep_best="loss")],
    ids=["keep", "keep_every", "keep_best"],
)
def test_the_newest_always_stays(tmp_path, retention, monkeypatch):
    """Whatever is better, older by the clock, or told to go by `prune` and `gc`."""
    store = Store(tmp_path, "x", fsync=False, retention=retention)
    parent = None
    for k in range(1, 8):
        monkeypatch.setattr("resume.store.commit.time.time", lambda k=k: 1e9 - k)
        parent = save(store, k, parent, metric=float(k))
        assert store.newest().number == k
        assert which_state(store.read_best()[1]) == k

    store.prune()
    store.gc()

    assert which_state(store.read_best()[1]) == 7
    store.unlock()


@pytest.mark.parametrize("fsync", [True, False])
def test_old_ones_go_when_the_new_one_is_on_the_medium(tmp_path, fsync):
    """Its body, its manifest and their names, in that order; then the first file is removed."""
    told: list[tuple[str, str]] = []
    disk = Watched(lambda _, operation, path: told.append((operation, path)))
    store = Store(tmp_path, "x", fsync=fsync, retention=Retention(keep=1), disk=disk)
    first = save(store, 1, None)
    del told[:]

    save(store, 2, first)

    is_old = [operation == "unlink" and "00000001" in path for operation, path in told]
    before = [operation for operation, _ in told[: is_old.index(True)]]
    published = before.index("link")
    assert before.count("fsync") >= 2
    assert "sync_folder" in before[published:]
    if fsync:
        assert before[:published].count("fsync") == 2
    store.unlock()


# -- a step back is a save like any other


def prepare(folder: Path) -> Store:
    store = Store(folder, "x", fsync=False)
    parent = None
    for k in (1, 2, 3):
        parent = save(store, k, parent)
    store.unlock()
    for _ in range(DEATHS):
        assert in_child(lambda: step_back_and_save(Store(folder, "x", fsync=False), dies=True)) == 9
    return store


def step_back_and_save(store: Store, *, dies: bool = False) -> int:
    """Restore as an engine does, and save a state beyond; the generation that was restored."""
    store.lock()
    deaths = {one for one, n in store.restores.deaths("").items() if n >= DEATHS}
    found = store.read_best(
        rather_not=deaths, before=lambda manifest: store.restores.begin(manifest, "")
    )
    assert found is not None
    if dies:
        os._exit(9)
    save(store, 4, found[0])
    store.unlock()
    return found[0].number


def check(folder: Path) -> None:
    """What kills is whole and is not what a rerun takes; the next run comes on."""
    store = Store(folder, "x", fsync=False)
    assert which_state(store.read(store.manifest(3))) == 3
    assert store.verify() == []
    assert step_back_and_save(store) in (2, 4)
    assert which_state(store.read_best()[1]) == 4
    assert numbers(store, live=False)[-1] == 3
    assert not store.restores.path.exists()


def count_steps(folder: Path) -> list[str]:
    disk = Watched()
    assert step_back_and_save(Store(folder, "x", disk=disk)) == 2
    return disk.steps


def test_killed_at_any_disk_operation_of_a_step_back(tmp_path):
    """The note of the restore, the save and the removal of the note: what was safe stays so."""
    model = tmp_path / "model"
    prepare(model)
    shutil.copytree(model, tmp_path / "count")
    steps = count_steps(tmp_path / "count")

    for step in range(1, len(steps) + 1):
        folder = tmp_path / f"{step}"
        shutil.copytree(model, folder)
        killed = in_child(
            lambda folder=folder, step=step: step_back_and_save(
                Store(folder, "x", disk=KilledAt(step))
            )
        )
        assert killed == -signal.SIGKILL, f"step {step} of {steps}"
        check(folder)

    assert steps.count("unlink") >= 2


@pytest.mark.shared
@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS, errno.EIO])
def test_refused_at_any_disk_operation_of_a_step_back(tmp_path, number, caplog):
    """A disk that refuses the note of a restore does not refuse the restore."""
    model = tmp_path / "model"
    prepare(model)
    shutil.copytree(model, tmp_path / "count")
    steps = count_steps(tmp_path / "count")
    restored = 0

    for step in range(steps.index("create") + 1, len(steps) + 1):
        folder = tmp_path / f"{step}"
        shutil.copytree(model, folder)
        store = Store(folder, "x", disk=FailsAt(step, number))
        try:
            restored += step_back_and_save(store) == 2
        except StoreError as why:
            assert "The previous generation is untouched" in str(why)
        store.unlock()
        check(folder)

    assert restored
    assert "cannot note in" in caplog.text
