"""Loops on their course: where they continue, what is handed out again, what must be the same."""

from __future__ import annotations

import itertools
import random
from pathlib import Path

import numpy as np
import pytest

from resume import Checkpoint, ConfigError, RestoreError, registry
from resume.store import Store

SEEN: list = []
"""What a function under test saw on its way: its own variables are those of the save in the end."""
STOP: list = []
"""Where it is to be killed; not one of its variables."""


class Killed(Exception):
    """Ends a run in the middle, as a kill would, in a process that goes on."""


@pytest.fixture(autouse=True)
def nothing_left():
    """No error waits for the next checkpoint of the process."""
    SEEN.clear()
    STOP.clear()
    yield
    registry.raise_unreported()


def tick(place):
    """The program is killed here if it is to be."""
    if place in STOP:
        raise Killed
    SEEN.append(place)


def newest(name):
    return Store(Path.cwd() / ".checkpoints", name).newest()


def killed_at(place, function, *args):
    """Run *function* until *place*; what it saw is forgotten."""
    STOP.append(place)
    with pytest.raises(Killed):
        function(*args)
    STOP.clear()
    SEEN.clear()


def simple(items, exclude=("items",)):
    total = []
    chp = Checkpoint("simple", rate=0, args="caller", exclude=exclude)
    chp.restore()
    for x in chp.loop(items):
        tick(x)
        total.append(x)
    return total


@pytest.mark.parametrize(
    "make",
    [
        lambda: [1, 2, 3, 4],
        lambda: (1, 2, 3, 4),
        lambda: range(1, 5),
        lambda: dict.fromkeys([1, 2, 3, 4]),
        lambda: dict.fromkeys([1, 2, 3, 4]).keys(),
        lambda: np.arange(1, 5),
        lambda: map(abs, [-1, -2, -3, -4]),
        lambda: (k for k in range(1, 5)),
        lambda: filter(None, [0, 1, 2, 0, 3, 4]),
        lambda: itertools.islice(itertools.count(1), 4),
        lambda: reversed([4, 3, 2, 1]),
        lambda: lambda: iter([1, 2, 3, 4]),
    ],
    ids=[
        *("list", "tuple", "range", "dict", "keys", "array", "map", "generator", "filter"),
        *("islice", "reversed", "callable"),
    ],
)
def test_a_loop_continues_at_the_next_item(make):
    """Whatever is looped over: the finished items are not done again, the one in work is."""
    killed_at(3, simple, make())

    assert simple(make()) == [1, 2, 3, 4]
    assert SEEN == [3, 4]


def test_a_finished_loop_is_not_run_again():
    def fit():
        chp = Checkpoint("fit", rate=0)
        chp.restore()
        for x in chp.loop("ab"):
            tick(x)
        for x in chp.loop("cd"):
            tick(x)

    killed_at("d", fit)
    fit()

    assert SEEN == ["d"]


def nested():
    total = 0
    chp = Checkpoint("nested", rate=0)
    chp.restore()
    for epoch in chp.loop(range(3)):
        part = 0
        for batch in chp.loop(range(2)):
            tick((epoch, batch))
            part += batch + 1
        for late in chp.loop("x"):
            tick((epoch, late))
        total += part
    return total


@pytest.mark.parametrize("place", [(0, 1), (1, 0), (1, 1), (1, "x"), (2, "x")])
def test_nested_loops_continue_inside(place):
    """The statements above an inner loop run again, and do not wipe what it had done."""
    whole = [(e, b) for e in range(3) for b in (0, 1, "x")]
    killed_at(place, nested)

    assert nested() == 9
    assert SEEN == whole[whole.index(place) :]


def test_the_manifest_shows_the_position():
    """Loops from outside in, with their lines and how many items were done."""
    killed_at((1, 1), nested)

    position = newest("nested").draft.position
    assert position["door"] == "loop"
    assert [loop["done"] for loop in position["loops"]] == [2, 1]
    assert newest("nested").draft.lineno == position["line"] == position["loops"][-1]["line"]


def test_random_items_must_be_a_callable():
    """Drawn while the expression is evaluated, they would be others: equal by a callable."""

    def fit(seed):
        rng = np.random.default_rng(seed)
        chp = Checkpoint("fit", rate=0)
        chp.restore()
        for x in chp.loop(lambda: rng.permutation(6)):
            tick(int(x))

    fit(1)
    whole = list(SEEN)
    Path(".checkpoints").rename("first")
    killed_at(whole[3], fit, 1)
    fit(1)

    assert SEEN == whole[3:]


def test_other_items_than_before_are_refused():
    """A digest of the last item handed out tells; nothing is saved."""

    def fit(offset):
        chp = Checkpoint("fit", rate=0, args="caller")
        chp.restore()
        for x in chp.loop(k + offset for k in range(5)):
            tick(x)

    killed_at(3, fit, 0)
    before = newest("fit").number

    with pytest.raises(RestoreError) as caught:
        fit(10)
    text = str(caught.value)
    assert "gives other items than before" in text
    assert "chp.loop(lambda: ...)" in text
    assert newest("fit").number == before
    fit(0)
    assert SEEN == [3, 4]


