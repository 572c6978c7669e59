"""The second application of a state, at its door: what is unchanged stays, the rest is put back."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from resume import Checkpoint, IntegrityError, registry

SIZE = 20_000
"""Numbers in an array: it has a buffer of its own in the store."""
STOP: list = []
SEEN: dict = {}
ON_THE_WAY: list = []
"""What the rerun does to the state between `restore()` and the door."""


class Killed(Exception):
    """Ends a run in the middle, as a kill would, in a process that goes on."""


@pytest.fixture(autouse=True)
def nothing_left():
    yield
    for held in (STOP, SEEN, ON_THE_WAY):
        held.clear()


def numbers(start):
    """Those of one start are nowhere among those of another."""
    return np.random.default_rng(start).integers(0, 1 << 40, SIZE).astype("<f8")


def go_the_way(*state):
    for act in ON_THE_WAY:
        act(*state)


def work():
    """One array under a name, two in a list, one turned round."""
    weights, layers = numbers(0), [numbers(1), numbers(2)]
    turned = np.asfortranarray(numbers(3).reshape(100, -1))
    text = bytes(100_000) + b"end"
    chp = Checkpoint("work", folder="store", rate=0, fsync=False, compress="none", keep=9)
    chp.restore()
    go_the_way(weights, layers, turned)
    for i in chp.loop(range(4)):
        if i in STOP:
            raise Killed
        SEEN.setdefault("first", (i, weights, *layers))
        for array in (weights, *layers, turned):
            array += 1
    return [weights.copy(), *layers, turned.copy(), text]


def killed_once():
    STOP.append(2)
    with pytest.raises(Killed):
        work()
    STOP.clear()
    SEEN.clear()


def expected():
    return [
        *(numbers(k) + 4 for k in range(3)),
        (numbers(3) + 4).reshape(100, -1),
        bytes(100_000) + b"end",
    ]


def assert_same(found):
    for one, other in zip(found, expected(), strict=True):
        assert np.array_equal(one, other) if isinstance(one, np.ndarray) else one == other


def flip(array):
    """Damage the newest bytes of *array* on the disk; its length stays."""
    sample = array.tobytes()[:256]
    found = 0
    for body in Path("store/work").glob("*.ckpt"):
        data = bytearray(body.read_bytes())
        at = data.find(sample)
        if at >= 0:
            data[at] ^= 1
            body.write_bytes(data)
            found += 1
    assert found


def set_to(value):
    def act(weights, layers, turned):
        for array in (weights, *layers, turned):
            array[...] = value

    return act


def drop(weights, layers, turned):
    layers.clear()


@pytest.mark.parametrize("acts", [[], [set_to(7)], [drop], [set_to(7), drop]])
def test_what_the_way_did_to_arrays_is_undone(acts):
    """Under a name, in a list, written to or thrown away: the state is as it was saved."""
    killed_once()
    ON_THE_WAY.extend(acts)

    assert_same(work())


def test_what_is_as_it_was_is_not_read_again():
    """The disk may lose bytes of it meanwhile: nobody asks for them."""
    killed_once()
    ON_THE_WAY.append(lambda weights, layers, turned: flip(weights))
    ON_THE_WAY.append(lambda weights, layers, turned: SEEN.update(on_way=(weights, *layers)))

    assert_same(work())

    for before, after in zip(SEEN["on_way"], SEEN["first"][1:], strict=True):
        assert np.shares_memory(before, after)


def in_the_list(weights, layers, turned):
    flip(layers[1])
    set_to(7)(weights, layers, turned)
    SEEN["on_way"] = (weights, *layers, turned)


def under_the_name(weights, layers, turned):
    flip(weights)
    set_to(7)(weights, layers, turned)
    SEEN["on_way"] = (weights, *layers, turned)


def without_bodies(weights, layers, turned):
    for body in Path("store/work").glob("*.ckpt"):
        body.unlink()
    SEEN["on_way"] = ()


@pytest.mark.parametrize("act", [in_the_list, under_the_name, without_bodies])
def test_damage_at_the_door_changes_nothing_and_ends_the_saving(act):
    """The error says where; the arrays are as the way left them, and no later save is made."""
    killed_once()
    ON_THE_WAY.append(act)
    names = {path.name for path in Path("store/work").glob("*.json")}

    with pytest.raises(IntegrityError, match="the loop at line .*Nothing was saved since"):
        work()

    for array in SEEN["on_way"]:
        assert np.all(array == 7)
    assert names == {path.name for path in Path("store/work").glob("*.json")}
    registry.raise_unreported()


def test_a_run_that_goes_past_a_damaged_door_saves_nothing():
    """The error comes again, from every call."""

    def stubborn():
        weights = numbers(0)
        chp = Checkpoint("work", folder="store", rate=0, fsync=False, compress="none")
        chp.restore()
        for act in ON_THE_WAY:
            act(weights, [], [])
        try:
            for i in chp.loop(range(4)):
                if i in STOP:
                    raise Killed
                weights += 1
        except IntegrityError:
            with pytest.raises(IntegrityError, match="Nothing was saved since"):
                chp.save()
            return "refused"
        return weights

    STOP.append(2)
    with pytest.raises(Killed):
        stubborn()
    STOP.clear()
    ON_THE_WAY.append(without_bodies)

    assert stubborn() == "refused"


def test_a_locked_array_and_one_of_another_order_are_put_back():
    """What the way locked is open again, and the other way round; axes lie as they lay."""

    def locked():
        one, other = numbers(0), numbers(1).reshape(100, -1).copy()
        other.setflags(write=False)
        chp = Checkpoint("work", folder="store", rate=0, fsync=False)
        chp.restore()
        if ON_THE_WAY:
            one[:] = 5
            one.setflags(write=False)
            other.setflags(write=True)
            other[:] = 5
        for i in chp.loop(range(3)):
            if i in STOP:
                raise Killed
            SEEN["flags"] = (one.flags.writeable, other.flags.writeable)
            one += 1
        return one, other

    STOP.append(2)
    with pytest.raises(Killed):
        locked()
    STOP.clear()
    ON_THE_WAY.append("something")

    one, other = locked()

    assert SEEN["flags"] == (True, False)
    assert np.array_equal(one, numbers(0) + 3)
    assert np.array_equal(other, numbers(1).reshape(100, -1))


class Model:
    """Holds an array that its maker has in another order of the axes now."""

    def __init__(self, order):
        self.table = np.array(numbers(0).reshape(100, -1), order=order)

    def fit(self):
        chp = Checkpoint(of=self, name="model", folder="store", rate=0, fsync=False)
        found = chp.restore()
        self.table += not found
        chp.save()
        return self.table


def test_an_array_of_the_callers_in_another_order_gets_the_items():
    """The items go where they belong, not the bytes."""
    Model("C").fit()

    assert np.array_equal(Model("F").fit(), numbers(0).reshape(100, -1) + 1)
