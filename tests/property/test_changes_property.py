"""Any history of edits, saved here or beside the program: each generation is what was saved."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from crash.disk import draft
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from resume.store import Retention, Store
from resume.types import Buffer, Content, Manifest

MIB = 1 << 20
PART = 64 << 10
MOST = 9 * MIB
NOISE = np.random.default_rng(0).integers(0, 256, 2 * MOST, np.uint8)
KINDS = ("|u1", "<i4", "<f8")

pytestmark = pytest.mark.timeout(600)


@dataclass
class State:
    """Up to three arrays, by name and type, and a stream."""

    arrays: list[tuple[str, str, NDArray[np.uint8]]] = field(default_factory=list)
    stream: bytes = b""

    @property
    def size(self) -> int:
        return sum(len(array) for _, _, array in self.arrays) + len(self.stream)

    def buffers(self) -> list[Buffer]:
        return [Buffer(path, memoryview(array), kind) for path, kind, array in self.arrays]

    def mark(self) -> str:
        return mark([self.stream, *(array.data for _, _, array in self.arrays)])


def mark(parts: list[Any]) -> str:
    found = hashlib.blake2b(digest_size=16)
    for part in parts:
        found.update(b"%d:" % len(part))
        found.update(part)
    return found.hexdigest()


# Places and sizes as shares of what is there, with the odd ones more often than chance has it.
shares = st.one_of(st.floats(0, 1), st.sampled_from([0.0, 0.5, 1.0]))
sizes = st.one_of(
    st.integers(0, MOST),
    st.sampled_from([0, 1, PART - 1, PART, 4 * MIB - 1, 4 * MIB, 4 * MIB + 1, 8 * MIB + 77]),
)
rows = st.integers(0, 2)
steps = st.lists(
    st.one_of(
        st.tuples(st.just("write"), rows, shares, st.integers(1, 300_000)),
        st.tuples(st.just("write"), rows, shares, st.sampled_from([1, PART, 4 * MIB])),
        st.tuples(st.just("scatter"), rows, st.integers(1, 200)),
        st.tuples(st.just("fill"), rows, st.integers(0, 3)),
        st.tuples(st.just("append"), rows, st.integers(1, 300_000)),
        st.tuples(st.just("truncate"), rows, shares),
        st.tuples(st.just("roll"), rows, st.integers(1, 2 * PART)),
        st.tuples(st.just("swap"), rows, rows),
        st.tuples(st.just("kind"), rows, st.sampled_from(KINDS)),
        st.tuples(st.just("rename"), rows, st.sampled_from("abc")),
        st.tuples(st.just("new"), sizes, st.booleans()),
        st.tuples(st.just("drop"), rows),
        st.tuples(st.just("stream"), st.integers(0, 500_000), st.integers(0, 9)),
        st.tuples(st.just("save"), st.sampled_from(["commit", "begin", "save"])),
        st.tuples(st.just("save"), st.sampled_from(["commit", "begin", "save"])),
        st.tuples(st.just("reopen"), st.booleans()),
    ),
    max_size=24,
)


def edit(state: State, step: tuple[Any, ...]) -> None:
    """Do what *step* says to the arrays; nothing where there is none."""
    what, *rest = step
    if what == "stream":
        state.stream = NOISE[rest[1] * 1000 :][: rest[0]].tobytes()
        return
    if what == "new":
        array = NOISE[: rest[0]].copy() if rest[1] else np.zeros(rest[0], np.uint8)
        del state.arrays[2:]
        state.arrays.append(("abc"[len(state.arrays)], KINDS[0], array))
        return
    if not state.arrays:
        return
    row = rest[0] % len(state.arrays)
    path, kind, array = state.arrays[row]
    size = len(array)
    if what == "write":
        start = int(rest[1] * size)
        part = array[start : start + rest[2]]
        part += np.uint8(1)
    elif what == "scatter":
        array[:: max(1, size // rest[1])] += np.uint8(3)
    elif what == "fill":
        array[:] = rest[1]
    elif what == "append":
        array = np.concatenate([array, NOISE[size:][: rest[1]]])[:MOST]
    elif what == "truncate":
        array = array[: int(rest[1] * size)].copy()
    elif what == "roll":
        array = np.roll(array, rest[1])
    elif what == "kind":
        kind = rest[1]
    elif what == "rename":
        path = rest[1]
    state.arrays[row] = (path, kind, array)
    if what == "drop":
        del state.arrays[row]
    elif what == "swap":
        other = rest[1] % len(state.arrays)
        state.arrays[row], state.arrays[other] = state.arrays[other], state.arrays[row]


def save(store: Store, how: str, state: State, parent: Manifest | None) -> Manifest:
    if how == "commit":
        return store.commit(draft(), state.stream, state.buffers(), parent=parent)
    pending = getattr(store, how)(draft(), (state.stream,), state.buffers(), parent=parent)
    before = [array.copy() for _, _, array in state.arrays]
    for _, _, array in state.arrays:
        array += np.uint8(1)  # from now on the program may do what it likes
    made = pending.wait()
    for (_, _, array), old in zip(state.arrays, before, strict=True):
        array[:] = old
    return made


@pytest.mark.parametrize("memory", [4 * MIB, 256 * MIB])
@settings(max_examples=40, deadline=None)
@given(steps=steps)
def test_every_generation_of_any_history_is_read_back(tmp_path_factory, memory, steps):
    """Whatever changed, grew, moved or was renamed, with little memory or much."""
    folder = tmp_path_factory.mktemp("h")

    def opened() -> Store:
        return Store(
            folder,
            "x",
            fsync=False,
            compress="none",
            memory_bytes=memory,
            retention=Retention(keep=99),
        )

    store = opened()
    state = State([("a", KINDS[0], NOISE[: 5 * MIB + 5].copy())], b"stream")
    saved: dict[int, str] = {}
    parent: Manifest | None = None
    last = ""
    for step in [("save", "begin"), *steps, ("save", "begin"), ("save", "commit")]:
        if step[0] == "save":
            parent = save(store, step[1], state, parent)
            saved[parent.number] = state.mark()
            own = parent.body.size_bytes
            # as much again may be carried out of older bodies
            assert own <= 2 * state.size + 2 * MIB
            if last == saved[parent.number]:
                assert own <= MIB + len(state.stream) + state.size / 32 + 50_000
            last = saved[parent.number]
        elif step[0] == "reopen":
            store.unlock()
            store = opened()
            last = ""  # pieces that were changed in part are written again
            if step[1] and parent is not None:
                store.read(parent)
        else:
            edit(state, step)
            paths = {path for path, _, _ in state.arrays}
            if step[0] == "rename" or len(paths) < len(state.arrays):
                last = ""  # so are those whose name does not tell any more which they were

    assert store.verify() == []
    found = list(store.chain())
    assert [one.number for one in found] == sorted(saved, reverse=True)
    for manifest in found:
        assert mark_of(store.read(manifest)) == saved[manifest.number]
    store.unlock()


def mark_of(content: Content) -> str:
    return mark([content.stream, *content.buffers])
