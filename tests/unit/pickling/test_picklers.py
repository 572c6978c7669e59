"""A pickler that is kept between saves: it gives the same bytes, and holds no object."""

from __future__ import annotations

import collections
import functools
import gc
import os
import sys
import threading
import weakref
from dataclasses import dataclass

import numpy as np
import pytest
from there_and_back import fresh

from resume.pickling import Spare, decode, encode, picklers


@dataclass
class Sample:
    """Something that can be weakly referenced."""

    name: str
    weight: float


class Slotted:
    __slots__ = ("__weakref__", "value")

    def __init__(self, value):
        self.value = value


class Interrupts:
    """Ends a save as Ctrl-C does."""

    def __reduce__(self):
        raise KeyboardInterrupt


@pytest.fixture(autouse=True)
def keeps_all(monkeypatch):
    """Small states are kept for as well: the large ones of a real program take too long here."""
    monkeypatch.setattr(picklers, "WORTH_KEEPING", 0)


def state():
    """Anchors of every kind that a pickler treats in a way of its own, and much that they share."""
    shared = Sample("shared", 0.5)
    grid = np.arange(40_000.0)
    return {
        "table": {f"key-{n}": float(n) for n in range(2_000)},
        "samples": [Sample(f"s{n}", n / 7) for n in range(500)] + [shared],
        "numbers": {3, 1, 2},
        "groups": [{1, 2}, frozenset({3, 4}), shared],
        "bytes": bytearray(b"abc" * 30_000),
        "short": bytearray(b"abc"),
        "queue": collections.deque([1, shared], 5),
        "ordered": collections.OrderedDict(a=[1]),
        "default": collections.defaultdict(list, a=[shared]),
        "grid": grid,
        "window": grid[10:20],
        "slotted": Slotted([shared]),
        "empty_list": [],
        "empty_dict": {},
        "list_of_list": [list, (), [list]],
        "held_by_nothing": [(), ()],
    }


def encoded_by(spare, roots, **options):
    encoded = encode(roots, anchors=roots, spare=spare, **options)
    made = encoded.stream, [bytes(buffer.view) for buffer in encoded.buffers], encoded.sizes
    encoded.forget()
    return made


def kept(spare):
    return bool(spare._kept)


@pytest.mark.parametrize("sets", [True, False])
def test_a_kept_pickler_gives_the_bytes_that_a_fresh_one_gives(sets):
    """With and without the hook that sees sets, in any order of the two."""
    roots, spare = state(), Spare()
    expected = encoded_by(None, roots, sets=sets)

    for before in (True, False, sets):
        encoded_by(spare, roots, sets=before)
        assert kept(spare)
        assert expected == encoded_by(spare, roots, sets=sets)


def marked(mark):
    made = collections.OrderedDict.fromkeys(range(2_000), 0.5)
    made.mark = mark
    return made


HIDDEN = frozenset(range(0, 700, 7)) - frozenset(range(0, 600, 7))
PLACES = {
    "an item": lambda: [*range(2_000), HIDDEN],
    "an item of a deque": lambda: collections.deque([*range(2_000), HIDDEN]),
    "a key": lambda: {**dict.fromkeys(range(2_000)), HIDDEN: 1},
    "a value": lambda: {**dict.fromkeys(range(2_000)), "last": HIDDEN},
    "what a default comes from": lambda: collections.defaultdict(
        functools.partial(list, HIDDEN), dict.fromkeys(range(2_000), 0)
    ),
    "an attribute": lambda: marked(HIDDEN),
    "the root behind": lambda: [HIDDEN],
}


@pytest.mark.parametrize("place", PLACES)
def test_a_set_in_or_behind_a_long_container_is_seen(place):
    """No set is looked for in a long container of numbers: in this alone, and in nothing else."""
    roots = {"numbers": list(range(2_000)), "place": PLACES[place]()}

    encoded = encode(roots, anchors=roots)

    assert encoded.has_sets
    assert encoded.stream.count(b"frozen_set") == 1


@pytest.mark.parametrize(
    "numbers",
    [
        pytest.param(list(range(2_000)), id="list"),
        pytest.param(collections.deque("x" * 2_000), id="deque"),
        pytest.param({f"key-{n}": n / 7 for n in range(2_000)}, id="dict"),
    ],
)
def test_no_set_is_looked_for_among_many_numbers(numbers):
    """The hook for sets, a Python function, would take half as long again as all the pickling."""
    roots, asked = {"numbers": numbers}, collections.Counter()

    def count(frame, event, _):
        asked[frame.f_code.co_name] += event == "call"

    sys.setprofile(count)
    try:
        encoded = encode(roots, anchors=roots)
    finally:
        sys.setprofile(None)

    assert 0 < asked["persistent_id"] < 100
    assert numbers == decode(encoded.stream, []).values["numbers"]


