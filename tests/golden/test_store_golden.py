"""What an earlier release wrote stays readable."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from golden.make_store_v1 import NAME, arrays, draft, stream

from resume.store import Retention, Store, names
from resume.types import Buffer

GOLDEN = Path(__file__).parent / "store_v1"


@pytest.fixture
def store(tmp_path):
    """A copy, because a checkout may be writable by everybody, and the test writes too."""
    shutil.copytree(GOLDEN, tmp_path / "c")
    for path in (tmp_path / "c").rglob("*.ckpt*"):
        path.chmod(0o600)
    return Store(tmp_path / "c", NAME, retention=Retention(expire_s=None))


def test_format_version_1_is_read(store):
    """Both generations, of compressed, raw, shared and empty buffers, every field and byte."""
    assert names(store.folder) == [NAME]
    assert store.verify() == []
    manifest, content, reasons = store.read_best()

    assert (manifest.schema_version, manifest.number, manifest.ancestors) == (1, 2, (1,))
    assert reasons == []
    for found in store.chain():
        got = store.read(found)
        assert bytes(got.stream) == stream(found.number)
        for array, buffer in zip(arrays(found.number), got.buffers, strict=True):
            assert buffer == memoryview(array).cast("B")
        told = draft(found.number)
        assert found.draft.variables == told.variables
        assert found.draft.call == told.call
        assert found.draft.extra == told.extra
        assert found.draft.position == told.position
        assert (found.draft.complete, found.draft.base) == (told.complete, told.base)


def test_a_later_save_leans_on_it(store):
    """The old tables tell what need not be written again: 5 MiB that shrink, 70 KB that do not."""
    newest = store.newest()
    names_of = ("table", "noise")
    buffers = [
        Buffer(name, memoryview(array).cast("B"), array.dtype.str)
        for name, array in zip(names_of, arrays(2), strict=False)
    ]

    third = store.commit(draft(2), b"third", buffers, parent=newest)

    assert third.body.size_bytes < 2000
    assert len(third.bodies) == 3
    for array, got in zip(arrays(2), store.read(third).buffers, strict=False):
        assert bytes(got) == array.tobytes()
    store.unlock()
