"""A save that empties an old body, cut short at any disk operation: nothing is lost."""

from __future__ import annotations

import errno
import os
import shutil
import signal
from pathlib import Path

import numpy as np
import pytest
from crash.disk import FailsAt, KilledAt, Watched, buffer, draft, in_child, leftovers

from resume.errors import StoreError
from resume.store import Retention, Store

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")

CHANGES = {2: {0, 1, 2, 3}, 3: {4, 5, 6}, 4: {0, 1, 4, 5}, 5: {2}}
"""Which of ten arrays a save changes. The fourth save leaves three of ten in the first body."""
CARRYING = 4


def arrays(k: int) -> list[np.ndarray]:
    """The state of the k-th save."""
    last = [
        max([1, *(one for one in CHANGES if one <= k and row in CHANGES[one])]) for row in range(10)
    ]
    return [np.random.default_rng((row, one)).random(9000) for row, one in enumerate(last)]


def save(store: Store, k: int, parent):
    buffers = [buffer(array, f"a{row}") for row, array in enumerate(arrays(k))]
    return store.commit(draft(), b"stream %d" % k, buffers, parent=parent)


def which(store: Store, manifest) -> int:
    """The k whose state *manifest* holds, every byte of it."""
    content = store.read(manifest)
    k = int(bytes(content.stream).split()[1])
    assert [bytes(one) for one in content.buffers] == [one.tobytes() for one in arrays(k)]
    return k


def a_store(folder: Path, keep: int, **options) -> Store:
    return Store(folder, "x", retention=Retention(keep=keep), **options)


@pytest.fixture(params=[1, 2], ids=["keep one", "keep two"])
def keep(request):
    return request.param


@pytest.fixture
def prepare(tmp_path, keep):
    """Call it with a folder: all is saved in it up to the save that carries."""
    model = tmp_path / "model"

    def prepare_model():
        store = a_store(model, keep, fsync=False)
        parent = None
        for k in range(1, CARRYING):
            parent = save(store, k, parent)

    assert in_child(prepare_model) == 0  # so that the writer of these bodies is dead

    def copy(name: str) -> Path:
        return Path(shutil.copytree(model, tmp_path / name))

    return copy


@pytest.fixture
def steps(prepare, keep):
    """The operations of the save that carries; the first body goes by it."""
    folder = prepare("count")
    disk = Watched()
    store = a_store(folder, keep, disk=disk)
    before = {body.name for body in store.newest().bodies}
    after = save(store, CARRYING, store.newest())
    store.unlock()

    gone = before - {body.name for body in after.bodies}
    assert [name for name in gone if name.startswith("00000001")]
    assert len(after.bodies) == 3
    assert (folder / "x" / min(gone)).exists() == (keep > 1)
    return disk.steps


def check(folder: Path, keep: int) -> int:
    """All that is there is whole, the newest is old or new, and the next two saves work."""
    store = a_store(folder, keep, fsync=False)
    assert store.verify() == []
    newest, _, passed_over = store.read_best()
    assert passed_over == []
    assert [which(store, one) for one in store.chain()][:keep] in (
        list(range(CARRYING, 0, -1))[:keep],
        list(range(CARRYING - 1, 0, -1))[:keep],
    )
    got = which(store, newest)

    last = save(store, CARRYING, newest)
    last = save(store, CARRYING + 1, last)

    assert which(store, last) == CARRYING + 1
    assert store.verify() == []
    store.unlock()
    return got


def assert_tidy(folder: Path) -> None:
    """There is nothing in *folder* but what the generations need."""
    place = folder / "x"
    named = {body.name for one in Store(folder, "x").chain() for body in one.bodies}
    assert {one for one in os.listdir(place) if one.endswith(".ckpt")} == named
    assert leftovers(place) == []


def test_killed_at_any_disk_operation_of_a_save_that_carries(prepare, steps, keep):
    """SIGKILL ahead of, or amid, each operation: the old body is there until nobody needs it."""
    seen = []

    for step in range(1, len(steps) + 1):
        folder = prepare(f"{step}")

        def dies(folder=folder, step=step):
            store = a_store(folder, keep, disk=KilledAt(step))
            save(store, CARRYING, store.newest())

        assert in_child(dies) == -signal.SIGKILL, f"step {step} of {steps}"
        seen.append(check(folder, keep))
        assert_tidy(folder)
        shutil.rmtree(folder)

    assert seen == sorted(seen)
    assert set(seen) == {CARRYING - 1, CARRYING}


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO])
def test_refused_at_any_disk_operation_of_a_save_that_carries(prepare, steps, keep, number):
    """The disk says no: an error and the old state, or the save stands."""
    for step in range(1, len(steps) + 1):
        folder = prepare(f"{step}")
        store = a_store(folder, keep, disk=FailsAt(step, number))
        try:
            save(store, CARRYING, store.newest())
            failed = False
        except StoreError as why:
            failed = True
            assert os.strerror(number).lower() in str(why)
        store.unlock()

        assert check(folder, keep) == (CARRYING - 1 if failed else CARRYING), steps[step - 1]
        shutil.rmtree(folder)


def test_two_saves_in_a_row_die_while_they_carry(prepare, steps, keep):
    """What the first left behind does not stand in the way of the second, nor of the third."""
    at = steps.index("link")

    for first in range(at - 4, at + 1):
        folder = prepare(f"{first}")
        for step in (first, at - 1):

            def dies(folder=folder, step=step):
                store = a_store(folder, keep, disk=KilledAt(step))
                save(store, CARRYING, store.newest())

            assert in_child(dies) == -signal.SIGKILL
        assert check(folder, keep) == CARRYING - 1
        assert_tidy(folder)
