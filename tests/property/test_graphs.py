"""Random graphs, there and back: equal, with the same objects shared."""

# ruff: noqa: PD011 - these `values` are no data frame's

from __future__ import annotations

import collections
import dataclasses
import enum
import random
from typing import NamedTuple

import numpy as np
import pandas as pd
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from same_graph import assert_same_graph

from resume.pickling import can_anchor, decode, encode


@dataclasses.dataclass
class Record:
    left: object
    right: object = None


class Slotted:
    __slots__ = ("left", "right")

    def __init__(self, left):
        self.left = left


@dataclasses.dataclass(frozen=True, slots=True)
class Frozen:
    left: object


class Colour(enum.Enum):
    RED = 1


class MyList(list):
    pass


class MyDict(dict):
    pass


class Pair(NamedTuple):
    left: object
    right: object


def counters(shared):
    count = 0

    def add(n=1):
        nonlocal count
        count += n
        shared_list.append(n)
        return count

    def read(*, scale=shared):
        return count, shared_list, add

    shared_list = [shared]
    return add, read


def holding(held):
    return lambda: held


def memory(draw, size):
    array = np.arange(size * 3, dtype=draw(st.sampled_from(["<f8", "<i2", ">i4", "<c16", "|u1"])))
    return array.reshape(draw(st.sampled_from([(3, size), (size, 3), (-1,)])))


def view(draw, array):
    if array.ndim == 0 or array.size < 2:
        return array.T
    return draw(
        st.sampled_from(
            [
                lambda a: a[1:],
                lambda a: a[::-1],
                lambda a: a.T,
                lambda a: a[..., :1],
                lambda a: np.broadcast_to(a, (2, *a.shape)),
                lambda a: a[::2],
                lambda a: np.lib.stride_tricks.sliding_window_view(a, 1, axis=0),
            ]
        )
    )(array)


@st.composite
def graphs(draw):
    """A few names for objects that refer to one another."""
    nodes = [1, 2.5, "text", None, b"x" * 10]
    lists = []

    def any_node():
        return nodes[draw(st.integers(0, len(nodes) - 1))]

    def one_of(kind, make):
        known = [n for n in nodes if isinstance(n, kind)]
        return known[draw(st.integers(0, len(known) - 1))] if known else make()

    def hashable():
        return draw(
            st.one_of(st.integers(-(10**12), 10**12), st.tuples(st.integers(), st.integers()))
        )

    def items():
        return [hashable() for _ in range(draw(st.integers(0, 30)))]

    def writable(array):
        array.setflags(write=False)
        return array

    makers = {
        "list": lambda: [any_node() for _ in range(draw(st.integers(0, 4)))],
        "my list": lambda: MyList([any_node()]),
        "tuple": lambda: (any_node(), any_node()),
        "dict": lambda: {draw(st.integers()): any_node(), "k": any_node(), (1, 2): any_node()},
        "my dict": lambda: MyDict(a=any_node()),
        "ordered": lambda: collections.OrderedDict([("z", any_node()), ("a", any_node())]),
        "default": lambda: collections.defaultdict(list, {1: any_node()}),
        "counter": lambda: collections.Counter("hello"),
        "deque": lambda: collections.deque([any_node()], maxlen=draw(st.sampled_from([None, 5]))),
        "set": lambda: set(items()),
        "frozenset": lambda: frozenset(items()),
        "record": lambda: Record(any_node(), any_node()),
        "slotted": lambda: Slotted(any_node()),
        "frozen": lambda: Frozen(any_node()),
        "pair": lambda: Pair(any_node(), any_node()),
        "enum": lambda: Colour.RED,
        "bytes": lambda: bytes([draw(st.integers(0, 255))]) * 70_000,
        "bytearray": lambda: bytearray(draw(st.sampled_from([24, 99_992]))),
        "array": lambda: memory(draw, draw(st.sampled_from([2, 30_000]))),
        "fortran": lambda: np.asfortranarray(memory(draw, 4)),
        "objects": lambda: np.array([any_node(), [any_node()], None], dtype=object),
        "locked": lambda: writable(memory(draw, 3).copy()),
        "view": lambda: view(draw, one_of(np.ndarray, lambda: memory(draw, 5))),
        "locked view": lambda: writable(view(draw, one_of(np.ndarray, lambda: memory(draw, 5)))),
        "array of bytes": lambda: np.frombuffer(one_of(bytearray, lambda: bytearray(16)), "<i2"),
        "window": lambda: memoryview(one_of(bytearray, lambda: bytearray(16)))[2:10:2],
        "cast": lambda: memoryview(one_of(bytearray, lambda: bytearray(16))).cast("i")[1:],
        "numpy rng": lambda: np.random.default_rng(draw(st.integers(0, 99))),
        "same bits": lambda: np.random.Generator(
            one_of(np.random.Generator, lambda: np.random.default_rng(1)).bit_generator
        ),
        "rng": lambda: random.Random(draw(st.integers())),
        "method": lambda: one_of(random.Random, lambda: random.Random(1)).random,
        "closures": lambda: counters(any_node()),
        "lambda": lambda: holding(any_node()),
        "frame": lambda: pd.DataFrame({"a": [1, 2], "b": ["x", None], "c": [0.5, np.nan]}),
    }
    for _ in range(draw(st.integers(1, 14))):
        node = makers[draw(st.sampled_from(sorted(makers)))]()
        nodes.append(node)
        if type(node) is list:
            lists.append(node)
    for held in lists:  # circles
        if draw(st.booleans()):
            held.append(any_node())
    return {f"name {i}": any_node() for i in range(draw(st.integers(1, 6)))}


