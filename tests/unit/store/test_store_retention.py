"""What stays, what is set aside, what expires, and what gc takes."""

from __future__ import annotations

import errno
import os
import time

import pytest
from crash.disk import FailsAt, Watched, draft, save, which_state

from resume.errors import ConfigError, StoreError, TrustError
from resume.store import Retention, Store
from resume.store.retention import staying
from resume.types import BodyRef, Manifest


def numbered(number: int, **changes) -> Manifest:
    body = BodyRef("", 0, "")
    return Manifest(1, "x", "l", number, None, 0.0, body, (), {}, draft(**changes), "")


@pytest.mark.parametrize(
    ("retention", "expected"),
    [
        (Retention(keep=1), {9}),
        (Retention(keep=3), {9, 8, 7}),
        (Retention(keep=99), set(range(1, 10))),
        (Retention(keep=1, keep_every=4), {9, 8, 4}),
        (Retention(keep=1, keep_best="loss"), {9, 3}),
    ],
)
def test_what_stays(retention, expected):
    """The newest, every n-th, and the one with the lowest metric (the newer of equal ones)."""
    metrics = {1: 0.1, 2: None, 3: 0.1, 4: float("nan"), 5: 5.0}
    chain = [numbered(n, metric=metrics.get(n, 7.0)) for n in range(9, 0, -1)]

    assert staying(chain, retention) == expected


def test_the_base_of_a_complete_generation_stays():
    """A rerun with more epochs goes on from there; also the base's own base."""
    bases = {9: 6, 6: 2}
    chain = [numbered(n, complete=n in bases, base=bases.get(n)) for n in range(9, 0, -1)]

    assert staying(chain, Retention(keep=1)) == {9, 6, 2}


@pytest.mark.parametrize("wrong", [{"keep": 0}, {"keep": -1}, {"keep": True}, {"keep_every": 0}])
def test_keeping_nothing_is_refused(wrong):
    """The newest always stays."""
    with pytest.raises(ConfigError, match=next(iter(wrong))):
        Retention(**wrong)


def run(store: Store, first: int, last: int, parent=None) -> Manifest:
    for k in range(first, last + 1):
        parent = save(store, k, parent)
    return parent


def numbers(store: Store, *, live: bool = True) -> list[int]:
    return [one.number for one in store.entries() if one.live == live]


def test_a_saves_end_prunes(tmp_path):
    """`keep=3` and `keep_every=4` on disk; every kept one can be read, no body is left over."""
    store = Store(tmp_path, "x", fsync=False, retention=Retention(keep=3, keep_every=4))
    run(store, 1, 10)

    assert numbers(store) == [10, 9, 8, 4]
    assert [which_state(store.read(one)) for one in store.chain()] == [10, 9, 8, 4]
    assert store.verify() == []
    named = {body.name for one in store.chain() for body in one.bodies}
    assert named == {one for one in os.listdir(store.place) if one.endswith(".ckpt")}
    store.unlock()


def test_another_line_is_set_aside_and_never_pruned(tmp_path):
    """A new line (`clean=True`) leaves the old one whole for `ls --all`, however long it runs."""
    store = Store(tmp_path, "x", fsync=False, retention=Retention(keep=2))
    old = run(store, 1, 3)
    run(store, 4, 9)

    assert numbers(store) == [9, 8]
    assert numbers(store, live=False) == [3, 2]
    assert which_state(store.read(old)) == 3
    assert [one.number for one in store.chain()] == [9, 8]
    store.unlock()


def test_a_step_back_sets_the_branch_aside(tmp_path):
    """Going on from 2 of 4: 3 and 4 are aside, also when 2 itself was pruned."""
    store = Store(tmp_path, "x", fsync=False, retention=Retention(keep=3))
    two = run(store, 1, 2)
    run(store, 3, 4, two)
    last = run(store, 5, 5, store.manifest(2))

    assert [one.number for one in store.chain()] == [5, 2]
    assert numbers(store, live=False) == [4, 3]
    run(store, 6, 8, last)
    assert [one.number for one in store.chain()] == [8, 7, 6]
    assert numbers(store, live=False) == [4, 3]
    store.unlock()


