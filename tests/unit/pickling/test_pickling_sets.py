"""Sets iterate in the order in which they were saved."""

from __future__ import annotations

import random
import sys
from itertools import islice

import pytest
from there_and_back import fresh

from resume.pickling import decode, encode
from resume.pickling.sets import _ways, table_size


def grown(rng, size):
    held = {rng.randrange(size * 20) for _ in range(size)}
    for item in rng.sample(sorted(held), size // 3):
        held.discard(item)
    return held | {rng.randrange(10**9) for _ in range(size // 4)}


@pytest.mark.parametrize("size", [3, 8, 30, 200, 1_000])
@pytest.mark.parametrize("kind", [set, frozenset])
def test_order_and_table_come_back(size, kind):
    """Sets that grew, shrank and merged: of 60, all but one or two; the others are counted."""
    rng = random.Random(size)
    held = [kind(grown(rng, size)) if kind is frozenset else grown(rng, size) for _ in range(60)]
    encoded = encode({"held": held})

    decoded = decode(encoded.stream, [])

    wrong = [a for a, b in zip(held, decoded.values["held"], strict=True) if list(a) != list(b)]
    assert held == decoded.values["held"]
    assert len(wrong) == decoded.unordered_sets <= 2
    assert encoded.has_sets
    assert 0 == encoded.unordered_sets


def test_the_table_of_a_set_has_the_same_size(again):
    """So that the next items lie where they would have lain."""
    held = {n * 7 for n in range(1000)} - {n * 7 for n in range(300, 1000)}

    made = again(held=held)["held"]

    assert sys.getsizeof(held) == sys.getsizeof(made)
    assert list(held) == list(made)


def test_a_set_is_one_object(again):
    held, frozen = {1}, frozenset([2])

    values = again(a=[held, frozen], b={"s": held, "f": frozen})

    assert values["a"][0] is values["b"]["s"]
    assert values["a"][1] is values["b"]["f"]


class Node:
    pass


def test_a_set_in_a_circle(again):
    node = Node()
    node.all = {node}
    node.frozen = frozenset([node])

    made = again(node=node)["node"]

    assert [made] == list(made.all) == list(made.frozen)


def test_sets_of_text_are_counted():
    """Text hashes otherwise in the next process, so its order cannot be kept."""
    encoded = encode({"a": {"x", "y"}, "b": {1, 2.5, (1, 2)}, "c": {("x", 1)}, "d": {Node()}})

    assert (2 if sys.flags.hash_randomization else 0) + 1 == encoded.unordered_sets


@pytest.mark.parametrize("anchored", [False, True])
def test_without_the_hook_sets_are_plain(anchored):
    roots = {"a": {1, 2}, "b": [frozenset([3])]}
    encoded = encode(roots, anchors=roots if anchored else {}, sets=False)

    assert roots == decode(encoded.stream, fresh(encoded)).values


def test_a_subclass_of_set_is_an_object_of_its_own(again):
    made = again(kind=Special([1, 2]))["kind"]

    assert (Special, {1, 2}) == (type(made), set(made))


class Special(set):
    pass


def test_near_places_suffice_for_sets_of_random_numbers():
    """The far ones take eight times as long, for nearly half of such sets."""
    dice = random.Random(0)
    for count in (5, 10, 15, 30, 100):
        for _ in range(20):
            saved = set(dice.sample(range(1 << 40), count))
            items, size, made = list(saved), table_size(saved), set()

            tried = []
            for way in islice(_ways(made, items, size), 4):
                made.clear()
                way()
                tried.append((list(made), table_size(made)))

            assert (items, size) in tried


def test_unions_of_frozensets_come_back(again):
    """A union has a table that no copy of so many items has."""
    wrong, union = 0, frozenset()
    for number in range(200):
        union |= {number * 37 % 101, number * 1009}
        if len(union) > 40:
            union = frozenset(list(union)[:5])
        wrong += list(again(union=union)["union"]) != list(union)

    assert wrong <= 2
