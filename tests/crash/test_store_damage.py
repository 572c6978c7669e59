"""Damage anywhere is found before anything is handed over: the parent, or IntegrityError."""

from __future__ import annotations

import json
import random
import shutil
import threading
from pathlib import Path

import numpy as np
import pytest
from crash.disk import buffer, draft, save, which_state

from resume.errors import IntegrityError, SchemaVersionError
from resume.store import Retention, Store


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A store of two generations; the second leans on the first one's body."""
    folder = tmp_path_factory.mktemp("model")
    store = Store(folder, "x", fsync=False)
    save(store, 2, save(store, 1, None))
    store.unlock()
    return folder


def fresh(model: Path, folder: Path) -> Store:
    shutil.copytree(model, folder / "c")
    return Store(folder / "c", "x", fsync=False)


def files_of(store: Store, number: int) -> tuple[Path, Path]:
    manifest = store.manifest(number)
    return store.place / manifest.body.name, store.place / f"{number:08d}.ckpt.manifest.json"


def regions(size: int) -> list[int]:
    """Places in a file: its ends, and some in between."""
    return sorted({0, 1, 30, size // 4, size // 2, size - size // 5, size - 40, size - 1})


def harm(path: Path, place: int, how: str) -> None:
    data = bytearray(path.read_bytes())
    if how == "flip":
        data[place] ^= 0x04
    elif how == "cut":
        del data[place:]
    elif how == "zeros":
        data[place : place + 64] = bytes(len(data[place : place + 64]))
    elif how == "grow":
        data[place:place] = b"\0"
    path.write_bytes(data)


@pytest.mark.parametrize("how", ["flip", "cut", "zeros", "grow"])
@pytest.mark.parametrize("which", ["body", "manifest"])
def test_damage_of_the_newest_gives_the_parent(model, tmp_path, which, how):
    """Every region of the newest body and manifest: the parent comes back, with the reason."""
    store = fresh(model, tmp_path)
    path = files_of(store, 2)[which == "manifest"]
    whole = path.read_bytes()

    for place in regions(len(whole)):
        harm(path, place, how)
        if path.read_bytes() == whole:
            continue
        manifest, content, reasons = store.read_best()
        if which == "manifest" and not reasons:
            assert json.loads(path.read_bytes()) == json.loads(whole)  # blanks between the words
            assert which_state(content) == 2
        else:
            assert (manifest.number, which_state(content)) == (1, 1)
            assert len(reasons) == 1
            assert "generation 2" in reasons[0]
            assert path.name in reasons[0]
            assert [one.generations for one in store.verify()] == [(2,)]
        path.write_bytes(whole)


@pytest.mark.parametrize("how", ["flip", "cut", "zeros", "grow"])
def test_damage_that_all_share_is_an_error(model, tmp_path, how):
    """Every region of the body that both lean on: IntegrityError with files and remedies."""
    store = fresh(model, tmp_path)
    path, _ = files_of(store, 1)
    whole = path.read_bytes()

    for place in regions(len(whole)):
        harm(path, place, how)
        if path.read_bytes() == whole:
            continue
        with pytest.raises(IntegrityError) as caught:
            store.read_best()
        assert path.name in str(caught.value)
        assert "clean=True" in str(caught.value)
        assert "resume verify" in str(caught.value)
        path.write_bytes(whole)


def test_every_byte_of_a_small_generation(tmp_path):
    """One flipped bit in each single byte of both files never brings another state."""
    store = Store(tmp_path / "c", "x", fsync=False, compress=9)
    store.commit(draft(variables=(), code={}, environment={}), b"abc" * 10, [], parent=None)
    generator = random.Random(1)

    for path in files_of(store, 1):
        whole = path.read_bytes()
        for place in range(len(whole)):
            data = bytearray(whole)
            data[place] ^= 1 << generator.randrange(8)
            path.write_bytes(data)
            try:
                assert bytes(store.read_best()[1].stream) == b"abc" * 10
                assert path.suffix == ".json"
            except IntegrityError:
                pass
        path.write_bytes(whole)
    store.unlock()


def test_up_to_24_flipped_bits_anywhere(model, tmp_path):
    """A burst or a scatter of 24 bits in any file: a state that was saved, or IntegrityError."""
    store = fresh(model, tmp_path)
    generator = random.Random(2)
    paths = [*files_of(store, 1), *files_of(store, 2)]

    for _ in range(40):
        path = generator.choice(paths)
        whole = path.read_bytes()
        data = bytearray(whole)
        for _ in range(generator.randint(1, 24)):
            data[generator.randrange(len(data))] ^= 1 << generator.randrange(8)
        path.write_bytes(data)
        try:
            assert which_state(store.read_best()[1]) in (1, 2)
        except IntegrityError:
            pass
        path.write_bytes(whole)


@pytest.mark.parametrize("which", ["body", "manifest"])
def test_files_swapped_with_another_generations(model, tmp_path, which):
    """Whole files under each other's names are damage, not another state."""
    store = fresh(model, tmp_path)
    index = which == "manifest"
    one, two = files_of(store, 1)[index], files_of(store, 2)[index]
    bytes_of_one, bytes_of_two = one.read_bytes(), two.read_bytes()
    two.write_bytes(bytes_of_one)

    if which == "manifest":
        assert store.read_best()[0].number == 1
    else:
        assert which_state(store.read_best()[1]) == 1
    one.write_bytes(bytes_of_two)

    with pytest.raises(IntegrityError):
        store.read_best()


def test_a_generation_of_another_checkpoint_is_not_ours(model, tmp_path):
    """A manifest copied from another checkpoint's place is passed over."""
    store = fresh(model, tmp_path)
    other = Store(store.folder, "other", fsync=False)
    parent = save(other, 7, None)
    parent = save(other, 8, parent)
    parent = save(other, 9, parent)
    other.unlock()
    for path in other.place.iterdir():
        if path.name.startswith("00000003"):
            shutil.copy(path, store.place)

    manifest, content, reasons = store.read_best()

    assert (manifest.number, which_state(content)) == (2, 2)
    assert "'other'" in reasons[0]


@pytest.mark.parametrize("what", ["gone", "folder", "fifo", "no json", "empty", "list", "deep"])
def test_a_manifest_that_is_none(model, tmp_path, what):
    """Whatever lies under the manifest's name: no wait, no crash, the parent."""
    import os

    store = fresh(model, tmp_path)
    body, path = files_of(store, 2)
    path.unlink()
    if what == "folder":
        path.mkdir()
    elif what == "fifo":
        os.mkfifo(path)
    elif what != "gone":
        texts = {"no json": "hello", "empty": "", "list": "[1]", "deep": "[" * 100_000}
        path.write_text(texts[what])

    manifest, content, reasons = store.read_best()

    assert (manifest.number, which_state(content)) == (1, 1)
    assert len(reasons) == (what != "gone")
    again = save(store, 5, manifest)
    assert again.number == 3
    assert which_state(store.read_best()[1]) == 5
    store.unlock()


def test_a_missing_body(model, tmp_path):
    """The manifest is there and the body is not: the parent, and verify says so."""
    store = fresh(model, tmp_path)
    files_of(store, 2)[0].unlink()

    assert store.read_best()[0].number == 1
    assert [one.generations for one in store.verify()] == [(2,)]


def spoil(path: Path) -> None:
    path.write_text("{")


def test_an_unreadable_newest_goes_to_its_parent_not_to_the_next_lower(tmp_path):
    """After a step back, 4 stands on 1; the set-aside 2 and 3 are not what it falls back to."""
    store = Store(tmp_path, "x", fsync=False)
    one = save(store, 1, None)
    save(store, 3, save(store, 2, one))
    save(store, 4, one)
    store.unlock()
    spoil(store.place / "00000004.ckpt.manifest.json")

    assert which_state(store.read_best()[1]) == 1
    assert [m.number for m in store.chain()] == [1]


def test_an_unreadable_first_of_a_line_does_not_bring_back_what_was_set_aside(tmp_path):
    """`clean=True` began a new line at 3: its loss is an error, not the state from before."""
    store = Store(tmp_path, "x", fsync=False)
    save(store, 2, save(store, 1, None))
    save(store, 3, None)
    store.unlock()
    spoil(store.place / "00000003.ckpt.manifest.json")

    with pytest.raises(IntegrityError, match="00000003"):
        store.read_best()
    with pytest.raises(IntegrityError, match="00000003"):
        store.newest()


def test_an_unreadable_newest_without_a_body_goes_to_the_next_lower(tmp_path):
    """Nothing tells its parent, and nothing contradicts."""
    store = Store(tmp_path, "x", fsync=False)
    last = save(store, 2, save(store, 1, None))
    last = save(store, 3, last)
    store.unlock()
    spoil(store.place / "00000003.ckpt.manifest.json")
    (store.place / last.body.name).unlink()

    manifest, content, reasons = store.read_best()

    assert which_state(content) == 2
    assert "00000003" in reasons[0]


def test_an_unreadable_parent_is_stepped_over(tmp_path):
    """The newest says its whole chain, so one bad manifest in between hides nothing."""
    store = Store(tmp_path, "x", fsync=False)
    last = save(store, 2, save(store, 1, None))
    last = save(store, 3, last)
    store.unlock()
    spoil(store.place / "00000002.ckpt.manifest.json")
    (store.place / last.body.name).unlink()

    manifest, content, reasons = store.read_best()

    assert which_state(content) == 1
    assert len(reasons) == 2


def test_damage_beyond_64_mib_is_found_without_sha256(tmp_path, monkeypatch):
    """Large generations are checked extent by extent."""
    monkeypatch.setattr("resume.store.restore.HASHED_BYTES", 1)
    store = Store(tmp_path, "x", fsync=False)
    save(store, 2, save(store, 1, None))
    body, _ = files_of(store, 2)
    store.unlock()
    whole = body.read_bytes()

    for place in regions(len(whole))[3:]:
        harm(body, place, "flip")
        assert which_state(store.read_best()[1]) == 1, place
        body.write_bytes(whole)
    assert which_state(store.read_best()[1]) == 2


def test_a_damaged_parent_is_not_leaned_on(tmp_path):
    """Where the parent's tables cannot be read, the next generation is written in full."""
    store = Store(tmp_path, "x", fsync=False)
    first = save(store, 1, None)
    store.unlock()
    harm(store.place / first.body.name, first.body.size_bytes - 5, "flip")
    later = Store(tmp_path, "x", fsync=False)

    second = save(later, 2, first)

    assert [body.name for body in second.bodies] == [second.body.name]
    assert which_state(later.read(second)) == 2
    later.unlock()


@pytest.mark.parametrize("by", [-1, 0, 1])
def test_a_body_of_another_size_is_not_leaned_on(tmp_path, by):
    """Cut or grown since this very process wrote it: the next generation is written in full."""
    store = Store(tmp_path, "x", fsync=False)
    first = save(store, 1, None)
    with (store.place / first.body.name).open("r+b") as file:
        file.truncate(first.body.size_bytes + by)

    second = save(store, 2, first)

    leaned_on = [body.name for body in second.bodies if body.name != second.body.name]
    assert leaned_on == ([] if by else [first.body.name])
    assert which_state(store.read(second)) == 2
    store.unlock()


def as_version(path: Path, version: object, *, whole: bool = True) -> None:
    from resume.store.layout import digest_of

    record = json.loads(path.read_text())
    record["schema_version"] = version
    if whole:
        record["digest"] = digest_of(record)
    path.write_text(json.dumps(record))


@pytest.mark.parametrize("whole", [True, False])
def test_a_manifest_from_the_future_is_told_and_left_alone(model, tmp_path, whole):
    """Its version and ours stand in the text; nothing falls back, nothing is written over."""
    store = fresh(model, tmp_path)
    path = files_of(store, 2)[1]
    as_version(path, 999, whole=whole)
    before = {one.name: one.read_bytes() for one in store.place.iterdir() if one.name != "lock"}

    for act in (store.newest, store.read_best, lambda: store.manifest(2), store.gc, store.prune):
        with pytest.raises(SchemaVersionError, match="version 999") as caught:
            act()
        assert "up to version 1" in str(caught.value)
    store.lock()
    store.unlock()

    after = {one.name: one.read_bytes() for one in store.place.iterdir() if one.name != "lock"}
    assert after == before


def test_a_flipped_version_is_damage_and_not_the_future(model, tmp_path):
    """One bit makes 3 of 1: the digest tells that the file is one of ours."""
    store = fresh(model, tmp_path)
    as_version(files_of(store, 2)[1], 3, whole=False)

    assert store.read_best()[0].number == 1


def test_version_0_never_was(model, tmp_path):
    """There is no format before the first."""
    store = fresh(model, tmp_path)
    as_version(files_of(store, 2)[1], 0)

    assert store.read_best()[0].number == 1


def test_pruning_spares_the_bodies_of_manifests_that_cannot_be_read(tmp_path):
    """A manifest of a later release, set aside, keeps every body that it names."""
    store = Store(tmp_path, "x", fsync=False, retention=Retention(keep=1))
    first = save(store, 1, None)
    shutil.copy(store.place / first.body.name, tmp_path / "copy")
    path = store.place / "00000001.ckpt.manifest.json"
    aside = path.read_text()
    second = save(store, 2, first)
    path.write_text(aside)
    as_version(path, 2)
    shutil.copy(tmp_path / "copy", store.place / first.body.name)
    own = second.body.name

    third = save(store, 3, None)
    for k in range(4, 7):
        third = save(store, k, third)

    assert (store.place / first.body.name).exists()
    assert path.exists()
    assert (store.place / own).exists()
    store.unlock()


def test_another_thread_writing_during_saves(tmp_path, caplog):
    """Arrays change while they are saved: every generation can be read, and a line says so."""
    store = Store(tmp_path, "x", fsync=False, retention=Retention(keep=100))
    array = np.zeros(6 << 20, np.uint8)
    stop = threading.Event()

    def scribble():
        k = 0
        while not stop.is_set():
            k += 1
            array[:: 1 + k % 3] = k % 251

    thread = threading.Thread(target=scribble)
    thread.start()
    try:
        last = None
        for _ in range(12):
            last = store.commit(draft(), b"s", [buffer(array)], parent=last)
    finally:
        stop.set()
        thread.join()

    assert store.verify() == []
    for manifest in store.chain():
        assert len(store.read(manifest).buffers[0]) == len(array)
    assert len(list(store.chain())) == 12
    assert any("another thread" in one.getMessage() for one in caplog.records)
    store.unlock()
