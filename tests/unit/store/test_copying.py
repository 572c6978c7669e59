"""Copies of live memory, alone and by two."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from resume.store import copying
from resume.store.copying import Copier

MIB = 1 << 20


def pairs_of(sizes):
    sources = [np.random.default_rng(k).integers(0, 256, n, np.uint8) for k, n in enumerate(sizes)]
    targets = [np.zeros(n, np.uint8) for n in sizes]
    pairs = [(memoryview(t), memoryview(s)) for t, s in zip(targets, sources, strict=True)]
    return sources, targets, pairs


@pytest.mark.parametrize("processors", [1, 2])
@pytest.mark.parametrize(
    "sizes",
    [[], [0], [1], [3 * MIB], [16 * MIB], [5 * MIB + 1, 3], [1, 7 * MIB], [65536] * 200, [0, 0]],
    ids=str,
)
def test_all_bytes_arrive(sizes, processors, monkeypatch):
    """Whatever the sizes, and however many processors there are; a second time as well."""
    monkeypatch.setattr(copying, "_processors", lambda: processors)
    before = threading.active_count()
    copier = Copier()
    for _ in range(2):
        sources, targets, pairs = pairs_of(sizes)
        copier.copy(pairs)
        for source, target in zip(sources, targets, strict=True):
            assert np.array_equal(source, target)
    copier.close()
    assert threading.active_count() == before


def test_the_work_is_shared_where_there_is_much(monkeypatch):
    """A second thread takes half of many bytes, and none of few; it ends with the copier."""
    monkeypatch.setattr(copying, "_processors", lambda: 2)
    before = threading.active_count()
    copier = Copier()

    copier.copy(pairs_of([MIB])[2])
    assert threading.active_count() == before
    copier.copy(pairs_of([8 * MIB])[2])
    assert threading.active_count() == before + 1
    copier.close()
    copier.close()

    assert threading.active_count() == before


def test_where_no_thread_can_start_it_copies_alone(monkeypatch):
    """At the end of the interpreter, for example."""
    monkeypatch.setattr(copying, "_processors", lambda: 2)

    def refuse(self):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    sources, targets, pairs = pairs_of([9 * MIB])

    Copier().copy(pairs)

    assert np.array_equal(sources[0], targets[0])