def test_a_kept_pickler_forgets_the_state_before():
    """The same objects, changed, and others at the addresses of those that are gone."""
    spare = Spare()
    roots = state()
    encoded_by(spare, roots)
    roots["table"]["key-1"] = "another"
    roots["samples"] = [Sample("new", 1.0)]

    encoded = encode(roots, anchors=roots, spare=spare)
    values = decode(encoded.stream, fresh(encoded)).values

    assert "another" == values["table"]["key-1"]
    assert [Sample("new", 1.0)] == values["samples"]
    assert values["groups"][2] is values["queue"][1] is values["slotted"].value[0]


@pytest.mark.parametrize("sets", [True, False])
def test_nothing_of_the_state_is_held_between_two_saves(sets):
    gc.collect()
    gc.disable()
    try:
        roots, spare = state(), Spare()
        gone = [weakref.ref(roots["samples"][0]), weakref.ref(roots["slotted"])]
        gone += [weakref.ref(roots["numbers"]), weakref.ref(roots["grid"])]
        encoded = encode(roots, anchors=roots, spare=spare, sets=sets)

        encoded.forget()
        del roots, encoded

        assert kept(spare)
        assert [None] * 4 == [ref() for ref in gone]
    finally:
        gc.enable()


def test_what_was_captured_stays_when_its_pickler_goes_on():
    """A writer may still be at the first save when the second is captured."""
    spare = Spare()
    first = encode(state(), spare=spare)
    stream = first.stream
    first.forget()

    encoded_by(spare, {"another": [Sample("x", 1.0)]})

    assert stream == first.stream


def test_a_save_that_was_cut_short_leaves_no_pickler_behind():
    spare = Spare()
    roots = state()
    expected = encoded_by(spare, roots)

    with pytest.raises(KeyboardInterrupt):
        encode({"x": [Sample("a", 1.0), Interrupts()]}, spare=spare)

    assert not kept(spare)
    assert expected == encoded_by(spare, roots)


def test_a_root_that_fails_soils_no_later_save():
    spare = Spare()
    roots = state()
    expected = encoded_by(spare, roots)

    with open(os.devnull) as unsavable:
        encoded = encode({**roots, "bad": [Sample("a", 1.0), unsavable]}, spare=spare)
    assert ["bad"] == [skip.name for skip in encoded.skipped]
    encoded.forget()

    assert expected == encoded_by(spare, roots)


def test_two_saves_at_once_have_a_pickler_each():
    """Also two that are begun before either has ended, one amid the other."""
    spare, other = Spare(), {"x": [1.5] * 100}
    roots = state()
    expected = encoded_by(spare, roots)

    class Saves:
        def __reduce__(self):
            inside.append(encode(other, spare=spare).stream)
            return Sample, ("from within", 0.0)

    inside = []
    encoded = encode({"x": Saves()}, spare=spare)

    assert [encode(other).stream] == inside
    assert Sample("from within", 0.0) == decode(encoded.stream, fresh(encoded)).values["x"]
    encoded.forget()
    assert expected == encoded_by(spare, roots)


def test_threads_that_share_what_is_kept_do_not_get_in_each_others_way():
    spare = Spare()
    roots = [{"x": [Sample(f"{n}-{k}", n) for k in range(300)]} for n in range(4)]
    expected = [encoded_by(None, one) for one in roots]
    found = [[] for _ in roots]

    def save(number):
        found[number] = [encoded_by(spare, roots[number]) for _ in range(20)]

    threads = [threading.Thread(target=save, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert [[one] * 20 for one in expected] == found


def test_it_can_be_asked_what_is_shared():
    """The questions change the hooks and the memo; the save after them is as it was."""
    roots, spare = state(), Spare()
    expected = encoded_by(spare, roots)
    shared = roots["queue"][1]

    encoded = encode(roots, anchors=roots, spare=spare)
    assert encoded.holds(shared)
    assert encoded.holds(roots["empty_dict"])
    assert not encoded.holds([shared])
    assert encoded.shared_with_saved([[shared]]) == "samples"
    encoded.forget()

    assert expected == encoded_by(spare, roots)


def test_more_anchors_than_are_worth_noting_get_a_fresh_pickler(monkeypatch):
    roots, spare = state(), Spare()
    expected = encoded_by(spare, roots)
    monkeypatch.setattr(picklers, "MOST_NOTED", 0)

    assert expected == encoded_by(spare, roots)


def test_only_a_large_memo_is_kept_and_only_while_the_state_needs_it(monkeypatch):
    """A small one costs nothing to make; that of a state which has shrunk is given back."""
    many, few = {"x": [[n] for n in range(50_000)]}, {"x": [[1]]}
    spare = Spare()
    monkeypatch.setattr(picklers, "WORTH_KEEPING", 1 << 16)
    encoded_by(spare, few)
    assert not kept(spare)
    encoded_by(spare, many)
    assert kept(spare)

    encoded_by(spare, few)
    assert not kept(spare)

    monkeypatch.setattr(picklers, "MOST_KEPT", 1 << 16)
    encoded_by(spare, many)
    assert not kept(spare)
