"""Objects that keep their identity: filled in place, their parts too."""

from __future__ import annotations

import collections
import queue
import random
import threading
from dataclasses import dataclass

import numpy as np
import pytest
from there_and_back import fresh

from resume.errors import RestoreError
from resume.pickling import DecodeProblem, can_anchor, decode, encode


class Holder:
    def __init__(self, **held):
        self.__dict__.update(held)


class Slotted:
    __slots__ = ("x", "y")


@dataclass(frozen=True)
class Frozen:
    x: list


class WithState:
    def __init__(self, x):
        self.x = x
        self.cache = "mine"

    def __getstate__(self):
        return {"x": self.x}


class Refuses(Holder):
    def __setstate__(self, state):
        raise ValueError("no")


def slotted(x):
    made = Slotted()
    made.x = x
    return made


def generator(seed):
    made = random.Random(seed)
    made.random()
    return made


SAME_IN_PLACE = {
    "list": ([1, 2], [3]),
    "dict": ({"b": 1, "a": 2}, {"c": 3}),
    "set": ({1, 2}, {3}),
    "bytearray": (bytearray(b"abc"), bytearray(b"longer than that")),
    "deque": (collections.deque([1], 5), collections.deque([2, 3], 5)),
    "ordered": (collections.OrderedDict(b=1, a=2), collections.OrderedDict(a=1)),
    "default": (collections.defaultdict(list, {1: [2]}), collections.defaultdict(None)),
    "counter": (collections.Counter("aab"), collections.Counter("zz")),
    "array": (np.arange(3.0), np.zeros(3)),
    "large": (np.arange(30_000.0), np.zeros(30_000)),
    "objects": (np.array([1, "a"], dtype=object), np.array([None, None], dtype=object)),
}


@pytest.mark.parametrize("what", SAME_IN_PLACE)
def test_the_living_object_is_filled(what):
    """Others that hold it see the saved contents."""
    saved, living = SAME_IN_PLACE[what]
    encoded = encode({"x": saved, "y": [saved]}, anchors={"x": saved})

    values = decode(encoded.stream, fresh(encoded), live={"x": living}).values

    assert values["x"] is living
    assert values["y"][0] is living
    assert repr(saved) == repr(living)


def test_an_object_and_its_parts_are_filled():
    """What lies inside, and others hold too, stays the same object, found by its way."""
    saved = Holder(layers=[Holder(w=np.ones(3)), Holder(w=np.zeros(3))], n=5, pair=([1],))
    saved.me = saved
    living = Holder(layers=[Holder(w=np.zeros(3)), Holder(w=np.ones(3))], pair=([],), gone=1)
    first, weights, item = living.layers[0], living.layers[0].w, living.pair[0]
    encoded = encode({"w": saved.layers[0].w}, anchors={"self": saved})

    values = decode(encoded.stream, fresh(encoded), live={"self": living}).values

    assert living.layers[0] is first
    assert values["w"] is first.w is weights
    assert weights.tolist() == [1, 1, 1]
    assert living.me is living
    assert living.pair[0] is item
    assert item == [1]
    assert (5, False) == (living.n, hasattr(living, "gone"))


def test_slots_frozen_and_own_state():
    """Slots that were empty are empty; frozen is filled; what __getstate__ hides stays."""
    roots = {"a": slotted(1), "b": Frozen([1]), "c": WithState(1)}
    live = {"a": slotted(2), "b": Frozen([2]), "c": WithState(2)}
    live["a"].y = 3
    live["c"].cache = "still mine"
    encoded = encode({}, anchors=roots)

    decode(encoded.stream, [], live=live)

    assert (1, False) == (live["a"].x, hasattr(live["a"], "y"))
    assert [1] == live["b"].x
    assert (1, "still mine") == (live["c"].x, live["c"].cache)


