"""The iterators of loops go on where they stood, as values or counted."""

from __future__ import annotations

import array
import collections
import gc
import itertools
import random
import re
import sys
import weakref

import numpy as np
import pytest
from pieces import carried, load

from resume.errors import RestoreError
from resume.pickling import decode, encode
from resume.reentry import iterators
from resume.reentry.iterators import SAVABLE, Counted, Iteration, again, has_recipe
from resume.reentry.program import Program


class Bag:
    """A sequence by its items only."""

    def __init__(self, *items):
        self.items = items

    def __getitem__(self, index):
        return self.items[index]


def iterate(value):
    return Iteration(Program()).iterate(value)


def foreign(items):
    yield from items


SAMPLES = [
    [1, 2, 3, 4],
    (1, 2, 3, 4),
    "abcd",
    "\xe9bcd",
    b"abcd",
    bytearray(b"abcd"),
    {1: "a", 2: "b", 3: "c"},
    {1: "a", 2: "b", 3: "c"}.values(),
    {1: "a", 2: "b", 3: "c"}.items(),
    {5, 6, 7},
    frozenset({5, 6, 7}),
    range(5),
    range(1 << 65, (1 << 65) + 4),
    array.array("i", [1, 2, 3]),
    np.arange(4),
    collections.deque([1, 2, 3]),
    collections.Counter("abca"),
    collections.defaultdict(int, {1: 2, 2: 3}),
]


@pytest.mark.parametrize("source", SAMPLES, ids=lambda source: type(source).__name__)
def test_what_is_looped_over_directly_goes_on_behind_what_was_taken(source):
    """A type in `SAVABLE` needs no look at the value: its iterator is a value of the state."""
    assert type(source) in SAVABLE
    walk, rest = iter(source), list(source)[2:]
    next(walk), next(walk)

    found = carried({"walk": walk, "source": source})["walk"]

    assert rest == list(found)


@pytest.mark.parametrize(
    "make",
    [
        lambda: zip([1, 2, 3], "abc", strict=True),
        lambda: enumerate(zip([1, 2, 3], "abc"), 7),
        lambda: map(str, [1, 2, 3]),
        lambda: filter(None, [1, 0, 2, 3]),
        lambda: reversed([1, 2, 3]),
        lambda: reversed(range(4)),
        lambda: Bag(1, 2, 3),
        lambda: iter([1, 2, 3].pop, 1),
    ],
)
def test_built_in_iterators_over_values_are_values(make):
    walk = iterate(make())
    assert not isinstance(walk, Counted)
    expected = list(make())[1:]
    next(iter(walk))

    assert expected == list(carried({"walk": walk})["walk"])


def itertools_with_recipe():
    return itertools.chain([1, 2], itertools.islice("abcdef", 1, 4))


@pytest.mark.skipif(
    not has_recipe(itertools.chain), reason="itertools have no recipe any more: they are counted"
)
def test_itertools_that_can_be_saved_are_values():
    walk = iterate(itertools_with_recipe())
    next(walk), next(walk), next(walk)

    assert ["c", "d"] == list(carried({"walk": walk})["walk"])


def test_the_recipe_is_asked_for_not_the_version():
    """`pairwise` has none anywhere; what has lost its own would count like it."""
    assert not has_recipe(itertools.pairwise)
    assert not has_recipe(type(iter(memoryview(b""))))
    assert has_recipe(type(iter([])))
    assert not has_recipe(type(iter(collections.OrderedDict())))
    assert not has_recipe(Bag)


