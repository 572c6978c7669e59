"""A save cut short at any disk operation leaves the old generation or the new one, whole."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import subprocess
from pathlib import Path

import pytest
from crash.disk import (
    FailsAt,
    GrantsAllLocks,
    KilledAt,
    Watched,
    WithoutLinks,
    in_child,
    is_state,
    leftovers,
    save,
    which_state,
)

from resume.errors import CheckpointBusyError, StoreError
from resume.store import Retention, Store

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")

KEEP_ONE = Retention(keep=1)


def count_steps(folder: Path, earlier: int) -> list[str]:
    """The operations of the save that follows *earlier* ones."""
    prepare(folder, earlier)
    disk = Watched()
    store = Store(folder, "x", retention=KEEP_ONE, disk=disk)
    save(store, earlier + 1, store.newest())
    store.unlock()
    shutil.rmtree(folder)
    return disk.steps


def prepare(folder: Path, earlier: int) -> None:
    model = folder.parent / f"after-{earlier}"
    if not model.exists():
        store = Store(model, "x", retention=KEEP_ONE, fsync=False)
        parent = None
        for k in range(1, earlier + 1):
            parent = save(store, k, parent)
        store.unlock()
    if earlier:
        shutil.copytree(model, folder, dirs_exist_ok=True)


def check(folder: Path, earlier: int) -> int:
    """The store holds the old state or the new one, whole, and the next save works."""
    store = Store(folder, "x", retention=KEEP_ONE, fsync=False)
    assert store.verify() == []
    found = store.read_best()
    got = 0 if found is None else which_state(found[1])
    assert got in (earlier, earlier + 1)
    assert found is None or found[2] == []

    again = save(store, 9, found and found[0])

    assert is_state(9, store.read(again))
    assert again.number > (found[0].number if found else 0)
    assert [one.number for one in store.entries()] == [again.number]
    assert store.verify() == []
    store.unlock()
    return got


def bodies_without_a_name(folder: Path) -> int:
    place = folder / "x"
    named = {one.manifest.body.name for one in Store(folder, "x").entries() if one.manifest}
    bodies = {one for one in os.listdir(place) if one.endswith(".ckpt")}
    return len(bodies - named)


@pytest.mark.shared
@pytest.mark.parametrize("earlier", [0, 1, 2])
def test_killed_at_any_disk_operation(tmp_path, earlier):
    """SIGKILL ahead of, or amid, each operation: old or new, and the next writer tidies up."""
    steps = count_steps(tmp_path / "count", earlier)
    seen = set()

    for step in range(1, len(steps) + 1):
        folder = tmp_path / f"{step}"
        prepare(folder, earlier)

        def dies(folder=folder, step=step):
            store = Store(folder, "x", retention=KEEP_ONE, disk=KilledAt(step))
            save(store, earlier + 1, store.newest())

        assert in_child(dies) == -signal.SIGKILL, f"step {step} of {steps}"
        seen.add(check(folder, earlier))
        assert leftovers(folder / "x") == []
        shutil.rmtree(folder)

    assert seen == {earlier, earlier + 1}
    assert {"create", "write", "fsync", "link", "rename", "sync_folder"} <= set(steps)


@pytest.mark.shared
@pytest.mark.parametrize("lasting", [False, True], ids=["once", "from then on"])
@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO, errno.EROFS])
@pytest.mark.parametrize("earlier", [0, 2])
def test_refused_at_any_disk_operation(tmp_path, earlier, number, lasting, caplog):
    """The disk says no at each operation: StoreError and the old state, or the save stands."""
    steps = count_steps(tmp_path / "count", earlier)

    for step in range(1, len(steps) + 1):
        folder = tmp_path / f"{step}"
        prepare(folder, earlier)
        store = Store(folder, "x", retention=KEEP_ONE, disk=FailsAt(step, number, lasting=lasting))
        caplog.clear()
        try:
            save(store, earlier + 1, store.newest())
            failed = False
        except StoreError as why:
            failed = True
            assert isinstance(why.__cause__, OSError)
            assert "The previous generation is untouched" in str(why)
            assert os.strerror(number).lower() in str(why)
        store.unlock()

        got = check(folder, earlier)

        if failed and not lasting:
            assert got == earlier, f"{steps[step - 1]} failed, and the save stands"
        if not failed:
            assert got == earlier + 1
            spared = {"unlink", "fsync", "sync_folder", "open_lock", "lock"}
            assert caplog.records or steps[step - 1] in spared
        shutil.rmtree(folder)


def test_a_full_disk_is_told_with_a_remedy(tmp_path):
    """ENOSPC names the place, says what is safe, and what to do."""
    prepare(tmp_path / "c", 1)
    store = Store(tmp_path / "c", "x", disk=FailsAt(5, errno.ENOSPC))

    with pytest.raises(StoreError, match="no space left") as caught:
        save(store, 2, store.newest())

    assert str(tmp_path) in str(caught.value)
    assert "Free some space" in str(caught.value)


def test_a_failed_save_leaves_nothing_behind(tmp_path):
    """After an error the place holds the files from before, no scratch and no body."""
    prepare(tmp_path / "c", 2)
    before = sorted(os.listdir(tmp_path / "c" / "x"))
    steps = count_steps(tmp_path / "count", 2)

    for step, operation in enumerate(steps, 1):
        store = Store(tmp_path / "c", "x", disk=FailsAt(step, errno.ENOSPC))
        try:
            save(store, 3, store.newest())
        except StoreError:
            assert sorted(os.listdir(tmp_path / "c" / "x")) == before, operation
        else:
            break
        finally:
            store.unlock()


def test_a_manifest_that_cannot_be_withdrawn_keeps_its_body(tmp_path):
    """The last fsync fails, and so does taking the manifest back: then the generation is whole."""
    prepare(tmp_path / "c", 1)

    class Stubborn(Watched):
        def sync_folder(self, path):
            if (path / "00000002.ckpt.manifest.json").exists():
                raise OSError(errno.EIO, "no")
            super().sync_folder(path)

        def unlink(self, path):
            if path.name == "00000002.ckpt.manifest.json":
                raise OSError(errno.EIO, "no")
            super().unlink(path)

    store = Store(tmp_path / "c", "x", disk=Stubborn())
    with pytest.raises(StoreError):
        save(store, 2, store.newest())
    store.unlock()

    assert check(tmp_path / "c", 1) == 2


def test_a_really_full_disk(tmp_path):
    """A tmpfs of 1 MiB: the second save does not fit, the first stays whole, a smaller one fits."""
    mounted = tmp_path / "small"
    mounted.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(mounted)]
    if subprocess.run(command, capture_output=True, check=False).returncode != 0:
        pytest.skip("no tmpfs can be mounted here")
    try:
        from crash.disk import draft

        store = Store(mounted / "c", "x")
        first = store.commit(draft(), os.urandom(600_000), [], parent=None)

        with pytest.raises(StoreError, match="no space left"):
            store.commit(draft(), os.urandom(600_000), [], parent=first)

        assert store.verify() == []
        assert [one.number for one in store.entries()] == [1]
        assert store.commit(draft(), b"small", [], parent=first).parent == 1
        store.unlock()
    finally:
        subprocess.run(["umount", str(mounted)], check=True)


@pytest.mark.parametrize("earlier", [0, 2])
def test_killed_where_there_are_no_links(tmp_path, earlier):
    """On exFAT and many network mounts: the claim and the rename keep the promise of link()."""
    disk = WithoutLinks()
    prepare(tmp_path / "count", earlier)
    store = Store(tmp_path / "count", "x", retention=KEEP_ONE, disk=disk)
    save(store, earlier + 1, store.newest())
    store.unlock()

    class Killed(KilledAt):
        link = WithoutLinks.link

    for step in range(1, len(disk.steps) + 1):
        folder = tmp_path / f"{step}"
        prepare(folder, earlier)

        def dies(folder=folder, step=step):
            store = Store(folder, "x", retention=KEEP_ONE, disk=Killed(step))
            save(store, earlier + 1, store.newest())

        assert in_child(dies) == -signal.SIGKILL
        check(folder, earlier)
        shutil.rmtree(folder)


def intrude(folder: Path) -> bool:
    """A second process saves to *folder*, past the lock; whether it could."""

    def act():
        store = Store(folder, "x", disk=GrantsAllLocks())
        try:
            save(store, 50, store.newest())
        except CheckpointBusyError:
            os._exit(7)

    code = in_child(act)
    assert code in (0, 7)
    return code == 0


@pytest.mark.parametrize("links", [True, False], ids=["links", "no links"])
def test_two_writers_past_a_broken_lock(tmp_path, links):
    """A second writer's whole save fits between any two operations: one fails, and all is whole."""
    kind = GrantsAllLocks if links else type("Neither", (GrantsAllLocks, WithoutLinks), {})
    prepare(tmp_path / "count", 2)
    counted = kind()
    store = Store(tmp_path / "count", "x", disk=counted)
    save(store, 3, store.newest())
    store.unlock()
    outcomes = set()

    for at in range(1, len(counted.steps) + 1):
        folder = tmp_path / f"{at}"
        prepare(folder, 2)
        saved = []

        def meanwhile(step, operation, path, at=at, folder=folder, saved=saved):
            if step == at:
                saved.append(intrude(folder))

        store = Store(folder, "x", disk=kind(meanwhile))
        parent = store.newest()
        try:
            save(store, 3, parent)
            saved.append(True)
        except CheckpointBusyError as why:
            saved.append(False)
            assert "at the same time" in str(why)
        store.unlock()

        assert store.verify() == []
        kept = {which_state(store.read(one.manifest)) for one in store.entries()}
        assert kept <= {2, 3, 50}
        assert (50 in kept, 3 in kept) == tuple(saved)
        outcomes.add(tuple(saved))
        shutil.rmtree(folder)

    assert (True, False) in outcomes


def test_a_dead_saves_files_go_and_a_live_ones_stay(tmp_path):
    """The next writer removes scratch files and bodies of the dead, not those of other machines."""
    folder = tmp_path / "c"
    prepare(folder, 1)
    place = folder / "x"
    mine = place / f".00000002-aaaaaa.ckpt.{os.getpid()}-00000000-abcdef.tmp"
    mine.write_bytes(b"another machine writes this")
    steps = count_steps(tmp_path / "count", 1)
    at = steps.index("rename", steps.index("write")) + 2

    def dies():
        store = Store(folder, "x", disk=KilledAt(at))
        save(store, 2, store.newest())

    assert in_child(dies) == -signal.SIGKILL
    assert bodies_without_a_name(folder) == 1
    store = Store(folder, "x")

    store.lock()

    assert bodies_without_a_name(folder) == 0
    assert leftovers(place) == [mine.name]
    store.unlock()