def fresh(encoded):
    return [memoryview(bytearray(buffer.view)) for buffer in encoded.buffers]


SLOWLY = settings(
    deadline=None,
    max_examples=120,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


@SLOWLY
@given(graphs())
def test_a_graph_comes_back(roots):
    """Decoded equals encoded, shared references included."""
    encoded = encode(roots)

    decoded = decode(encoded.stream, fresh(encoded))

    assert () == encoded.skipped
    assert_same_graph(roots, decoded.values, ordered_sets=not decoded.unordered_sets)


@SLOWLY
@given(graphs())
def test_what_came_back_comes_back_again(roots):
    """A second save of restored objects is as good as the first."""
    first = encode(roots)
    once = decode(first.stream, fresh(first)).values
    encoded = encode(once)

    decoded = decode(encoded.stream, fresh(encoded))

    assert_same_graph(roots, decoded.values, ordered_sets=False)


@SLOWLY
@given(graphs(), st.booleans())
def test_anchored_objects_come_back_in_place(roots, shallow):
    """Decoding twice fills the objects of the first time, which stay the same objects."""
    anchors = {name: value for name, value in roots.items() if can_anchor(value)}
    encoded = encode(roots, anchors=anchors, shallow=list(anchors) if shallow else [])
    first = decode(encoded.stream, fresh(encoded))
    before = {name: first.values[name] for name in anchors}
    assert_same_graph(roots, first.values, ordered_sets=not first.unordered_sets)

    second = decode(encoded.stream, fresh(encoded), anchored=first.anchored)

    assert () == encoded.skipped
    assert all(second.values[name] is value for name, value in before.items())
    assert_same_graph(roots, second.values, ordered_sets=not second.unordered_sets)


@SLOWLY
@given(graphs())
def test_living_objects_are_filled(roots):
    """Anchors whose living objects are the very saved ones come back as they were."""
    anchors = {name: value for name, value in roots.items() if can_anchor(value)}
    encoded = encode(roots, anchors=anchors)
    like = encode(roots)
    copy = decode(like.stream, fresh(like)).values

    decoded = decode(encoded.stream, fresh(encoded), live=anchors)

    assert all(decoded.values[name] is value for name, value in anchors.items())
    assert_same_graph(copy, decoded.values, ordered_sets=False)


@settings(deadline=None, max_examples=300)
@given(st.lists(st.integers(-(2**70), 2**70)), st.lists(st.integers(0, 200)), st.integers(1, 7))
def test_sets_of_numbers_keep_their_order(some, small, step):
    """A set that has grown and shrunk iterates in the same order again."""
    held = set(some) | set(small)
    held -= set(small[::step])
    held |= {n * 8 for n in small}
    encoded = encode({"held": held, "frozen": frozenset(held)})

    decoded = decode(encoded.stream, [])

    assert list(held) == list(decoded.values["held"]) or decoded.unordered_sets
    assert held == decoded.values["held"]
    assert encoded.unordered_sets == 0