@pytest.mark.parametrize("make", [np.random.default_rng, np.random.RandomState, generator])
def test_generators_go_on_in_place(make):
    saved, living = make(1), make(2)
    encoded = encode({"rng": saved}, anchors={"rng": saved})
    expected = [saved.random() for _ in range(3)]

    values = decode(encoded.stream, [], live={"rng": living}).values

    assert values["rng"] is living
    assert expected == [living.random() for _ in range(3)]


@pytest.mark.parametrize("shallow", [[], ["rng", "other"]])
def test_blank_generators_share_their_bits(shallow):
    """Without a living object as well, two generators over one source of bits stay so."""
    rng = np.random.default_rng(1)
    other = np.random.Generator(rng.bit_generator)
    roots = {"rng": rng, "other": other}
    encoded = encode(roots, anchors=roots, shallow=shallow)
    expected = [rng.random(), other.random(), rng.random()]

    values = decode(encoded.stream, []).values

    one, two = values["rng"], values["other"]
    assert expected == [one.random(), two.random(), one.random()]


def test_a_lock_that_somebody_may_wait_for_stays():
    """A queue that a worker of the caller reads is filled, its locks are the living ones."""
    saved, living = queue.Queue(), queue.Queue()
    saved.put("job")
    lock = living.mutex
    encoded = encode({}, anchors={"jobs": saved})

    decode(encoded.stream, [], live={"jobs": living})

    assert living.mutex is lock
    assert living.not_empty._lock is lock
    assert "job" == living.get(timeout=1)


def test_without_a_living_object_locks_are_fresh_and_still_one():
    jobs = queue.Queue()
    with jobs.mutex:
        encoded = encode({"jobs": jobs}, anchors={"jobs": jobs})

    made = decode(encoded.stream, []).values["jobs"]

    assert made.not_empty._lock is made.mutex
    assert made.mutex.acquire(blocking=False)


def test_another_shape_is_made_anew():
    """An array that does not fit is not filled: the variable gets one that does."""
    encoded = encode({}, anchors={"x": np.arange(4)})
    living = np.zeros(3, dtype=int)

    values = decode(encoded.stream, [], live={"x": living}).values

    assert [0, 1, 2, 3] == values["x"].tolist()
    assert [0, 0, 0] == living.tolist()


def test_a_living_copy_is_no_view():
    """Where the view has become an array of its own, it is a view again, and not the old one."""
    saved = Holder(base=np.arange(4))
    saved.view = saved.base[1:]
    living = Holder(base=np.zeros(4, dtype=int), view=np.zeros(3, dtype=int))
    base = living.base
    encoded = encode({}, anchors={"self": saved})

    decode(encoded.stream, [], live={"self": living})

    assert living.base is base
    assert [1, 2, 3] == living.view.tolist()
    assert np.shares_memory(living.base, living.view)


def test_two_saved_objects_cannot_be_one_living():
    encoded = encode({}, anchors={"pool": [1], "table": [2]})
    living = [0]

    with pytest.raises(RestoreError, match="pool and table were two objects"):
        decode(encoded.stream, [], live={"pool": living, "table": living})

    assert [0] == living


def test_one_saved_object_cannot_be_two_living():
    saved = [1]
    encoded = encode({}, anchors={"pool": saved, "table": saved})

    with pytest.raises(RestoreError, match="pool and table were one object"):
        decode(encoded.stream, [], live={"pool": [], "table": []})


def test_a_failing_decode_touches_nothing(monkeypatch):
    """The living objects are filled after all else has gone well."""
    encoded = encode({"bad": Refuses(x=1)}, anchors={"items": [1], "room": bytearray(5)})
    live = {"items": [0], "room": bytearray(b"old")}

    with pytest.raises(DecodeProblem):
        decode(encoded.stream, [], live=live)

    assert {"items": [0], "room": bytearray(b"old")} == live