def test_numbers_rise_over_everything_that_was_seen(tmp_path):
    """Damaged manifests, set-aside lines and bodies without a manifest hold their numbers."""
    store = Store(tmp_path, "x", fsync=False)
    run(store, 1, 2)
    (store.place / "00000007.ckpt.manifest.json").write_text("{")
    assert save(store, 3, None).number == 8
    (store.place / "00000020-abcdef.ckpt").write_text("x")
    (store.place / "123.ckpt.manifest.json").write_text("not ours")
    assert save(store, 4, None).number == 21
    (store.place / "100000000.ckpt.manifest.json").write_text("{")
    assert save(store, 5, None).number == 100000001
    store.unlock()


def test_a_generation_whose_body_is_gone_does_not_count(tmp_path):
    """`keep=2`: with one of them without its body, the next whole one stays."""
    store = Store(tmp_path, "x", fsync=False, retention=Retention(keep=2))
    parent = run(store, 1, 2)
    (store.place / parent.body.name).unlink()

    save(store, 3, parent)

    assert [one.number for one in store.entries()] == [3, 2, 1]
    assert which_state(store.read(store.manifest(1))) == 1
    store.unlock()


def test_a_generation_damaged_since_it_was_saved_does_not_count(tmp_path):
    """What this process wrote itself is read again where its file is another."""
    store = Store(tmp_path, "x", fsync=False, retention=Retention(keep=2))
    parent = run(store, 1, 2)
    (store.place / "00000002.ckpt.manifest.json").write_text("{")

    save(store, 3, parent)

    assert [one.number for one in store.entries() if one.error is None] == [3, 1]
    store.unlock()


def complete(store: Store, k: int, age_s: float, monkeypatch) -> Manifest:
    now = time.time()
    with monkeypatch.context() as clock:
        clock.setattr("resume.store.commit.time.time", lambda: now - age_s)
        return save(store, k, None, complete=True)


def test_an_old_complete_generation_expires(tmp_path, monkeypatch):
    """It is set aside, not removed: the next run starts anew, and its number is above."""
    store = Store(tmp_path, "x", fsync=False, retention=Retention(keep=1, expire_s=100))
    old = complete(store, 1, 101, monkeypatch)

    assert store.newest() is None
    assert store.read_best() is None
    assert list(store.chain()) == []
    assert numbers(store, live=False) == [1]
    assert save(store, 2, None).number == 2
    assert which_state(store.read(old)) == 1
    store.unlock()


@pytest.mark.parametrize("age_s", [99, 0, -1e9])
def test_a_young_one_does_not_nor_one_from_the_future(tmp_path, monkeypatch, age_s):
    """A clock that was wrong loses nothing."""
    store = Store(tmp_path, "x", fsync=False, retention=Retention(expire_s=100))
    complete(store, 1, age_s, monkeypatch)

    assert store.newest().number == 1
    store.unlock()


def test_interrupted_ones_do_not_expire(tmp_path, monkeypatch):
    """However old; and `expire_s=None` keeps complete ones as well."""
    store = Store(tmp_path, "x", fsync=False, retention=Retention(expire_s=None))
    complete(store, 1, 1e9, monkeypatch)
    assert store.newest().number == 1
    monkeypatch.setattr("resume.store.commit.time.time", lambda: 5.0)
    store.unlock()
    other = Store(tmp_path, "y", fsync=False, retention=Retention(expire_s=1))
    save(other, 2, None)
    assert other.newest().number == 1
    other.unlock()


def test_a_clock_set_back_does_not_change_the_order(tmp_path, monkeypatch):
    """Numbers order generations, not times."""
    store = Store(tmp_path, "x", fsync=False)
    first = save(store, 1, None)
    monkeypatch.setattr("resume.store.commit.time.time", lambda: 5.0)
    save(store, 2, first)

    assert which_state(store.read_best()[1]) == 2
    store.unlock()


