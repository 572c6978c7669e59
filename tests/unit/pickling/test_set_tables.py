"""A set is filled as another was: its order, and where later items lie and `pop` goes on."""

from __future__ import annotations

import random
from array import array

import pytest

from resume.frames import tables
from resume.pickling import decode, encode
from resume.pickling.session import Rebuild
from resume.pickling.set_tables import frozen
from resume.pickling.sets import SetRecord, fill, frozen_set, table_size


def changed(held, rng, size):
    """Do something to *held*, and return what was taken out."""
    what = rng.randrange(7)
    if what < 3:
        held.update([rng.randrange(size * 20) for _ in range(rng.randrange(size))])
    elif what == 3:
        for item in rng.sample(sorted(held), len(held) // 3):
            held.discard(item)
    elif what == 4:
        return [held.pop() for _ in range(rng.randrange(len(held) // 2 + 1))]
    elif what == 5:
        held -= {item for item in held if item % 5 == 0}
    else:
        held |= {rng.randrange(10**9) for _ in range(size // 4)}
    return []


@pytest.mark.parametrize("size", [3, 8, 30, 200, 1_000])
def test_it_goes_on_as_the_first_would(size):
    """Whatever was done to it, and is done to both from then on."""
    rng = random.Random(size)
    for _ in range(40):
        held = set()
        for _ in range(rng.randrange(12)):
            changed(held, rng, size)

        made = set()
        assert fill(made, list(held), tables.layout(held))

        assert tables.layout(held) == tables.layout(made)
        seed = rng.random()
        later = [random.Random(seed), random.Random(seed)]
        for _ in range(6):
            assert changed(held, later[0], size) == changed(made, later[1], size)
            assert list(held) == list(made)


@pytest.mark.parametrize("ways", [("|",), ("|", "-"), ("|", "&"), ("|", "^"), ("|", "-", "new")])
def test_a_frozenset_is_as_the_first_was(ways):
    """Whatever it was made by; of a hundred and fifty, all but a few."""
    rng = random.Random(str(ways))
    held, wrong = frozenset(), 0
    for _ in range(150):
        other = {rng.randrange(2000) for _ in range(rng.randrange(4))}
        match rng.choice(ways):
            case "|":
                held |= other
            case "-":
                held -= other
            case "&":
                held &= {each for each in held if each % 23}
            case "^":
                held ^= other
            case _:
                held = frozenset(list(held))
        rebuild = Rebuild()
        made = frozen_set(rebuild, list(held), tables.layout(held))
        assert held == made
        assert (list(held) != list(made)) == rebuild.unordered
        wrong += rebuild.unordered

    assert wrong <= 3


def test_a_frozenset_with_no_item_at_home():
    """The half of its table that no copy fills cannot come by a union."""
    items = list(range(16))
    away = array("i", range(16)).tobytes()

    assert frozen(items, (32, 0, away, array("i", range(1, 17)).tobytes(), b"")) is None


def test_a_set_that_is_there_is_filled_in_place():
    """Wherever its `pop` stood."""
    held = set(range(20))
    held.difference_update([held.pop(), held.pop(), 7])
    there = set(range(100, 120))
    there.pop()

    assert fill(there, list(held), tables.layout(held))

    assert tables.layout(held) == tables.layout(there)


def test_all_of_a_table_is_in_the_stream():
    """Where somebody tells it; as a root, too, and for frozensets not at all."""
    held = set(range(30))
    held.difference_update([held.pop() for _ in range(9)])

    def look(kind):
        return (lambda _session, thing: tables.layout(thing)) if kind is SetRecord else None

    encoded = encode({"held": held, "all": [held, {1, 9}, frozenset(held)]}, look=look)
    decoded = decode(encoded.stream, [])

    assert decoded.unordered_sets == 0
    assert decoded.values["held"] is decoded.values["all"][0]
    for there, made in zip([held, {1, 9}], decoded.values["all"], strict=False):
        assert tables.layout(there) == tables.layout(made)


class Elsewhere:
    """Hashes otherwise in the process that goes on."""

    number = 5

    def __hash__(self):
        return self.number


def test_items_that_hash_otherwise_are_counted(monkeypatch):
    items = [Elsewhere(), 1, 9, 17]
    held = set(items)
    told, order = tables.layout(held), list(held)
    monkeypatch.setattr(Elsewhere, "number", 0)
    made = set()

    assert not fill(made, order, told)

    assert set(map(id, held)) == set(map(id, made))


def test_a_table_that_cannot_be_is_no_error():
    """The state says what no set can be: its items are there all the same."""
    size, finger, *_ = tables.layout({1, 2})
    made = set()

    assert not fill(made, [1, 2], (size * 64, finger, b"", b"", b""))

    assert made == {1, 2}


@pytest.mark.parametrize("count", [0, 1, 5, 18, 19, 77, 3000])
def test_the_layout_tells_its_size(count):
    held = set(range(0, 7 * count, 7))

    assert table_size(held) == tables.layout(held)[0]


def test_a_large_table_is_not_told():
    assert tables.layout(set(range(70_000))) is None


def test_a_finger_far_beyond_the_table_comes_around():
    """`pop` had stopped in a table that has shrunk since."""
    held = set(range(2000))
    for _ in range(1500):
        held.pop()
    held.difference_update(range(1500, 1998))
    made = set()

    assert fill(made, list(held), tables.layout(held))

    assert [made.pop(), made.pop()] == [held.pop(), held.pop()]


def test_an_interpreter_with_other_sets_tells_none(monkeypatch):
    monkeypatch.setattr(tables, "IS_KNOWN", False)

    assert tables.layout({1}) is None


def test_other_bytes_are_not_taken_for_a_table(monkeypatch):
    """Before any set of the program is looked at, one that is known is."""
    assert tables.IS_KNOWN
    monkeypatch.setattr(tables, "_START", tables._START + 8)

    assert not tables._is_known()