def test_an_anchor_whose_contents_fail_is_left_out_by_its_root():
    holder = Holder(parts=[Holder(deep=(n for n in "abc"))])
    encoded = encode({"x": 1, "y": [holder]}, anchors={"self": holder, "items": [1]})

    values = decode(encoded.stream, []).values

    assert {"self", "y"} == {skip.name for skip in encoded.skipped}
    paths = {skip.name: skip.path for skip in encoded.skipped}
    assert "self.parts[0].deep" == paths["self"]
    assert {"x": 1, "items": [1]} == values


def test_values_that_never_change_are_plain_roots():
    encoded = encode({}, anchors={"n": 5, "t": ([1], 2), "s": "text", "f": len})

    values = decode(encoded.stream, []).values

    assert {"n": 5, "t": ([1], 2), "s": "text", "f": len} == values
    assert [False] * 4 == [can_anchor(thing) for thing in (5, (1,), "text", len)]


def test_an_object_of_a_local_class_has_one_class():
    """Made blank or met in the graph: all instances of a local class are of one class."""

    class Local:
        def double(self):
            return self.x * 2

    one, two = Local(), Local()
    one.x, two.x = 1, 2
    encoded = encode({"one": one, "more": (two,), "kind": Local}, anchors={"one": one})

    values = decode(encoded.stream, []).values

    assert type(values["one"]) is type(values["more"][0]) is values["kind"]
    assert (2, 4) == (values["one"].double(), values["more"][0].double())


def test_what_is_only_referred_to_is_the_living_object():
    data = np.arange(50_000)
    batch = data[10:20]
    encoded = encode({"batch": batch, "x": [data]}, externals={"data": data, "unused": [1]})
    assert () == encoded.buffers
    here = data.copy()

    values = decode(encoded.stream, [], externals={"data": here}).values

    assert values["x"][0] is here
    assert np.shares_memory(here, values["batch"])


def test_what_is_referred_to_and_missing_is_an_error():
    data = [1]
    encoded = encode({"x": [data]}, externals={"data": data})

    with pytest.raises(RestoreError, match="refers to data"):
        decode(encoded.stream, [])


def test_untouched_anchors_are_referred_to_as_they_are():
    saved, living = [1], [2]
    encoded = encode({"y": [saved]}, anchors={"x": saved})

    values = decode(encoded.stream, [], live={"x": living}, untouched=["x"]).values

    assert values["y"][0] is living
    assert [2] == living


def test_the_library_s_own_is_a_slot():
    class Handle:
        def __reduce__(self):
            raise AssertionError

    handle, other = Handle(), Handle()
    encoded = encode({"x": [handle, {"k": handle}]}, own={"checkpoint": handle})

    values = decode(encoded.stream, [], own={"checkpoint": other}).values

    assert values["x"][0] is values["x"][1]["k"] is other
    with pytest.raises(DecodeProblem, match="checkpoint"):
        decode(encoded.stream, [])


def test_large_blank_arrays_lie_in_the_given_memory():
    """No second copy of a large array at a restore without a living one."""
    encoded = encode({"x": 1}, anchors={"a": np.arange(30_000.0)})
    (buffer,) = fresh(encoded)

    values = decode(encoded.stream, [buffer]).values

    assert np.shares_memory(values["a"], np.frombuffer(buffer, np.uint8))


def test_interpreter_namespaces_go_by_reference(again):
    """`globals()` of the program, `sys.modules` and builtins are never copied."""
    import builtins
    import sys

    values = again(b=vars(builtins), m=sys.modules, g=vars(sys.modules["__main__"]))

    assert values["b"] is vars(builtins)
    assert values["m"] is sys.modules
    assert values["g"] is vars(sys.modules["__main__"])


def test_a_dead_thread_pool_s_lock_does_not_hurt(again):
    held = Holder(lock=threading.RLock(), n=1)

    values = again({"anchors": {"held": held}}, held=held)

    assert values["held"].lock.acquire(blocking=False)
