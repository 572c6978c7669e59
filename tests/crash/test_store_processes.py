"""Forks, other users, wide umasks and folders that cannot be written to."""

from __future__ import annotations

import errno
import os
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest
from crash.disk import FailsAt, Watched, draft, in_child, is_state, save, which_state

from resume.errors import CheckpointBusyError, StoreError, TrustError
from resume.store import Store, trust

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
as_root = pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can give files away"
)
SOMEBODY, NOBODY = 4321, 65534


def test_a_forked_child_writes_nothing(tmp_path):
    """The store belongs to the process that made it: the child's save is refused, by name."""
    store = Store(tmp_path, "x")
    first = save(store, 1, None)
    before = sorted(os.listdir(store.place))

    def act():
        for do in (lambda: save(store, 2, first), store.lock, store.prune, store.gc):
            try:
                do()
            except StoreError as why:
                assert str(os.getppid()) in str(why)
            else:
                os._exit(50)

    assert in_child(act) == 0
    assert sorted(os.listdir(store.place)) == before
    assert save(store, 3, first).number == 2
    store.unlock()


def test_a_forked_child_does_not_release_the_parents_lock(tmp_path):
    """It closes, unlocks and ends; another store is still refused, in it and in the parent."""
    store = Store(tmp_path, "x")
    store.lock()

    def act():
        store.unlock()
        try:
            Store(tmp_path, "x").lock()
        except CheckpointBusyError as why:
            assert str(os.getppid()) in str(why)
        else:
            os._exit(50)

    assert in_child(act) == 0
    assert in_child(act) == 0
    assert store.holder()["pid"] == os.getpid()
    store.unlock()


def test_the_lock_goes_with_the_parent(tmp_path):
    """The holder is killed while its forked child lives on: the lock is free at once."""
    reading, writing = os.pipe()

    def holder():
        store = Store(tmp_path, "x")
        store.lock()
        started, tell = os.pipe()
        child = os.fork()
        if child == 0:
            os.write(tell, b"!")
            time.sleep(30)
            os._exit(0)
        os.read(started, 1)
        os.write(writing, b"%d\n" % child)
        os.kill(os.getpid(), signal.SIGKILL)

    assert in_child(holder) == -signal.SIGKILL
    child = int(os.read(reading, 100))
    os.close(reading)
    os.close(writing)
    try:
        os.kill(child, 0)
        store = Store(tmp_path, "x")
        assert store.holder() is None
        store.lock()
        store.unlock()
    finally:
        os.kill(child, signal.SIGKILL)


def test_a_killed_holder_leaves_no_lock(tmp_path):
    """SIGKILL: the next process takes the lock, and nobody is named."""

    def dies():
        Store(tmp_path, "x").lock()
        store = Store(tmp_path, "y")
        store.lock()
        os.kill(os.getpid(), signal.SIGKILL)

    in_child(dies)
    store = Store(tmp_path, "x")

    assert store.holder() is None
    store.lock()
    assert store.holder()["pid"] == os.getpid()
    store.unlock()
    assert store.holder() is None


@pytest.mark.parametrize("umask", [0o002, 0o000, 0o277], ids=oct)
def test_any_umask(tmp_path, umask):
    """Folders are 0700 and files 0600 whatever the umask, and the store reads what it wrote."""
    before = os.umask(umask)
    try:
        store = Store(tmp_path / "c", "x")
        first = save(store, 1, None)
        store.unlock()
    finally:
        os.umask(before)

    for folder in (store.folder, store.place):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    for path in store.place.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0
    assert is_state(1, store.read(first))
    assert (store.folder / ".gitignore").read_text() == "*\n"


def make_two(folder: Path) -> tuple[Store, list[Path]]:
    store = Store(folder, "x")
    save(store, 2, save(store, 1, None))
    store.unlock()
    return store, sorted(store.place.glob("*.ckpt*"))


@pytest.mark.parametrize("kind", ["manifest.json", ".ckpt"])
def test_world_writable_files_are_not_trusted(tmp_path, kind):
    """Everybody may have written it: TrustError with remedies; trust=True reads."""
    store, paths = make_two(tmp_path)
    path = next(one for one in reversed(paths) if one.name.endswith(kind))
    path.chmod(0o666)

    with pytest.raises(TrustError, match="every user") as caught:
        store.read_best()

    assert path.name in str(caught.value)
    for remedy in ("trust=True", "RESUME_TRUST", "chmod", "RESUME_KEY", "clean=True"):
        assert remedy in str(caught.value)
    assert which_state(Store(tmp_path, "x", trust=True).read_best()[1]) == 2


@as_root
def test_another_owners_files(tmp_path, monkeypatch):
    """Not ours, not root's: refused; RESUME_TRUST=1 reads them, trust=False does not."""
    store, paths = make_two(tmp_path)
    for path in paths:
        os.chown(path, SOMEBODY, SOMEBODY)

    with pytest.raises(TrustError, match=str(SOMEBODY)):
        store.newest()
    assert [one.problem is not None for one in store.entries()] == [True, True]
    assert all(one.manifest is not None for one in store.entries())
    monkeypatch.setenv("RESUME_TRUST", "1")
    assert which_state(store.read_best()[1]) == 2
    with pytest.raises(TrustError):
        Store(tmp_path, "x", trust=False).read_best()