def test_fewer_items_than_were_done_are_refused():
    def fit(count):
        chp = Checkpoint("fit", rate=0, args="caller")
        chp.restore()
        for x in chp.loop(k for k in range(count)):
            tick(x)

    killed_at(3, fit, 5)

    with pytest.raises(RestoreError, match="has only 1 items now, and .* were done before"):
        fit(1)


def test_a_list_that_the_body_changes():
    """The loop goes on over that very list, with its index."""

    def fit():
        work = [1, 2, 3]
        chp = Checkpoint("fit", rate=0)
        chp.restore()
        for x in chp.loop(work):
            tick(x)
            if x < 3:
                work.append(x + 3)
        return work

    killed_at(3, fit)

    assert fit() == [1, 2, 3, 4, 5]
    assert SEEN == [3, 4, 5]


def test_random_numbers_go_on():
    """Python's, numpy's and those of generator objects, at the door."""

    def fit():
        own = random.Random(1)
        gen = np.random.default_rng(2)
        random.seed(3)
        np.random.seed(4)
        drawn = []
        chp = Checkpoint("fit", rate=0)
        chp.restore()
        for x in chp.loop(range(5)):
            tick(x)
            drawn.append((own.random(), gen.random(), random.random(), np.random.rand()))
        return drawn

    whole = fit()
    Path(".checkpoints").rename("first")
    killed_at(3, fit)

    assert fit() == whole


def test_break_else_continue():
    def fit():
        out = []
        chp = Checkpoint("fit", rate=0)
        chp.restore()
        for x in chp.loop(range(3)):
            tick(x)
            if x == 1:
                continue
            out.append(x)
        else:
            out.append("else")
        for y in chp.loop(range(10)):
            tick(("y", y))
            if y == 2:
                break
        for z in chp.loop("z"):
            tick(z)
        return out

    for place in (2, ("y", 1), "z"):
        killed_at(place, fit)
        assert fit() == [0, 2, "else"]
        Path(".checkpoints").rename(f"done-{place}")


def test_names_bound_after_the_save_are_unbound_at_the_door():
    """As in the run that was killed: the first pass of the loop finds them unbound."""

    def fit():
        chp = Checkpoint("fit", rate="1h")
        chp.restore()
        for x in chp.loop(range(3)):
            try:
                tick((x, later))
            except NameError:
                tick((x, None))
            later = x
            chp.save()

    killed_at((2, 1), fit)
    fit()

    assert SEEN == [(2, 1)]


def test_not_something_to_loop_over():
    def fit():
        chp = Checkpoint("fit")
        for _ in chp.loop(3):
            pass

    with pytest.raises(ConfigError, match="needs something to loop over, or a callable"):
        fit()


def test_a_callable_that_can_be_looped_over_is_not_called():
    class Both:
        def __iter__(self):
            return iter([1, 2])

        def __call__(self):
            raise AssertionError

    assert simple(Both()) == [1, 2]


def test_a_loop_without_a_save_costs_no_generation():
    def fit():
        chp = Checkpoint("fit", rate="1h")
        chp.restore()
        for x in chp.loop(range(1000)):
            pass

    fit()

    assert newest("fit") is None


def test_a_break_past_an_else_cannot_be_skipped():
    """Handing out nothing would run the else: nothing is saved behind it."""

    def fit():
        chp = Checkpoint("fit", rate=0)
        chp.restore()
        for _ in chp.loop(range(3)):
            break
        else:
            tick("else")
        chp.save()

    with pytest.raises(ConfigError, match="break past its else"):
        fit()


class Reader:
    """An iterator of the program's own."""

    def __init__(self):
        self.k = 0

    def __iter__(self):
        return self

    def __next__(self):
        self.k += 1
        if self.k > 4:
            raise StopIteration
        return self.k


@pytest.mark.parametrize("exclude", [(), ("items",)])
@pytest.mark.parametrize("wrap", [lambda x: x, lambda x: map(abs, x), lambda x: zip(x)])
def test_an_iterator_that_the_rerun_has_anew_is_brought_to_its_place(wrap, exclude):
    """Its place is no part of the state where its name keeps the caller's own object."""
    killed_at(STOPS[wrap(iter([3])).__class__], simple, wrap(Reader()), exclude)

    assert simple(wrap(Reader()), exclude) == list(wrap(Reader()))


STOPS = {type(iter([])): 3, map: 3, zip: (3,)}


def test_an_outer_loop_that_asks_too_early_has_lost_the_way():
    """The inner loop was not met again: an error, and the saved state stands."""

    def fit():
        chp = Checkpoint("fit", rate=0)
        chp.restore()
        for a in chp.loop(range(3)):
            if "skip" in STOP:
                continue
            for b in chp.loop(range(3)):
                tick((a, b))

    killed_at((1, 2), fit)
    before = newest("fit").number
    STOP.append("skip")

    with pytest.raises(RestoreError, match=r"the loop at line \d+ asked for its next item before"):
        fit()
    assert newest("fit").number == before
    STOP.clear()
    fit()
    assert SEEN == [(1, 2), (2, 0), (2, 1), (2, 2)]