def test_gc_takes_what_was_set_aside(tmp_path):
    """Other lines, unnamed bodies, scratch of the dead; what it said it freed is freed."""
    store = Store(tmp_path, "x", fsync=False)
    run(store, 1, 3)
    last = run(store, 4, 5)
    (store.place / "00000002-abcdef.ckpt").write_bytes(b"unnamed")
    (store.place / ".a.999999999-00000000-abcdef.tmp").write_bytes(b"another machine's")

    def size():
        return sum(one.stat().st_size for one in store.place.iterdir())

    before = size()
    told = store.gc(dry_run=True)
    assert size() == before

    assert store.gc() == told == before - size() > 0
    assert numbers(store) == [5, 4]
    assert numbers(store, live=False) == []
    assert which_state(store.read(last)) == 5
    assert store.verify() == []
    assert (store.place / ".a.999999999-00000000-abcdef.tmp").exists()
    assert store.gc() == 0
    store.unlock()


def test_gc_takes_expired_ones_and_nothing_when_all_is_damaged(tmp_path, monkeypatch):
    """Expired is set aside; where nothing can be read, nothing tells what may go."""
    store = Store(tmp_path, "x", fsync=False, retention=Retention(expire_s=1))
    complete(store, 1, 50, monkeypatch)
    assert store.gc() > 0
    assert store.entries() == []
    run(store, 2, 3)
    for one in store.entries():
        one.path.write_text(one.path.read_text()[:-9])

    assert store.gc() == 0
    assert len(store.entries()) == 2
    store.unlock()


def test_gc_does_not_judge_what_is_not_trusted(tmp_path):
    """The newest may be somebody else's: nothing goes because of it."""
    store = Store(tmp_path, "x", fsync=False)
    run(store, 1, 1)
    run(store, 2, 2)
    store.entries()[0].path.chmod(0o666)

    with pytest.raises(TrustError):
        store.gc()
    assert len(store.entries()) == 2
    store.unlock()


def test_remove_takes_all_of_it(tmp_path):
    """The place is gone, its neighbours and the folder stay; the lock is free."""
    store, other = Store(tmp_path, "x", fsync=False), Store(tmp_path, "y", fsync=False)
    run(store, 1, 2)
    store.unlock()
    run(other, 1, 1)
    other.unlock()

    store.remove()

    assert not store.place.exists()
    assert other.newest().number == 1
    assert save(store, 3, None).number == 1
    store.unlock()


def test_a_prune_that_fails_is_told_and_the_save_stands(tmp_path, caplog):
    """The generation is durable; the older ones go with the next save."""
    keep_one = Retention(keep=1)
    counted = Watched()
    store = Store(tmp_path / "count", "x", retention=keep_one, disk=counted)
    save(store, 2, save(store, 1, None))
    store.unlock()
    store = Store(tmp_path / "c", "x", retention=keep_one)
    first = save(store, 1, None)
    store.unlock()
    failing = Store(tmp_path / "c", "x", retention=keep_one, disk=Watched())
    failing.lock()
    failing._disk.unlink = lambda path: (_ for _ in ()).throw(OSError(errno.EIO, "no"))

    second = save(failing, 2, first)

    assert "generation 2 is saved, but older ones stay" in caplog.text
    assert [one.number for one in failing.entries()] == [2, 1]
    with pytest.raises(StoreError, match="prune"):
        failing.prune()
    failing.unlock()
    again = Store(tmp_path / "c", "x", retention=keep_one)
    save(again, 3, second)
    assert [one.number for one in again.entries()] == [3]
    again.unlock()
    assert isinstance(FailsAt(1, 5), Watched)


def test_verify_tells_which_generations_a_bad_extent_harms(tmp_path, monkeypatch):
    """Beyond 64 MiB only those that need the damaged bytes are harmed, others can be read."""
    monkeypatch.setattr("resume.store.restore.HASHED_BYTES", 1)
    store = Store(tmp_path, "x", fsync=False)
    first = save(store, 1, None)
    second = save(store, 2, first)
    body = store.place / first.body.name
    data = bytearray(body.read_bytes())
    data[first.tables["offset"] - 10] ^= 1
    body.write_bytes(data)
    store.unlock()

    (problem,) = store.verify()

    assert problem.file == body.name
    assert "sha256" in problem.what
    assert problem.generations == (1,)
    assert which_state(store.read(second)) == 2