@as_root
def test_a_foreign_body_under_our_manifest(tmp_path):
    """The owner of each open file counts, not that of the manifest alone."""
    store, paths = make_two(tmp_path)
    os.chown(next(one for one in paths if one.suffix == ".ckpt"), SOMEBODY, SOMEBODY)

    with pytest.raises(TrustError):
        store.read_best()


@as_root
def test_a_key_makes_foreign_files_good(tmp_path, monkeypatch):
    """Signed with the user's key: read in spite of the owner; with another key or a change, not."""
    monkeypatch.setenv("RESUME_KEY", "secret")
    store, paths = make_two(tmp_path)
    for path in paths:
        os.chown(path, SOMEBODY, SOMEBODY)

    assert which_state(store.read_best()[1]) == 2
    monkeypatch.setenv("RESUME_KEY", "other")
    with pytest.raises(TrustError):
        store.read_best()
    monkeypatch.delenv("RESUME_KEY")
    with pytest.raises(TrustError):
        store.read_best()


@as_root
def test_a_foreign_body_is_not_leaned_on(tmp_path):
    """What was read with trust=True does not make the next generation need it."""
    store, paths = make_two(tmp_path)
    for path in paths:
        os.chown(path, SOMEBODY, SOMEBODY)
    vouching = Store(tmp_path, "x", trust=True)
    newest, _, _ = vouching.read_best()

    third = save(vouching, 3, newest)
    vouching.unlock()

    assert [one.name for one in third.bodies] == [third.body.name]
    assert which_state(store.read_best()[1]) == 3


@as_root
def test_root_over_a_users_files(tmp_path):
    """Root runs the user's program: the user's files are as good as the program itself."""
    store, paths = make_two(tmp_path)
    program = tmp_path / "program.py"
    program.write_text(
        "import sys\n"
        "from pathlib import Path\n"
        "from resume.store import Store\n"
        "print(bytes(Store(Path(sys.argv[1]), 'x').read_best()[1].stream).decode())\n"
    )
    for path in [*paths, program]:
        os.chown(path, SOMEBODY, SOMEBODY)
    command = [sys.executable, str(program), str(tmp_path)]

    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.stdout == "stream 2\n", done.stderr

    os.chown(program, 0, 0)
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "TrustError" in done.stderr


@as_root
def test_another_user_reads_roots_files(tmp_path):
    """A user may read what root wrote, where the modes allow it."""
    store, paths = make_two(tmp_path)
    for path in [*paths, store.place, store.folder, *tmp_path.parents]:
        if path.stat().st_uid == 0 and str(path).startswith("/tmp/"):
            path.chmod(path.stat().st_mode | 0o055)

    def act():
        os.setuid(NOBODY)
        assert which_state(Store(tmp_path, "x").read_best()[1]) == 2

    assert in_child(act) == 0


@pytest.mark.parametrize("number", [errno.EROFS, errno.EACCES])
def test_a_folder_that_cannot_be_written(tmp_path, number):
    """Reading works; saving is a StoreError that names the place and another one as the remedy."""
    make_two(tmp_path)
    store = Store(tmp_path, "x", disk=FailsAt(1, number, lasting=True))

    assert which_state(store.read_best()[1]) == 2
    with pytest.raises(StoreError, match="previous generation is untouched") as caught:
        save(store, 3, store.newest())
    assert "RESUME_DIR" in str(caught.value)
    assert str(tmp_path) in str(caught.value)


@as_root
def test_a_really_unwritable_folder(tmp_path):
    """An immutable folder (chattr +i): nothing is lost, and the text says what to do."""
    store, _ = make_two(tmp_path)
    if subprocess.run(["chattr", "+i", store.place], capture_output=True).returncode:
        pytest.skip("no chattr +i on this file system")
    try:
        with pytest.raises(StoreError, match="RESUME_DIR"):
            save(store, 3, store.newest())
        assert which_state(store.read_best()[1]) == 2
    finally:
        store.unlock()
        subprocess.run(["chattr", "-i", store.place], check=True)


def test_without_fsync_the_newest_is_durable_before_anything_goes(tmp_path):
    """`fsync=False` never waits, but for once before something older is removed."""
    disk = Watched()
    from resume.store import Retention

    store = Store(tmp_path, "x", fsync=False, disk=disk, retention=Retention(keep=2))
    last = save(store, 2, save(store, 1, None))
    assert not {"fsync", "sync_folder"} & set(disk.steps)
    disk.steps.clear()

    save(store, 3, last)

    first_removal = disk.steps.index("unlink", disk.steps.index("link") + 2)
    assert "fsync" in disk.steps[:first_removal]
    assert "sync_folder" in disk.steps[:first_removal]
    store.unlock()


def test_the_key_file(tmp_path, caplog):
    """`new_key` makes it for its owner alone; one that others can read is not used."""
    path = trust.new_key()

    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert trust.find_key() == path.read_bytes().strip()
    assert Store(tmp_path, "x").commit(draft(), b"s", [], parent=None).signature
    path.chmod(0o644)
    assert trust.find_key() is None
    assert "chmod 600" in caplog.text