@pytest.mark.parametrize(
    "make",
    [
        lambda: itertools.pairwise("abcdef"),
        lambda: foreign("abcdef"),
        lambda: enumerate(foreign("abcdef")),
        lambda: zip(foreign("abcdef"), [1, 2, 3, 4, 5, 6]),
        lambda: collections.OrderedDict.fromkeys("abcdef"),
        lambda: memoryview(b"abcdef"),
        lambda: re.finditer("[a-f]", "abcdef"),
        lambda: itertools.chain(foreign("ab"), "cdef"),
    ],
)
def test_what_cannot_be_saved_is_counted_and_made_again(make):
    walk = iterate(make())
    expected = [str(item)[-60:] for item in make()]
    taken = [next(walk), next(walk)]

    saved = carried({"walk": walk})["walk"]
    found = again(saved, make())

    assert isinstance(walk, Counted)
    assert 2 == saved.taken
    # matches have no ==
    assert [item[-20:] for item in expected[2:]] == [str(item)[-20:] for item in found]


def test_a_counted_iterator_can_be_saved_again_and_again():
    walk = iterate(foreign("abcdef"))
    next(walk)
    walk = again(carried({"walk": walk})["walk"], foreign("abcdef"))
    next(walk)
    walk = again(carried({"walk": walk})["walk"], foreign("abcdef"))

    assert list("cdef") == list(walk)
    assert 6 == walk.taken


def test_a_counted_iterator_shows_no_frame_and_keeps_no_item():
    """It is all C: tracebacks are the program's, and an item ends when the program drops it."""

    class Item:
        pass

    def broken():
        yield Item()
        raise ValueError("from inside")

    walk = iterate(broken())
    item = weakref.ref(next(walk))
    gc.collect()
    assert item() is None
    with pytest.raises(ValueError, match="from inside") as caught:
        next(walk)

    assert [__file__, __file__] == [str(entry.path) for entry in caught.traceback]


def test_items_drawn_at_random_are_drawn_again_and_the_numbers_behind_stay():
    """The source is made under the random state of the loop's start; then the saved one is back."""

    def draws():
        for _ in range(4):
            yield random.random()

    random.seed(3)
    expected = list(draws())
    random.seed(3)
    walk = iterate(draws())
    assert expected[:2] == [next(walk), next(walk)]
    saved = carried({"walk": walk})["walk"]
    random.seed(99)  # the program has drawn for itself since
    state = random.getstate()

    found = again(saved, draws())

    assert state == random.getstate()
    assert 2 == found.taken
    assert 2 == len(list(found))


def test_what_an_iterable_draws_for_its_iterator_is_drawn_again():
    """A loader shuffles when it is asked for its iterator: the state before that counts."""
    random.seed(4)
    walk = iterate(Loader())
    taken = next(walk)
    saved = carried({"walk": walk})["walk"]
    rest = list(walk)
    random.seed(5)

    assert rest == list(again(saved, Loader()))


def test_fewer_items_than_were_taken_are_told():
    walk = iterate(foreign("abc"))
    next(walk), next(walk)
    state = random.getstate()

    with pytest.raises(RestoreError, match=r"taken 2 items.*only 1 now"):
        again(carried({"walk": walk})["walk"], foreign("a"))

    assert state == random.getstate()


def test_what_has_no_iterator_is_given_back():
    assert 3 == iterate(3)
    assert "'int' object is not iterable" in str(raised_by(lambda: [None for _ in iterate(3)]))


def raised_by(act):
    try:
        act()
    except TypeError as error:
        return error
    return None


@pytest.mark.parametrize("mode", ["r", "rb", "r+b"])
def test_a_file_tells_where_it_is_while_it_is_looped_over(tmp_path, mode):
    path = tmp_path / "lines"
    path.write_bytes(b"one\ntwo\nthree\n")

    with open(path, mode) as file:
        walk = iterate(file)
        next(walk)

        assert 4 == file.tell()
        assert ["two\n", "three\n"] == [str(x if mode == "r" else x.decode()) for x in walk]


def test_a_file_that_is_not_buffered_is_read_by_lines(tmp_path):
    path = tmp_path / "lines"
    path.write_bytes(b"one\ntwo\n")

    with open(path, "rb", buffering=0) as file:
        assert [b"one\n", b"two\n"] == list(iterate(file))


@pytest.mark.parametrize(
    "wrap",
    [
        lambda file: enumerate(file, 3),
        lambda file: zip(file, "abc"),
        lambda file: zip("ab", file, strict=True),
        lambda file: map(str.upper, file),
        lambda file: filter(None, file),
    ],
)
def test_a_file_below_a_built_in_tells_where_it_is(tmp_path, wrap):
    path = tmp_path / "lines"
    path.write_text("one\ntwo\n")
    with open(path) as plain:
        expected = list(wrap(plain))

    with open(path) as file:
        walk = iterate(wrap(file))
        first = next(walk)

        assert 4 == file.tell()
        assert expected == [first, *walk]


def test_strict_zips_over_files_stay_strict(tmp_path):
    path = tmp_path / "lines"
    path.write_text("one\ntwo\n")

    with open(path) as file, pytest.raises(ValueError, match="shorter"):
        list(iterate(zip(file, "a", strict=True)))


def test_a_counted_source_over_a_file_is_not_skipped_twice(tmp_path):
    """The file comes back at its saved place; the loop's items are counted from where it began."""
    path = tmp_path / "lines"
    path.write_text("head\none\ntwo\nthree\n")

    def parsed(file):
        while line := file.readline():
            yield line.strip()

    with open(path) as file:
        file.readline()
        walk = iterate(parsed(file))
        next(walk)
        assert ((file, 5),) == walk.sources
        saved = Counted((), walk.taken, walk.start, walk.sources)  # files: see their own tests

        assert ["two", "three"] == list(again(saved, parsed(file)))


def test_sources_that_cannot_tell_their_place_are_left_alone(tmp_path):
    path = tmp_path / "lines"
    path.write_text("one\ntwo\n")
    closed = open(path)
    closed.close()

    with open(path) as stepped, open(tmp_path / "out", "w") as written:
        next(stepped)

        assert () == iterators._files_below(iter([closed, stepped, written]))


PROGRAM = """
import collections

def numbers():
    for n in range(4):
        yield n

class Countdown:
    def __init__(self, n):
        self.n = n
    def __iter__(self):
        return self
    def __next__(self):
        if not self.n:
            raise StopIteration
        self.n -= 1
        return self.n

class Tree:
    def __iter__(self):
        yield 1
        yield 2

class Box:
    def __iter__(self):
        return iter([1, 2])
"""


def test_generators_and_iterators_of_the_program_are_values():
    piece = load(PROGRAM)
    iteration = Iteration(piece.program)
    numbers, countdown, tree = piece.numbers(), piece.Countdown(3), piece.Tree()

    assert iteration.iterate(numbers) is numbers
    assert iteration.iterate(countdown) is countdown
    for value in (tree, piece.Box()):  # the loop asks it itself: an error shows nothing of ours
        assert iteration.iterate(value) is value
    assert type(iteration.iterate(zip(piece.numbers(), countdown))) is zip


def test_no_random_state_is_taken_where_nothing_can_draw():
    """It costs more than a short loop: only what is foreign and makes iterators may draw."""
    piece = load(PROGRAM)
    iteration = Iteration(piece.program)

    assert [False] * 3 == [
        iteration._may_draw(kind) for kind in (piece.Box, zip, collections.UserDict)
    ]
    assert [False, True] == [iteration._may_draw(kind) for kind in (type(foreign("")), Loader)]


class Loader:
    def __iter__(self):
        return foreign(random.sample(range(1000), 5))


def test_callables_that_an_iterator_asks_are_looked_at():
    import functools
    import socket

    piece = Iteration(Program())
    here, there = socket.socketpair()
    with here, there:
        assert isinstance(piece.iterate(iter(functools.partial(here.recv, 1), b"")), Counted)
    assert not isinstance(piece.iterate(iter(functools.partial(int, "3"), 4)), Counted)


def test_a_stream_refers_to_the_name_of_the_builder():
    """A counted iterator is read by any version that keeps the builder's name."""
    encoded = encode({"walk": Counted((), 3, None)})

    assert b"counted" in encoded.stream
    assert 3 == decode(encoded.stream, []).values["walk"].taken
    assert sys.version_info >= (3, 11)
