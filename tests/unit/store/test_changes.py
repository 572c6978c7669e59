"""What of a state is copied at a save: the parts that changed, and no byte twice."""

from __future__ import annotations

import numpy as np
import pytest
from crash.disk import PART, PIECE, buffer, draft
from numpy.typing import NDArray

from resume.store import Retention, Store, copying
from resume.store.changes import Change, Plan, Previous, stage
from resume.store.extents import UNKNOWN, digest, extents_of
from resume.store.restore import read_own_tables
from resume.store.staging import Pool
from resume.types import Buffer, Manifest

Bytes = NDArray[np.uint8]
MEMORY = 64 << 20
NO_MORE = 10_000
"""Bytes of a body besides the buffers: head, stream, tables."""


@pytest.fixture
def store(tmp_path):
    made = Store(tmp_path, "x", fsync=False, compress="none", retention=Retention(keep=99))
    yield made
    made.unlock()


def noise(size: int, seed: int = 0) -> Bytes:
    return np.random.default_rng(seed).integers(0, 256, size, np.uint8)


def save(store: Store, buffers: list[Buffer], parent: Manifest | None) -> Manifest:
    """A generation that is read back and compared at once."""
    made = store.commit(draft(), b"s", buffers, parent=parent)
    for one, got in zip(buffers, read(store, made), strict=True):
        assert got == one.view
    assert store.verify() == []
    return made


def read(store: Store, made: Manifest) -> tuple[memoryview, ...]:
    """As another process reads it: what this one knows of its own saves stays."""
    return Store(store.folder, "x").read(made).buffers


def plans_of(store: Store, buffers: list[Buffer], parent: Manifest) -> list[Plan]:
    """What a save of *buffers* on top of *parent* would copy."""
    assert store._known is not None
    assert store._known[0] == parent.digest
    bodies = {body.name: body for body in parent.bodies}
    return stage(buffers, Previous(store._known[1], bodies), Pool(MEMORY), lambda block: None)


def spans(plans: list[Plan], row: int = 0) -> list[tuple[int, int]]:
    """First byte and the one behind the last of each copy that is made of a buffer."""
    return [
        (place * PIECE + run.start, place * PIECE + run.start + len(run.data))
        for place, piece in enumerate(plans[row].pieces)
        if isinstance(piece, Change)
        for run in piece.runs
    ]


def copied(plans: list[Plan], row: int = 0) -> int:
    return sum(end - start for start, end in spans(plans, row))


def written(store: Store, made: Manifest) -> int:
    """Bytes of buffers in the body of *made*: what was copied and is new, and what was carried."""
    stored = read_own_tables(store.place, made)[1:]
    own = {one for one in extents_of(stored) if one.body == made.body.name}
    assert made.body.size_bytes < sum(one.stored for one in own) + NO_MORE
    return sum(one.stored for one in own)


# --- parts ---

TAIL = 2 * PIECE + 3 * PART + 1000
"""Two pieces, three parts and an odd end."""


@pytest.mark.parametrize(
    ("places", "expected"),
    [
        ([], []),
        ([0], [(0, PART)]),
        ([PART - 1, PART], [(0, 2 * PART)]),
        ([5 * PART, 7 * PART], [(5 * PART, 6 * PART), (7 * PART, 8 * PART)]),
        ([PIECE - 1, PIECE], [(PIECE - PART, PIECE), (PIECE, PIECE + PART)]),
        ([2 * PIECE + 3 * PART - 1], [(2 * PIECE + 2 * PART, 2 * PIECE + 3 * PART)]),
        ([TAIL - 1], [(2 * PIECE + 3 * PART, TAIL)]),
        ([2 * PIECE + 2 * PART, TAIL - 1], [(2 * PIECE + 2 * PART, TAIL)]),
    ],
)
def test_only_the_parts_that_changed_are_copied(store, places, expected):
    """64 KiB for a changed byte, neighbours at once, the odd end as it is."""
    array = noise(TAIL)
    first = save(store, [buffer(array)], None)

    for place in places:
        array[place] ^= 1
    plans = plans_of(store, [buffer(array)], first)
    second = save(store, [buffer(array)], first)

    assert spans(plans) == expected
    assert written(store, first) == TAIL
    assert written(store, second) == sum(end - start for start, end in expected)


@pytest.mark.parametrize("reread", [False, True])
def test_what_the_parts_are_is_known_by_who_wrote_or_read_them(tmp_path, store, reread):
    """Without a restore only the digests of whole pieces are known: a changed one is copied."""
    array = noise(3 * PIECE)
    first = save(store, [buffer(array)], None)
    store.unlock()
    later = Store(tmp_path, "x", fsync=False, compress="none")
    if reread:
        later.read(first)

    array[PIECE] ^= 1
    second = save(later, [buffer(array)], first)
    assert written(later, second) == (PART if reread else PIECE)

    array[PIECE] ^= 1
    third = save(later, [buffer(array)], second)
    assert written(later, third) == PART
    later.unlock()


GROWTHS = [
    (1, 2),
    (PART - 1, PART),
    (PART, PART + 1),
    (3 * PART + 5, 3 * PART + 6),
    (3 * PART + 5, 4 * PART + 6),
    (PIECE - 1, PIECE),
    (PIECE - 1, PIECE + 1),
    (PIECE, PIECE + 1),
    (PIECE + 5, 3 * PIECE + 7),
    (PIECE - 3 * PART, PIECE + PART),
]


@pytest.mark.parametrize(("size", "larger"), GROWTHS)
def test_an_array_that_grows_costs_its_new_end(store, size, larger):
    """From the part on in which the old end lay, whatever boundary lies between."""
    array = noise(larger)
    first = save(store, [buffer(array[:size])], None)

    plans = plans_of(store, [buffer(array)], first)
    second = save(store, [buffer(array)], first)

    begin = size - size % PART
    copied = spans(plans)
    assert (copied[0][0], copied[-1][1]) == (begin, larger)
    assert all(one[1] == other[0] for one, other in zip(copied, copied[1:], strict=False))
    assert written(store, second) == larger - begin


@pytest.mark.parametrize(("size", "larger"), GROWTHS)
def test_an_array_that_shrinks_costs_no_more_than_one_part(store, size, larger):
    """The part that the new end cuts; nothing where it lies between two parts."""
    array = noise(larger)
    first = save(store, [buffer(array)], None)

    plans = plans_of(store, [buffer(array[:size])], first)
    save(store, [buffer(array[:size])], first)

    assert copied(plans) == size % PART


STEP = 130_000


def test_an_array_that_grows_and_shrinks_again_and_again(store):
    """An appended log, save by save: each costs about what was appended, and stays few slices."""
    array = noise(PIECE + 9 * PART, seed=1)
    parent = None
    size = 1000
    most = 0
    while size < len(array):
        if parent is not None:
            assert copied(plans_of(store, [buffer(array[:size])], parent)) <= STEP + PART
        parent = save(store, [buffer(array[:size])], parent)
        most = max(most, *(len(one.slices) for one in store._known[1][1].pieces))
        size += STEP - size % 3
    # each save adds a run that begins at a part, so no part is in more than one slice
    assert most <= PIECE // PART
    for size in (PIECE + 17, 5 * PART, 5 * PART - 1, 0, 7):
        parent = save(store, [buffer(array[:size])], parent)


# --- much that changed ---


@pytest.mark.parametrize(("count", "is_whole"), [(48, False), (49, True), (63, True)])
def test_a_piece_of_which_most_changed_is_written_whole(store, count, is_whole):
    """From three quarters on; many small slices cost, too."""
    array = noise(2 * PIECE)
    first = save(store, [buffer(array)], None)
    rows = np.delete(np.arange(64), [0, *range(1, 64 - count)])
    assert len(rows) == count

    array[PIECE:].reshape(64, PART)[rows, 5] ^= 1
    plans = plans_of(store, [buffer(array)], first)
    made = save(store, [buffer(array)], first)

    begin = PIECE if is_whole else PIECE + (64 - count) * PART
    assert spans(plans) == [(begin, 2 * PIECE)]
    assert written(store, made) == 2 * PIECE - begin


@pytest.mark.parametrize("size", [3 * PIECE, 2 * PIECE + 40 * PART + 5])
def test_where_everything_changes_four_parts_are_looked_at(store, size):
    """A training step: whole pieces, and no digest of the other sixty parts."""
    array = noise(size)
    first = save(store, [buffer(array)], None)

    array ^= 1
    (plan,) = plans_of(store, [buffer(array)], first)
    made = save(store, [buffer(array)], first)

    assert len(plan.pieces) == 3
    for piece in plan.pieces:
        assert isinstance(piece, Change)
        assert piece.before is None
        rows = [row for row, _ in piece.looked]
        assert len(rows) == 5
        assert rows[0] == rows[-1] == 0
        assert all(len(marks) == 16 for _, marks in piece.looked)
    assert written(store, made) == size


def test_a_small_array_is_looked_at_in_full(store):
    """Seven parts: a sample of four would be no saving."""
    array = noise(7 * PART)
    first = save(store, [buffer(array)], None)
    array.reshape(7, PART)[[0, 2, 4, 6], 0] ^= 1

    assert len(spans(plans_of(store, [buffer(array)], first))) == 4


def test_a_sample_that_guesses_wrong_costs_bytes_only(store):
    """The four sampled parts changed and no other: the piece is written whole, and is right."""
    array = noise(PIECE)
    first = save(store, [buffer(array)], None)
    array.reshape(64, PART)[[0, 21, 42, 63], 9] ^= 1

    made = save(store, [buffer(array)], first)

    assert written(store, made) == PIECE


# --- bytes that are there already ---


def test_a_renamed_variable_and_a_moved_array_cost_no_bytes(store):
    """They are found by their digest, whatever they are paired with."""
    one, two = noise(2 * PIECE + 5, 1), noise(PIECE, 2)
    first = save(store, [buffer(one, "a"), buffer(two, "b")], None)

    renamed = save(store, [buffer(one, "c"), buffer(two, "b")], first)
    swapped = save(store, [buffer(two, "c"), buffer(one, "b")], renamed)
    nested = save(store, [buffer(np.concatenate([two, one]), "all")], swapped)

    assert written(store, renamed) == 0
    assert written(store, swapped) == 0
    assert written(store, nested) == 0


def test_another_type_or_shape_of_the_same_bytes_costs_none(store):
    """`x = x.view(...)`, `x = x.reshape(...)`."""
    array = noise(2 * PIECE)
    first = save(store, [buffer(array)], None)

    made = save(store, [buffer(array.view("<f4").reshape(-1, 4))], first)
    array[0] ^= 1
    changed = save(store, [buffer(array.view("<f4"))], made)
    again = save(store, [buffer(array.view("<i2"))], changed)

    assert written(store, made) == 0
    assert written(store, changed) == PART
    assert written(store, again) == 0


def test_a_piece_that_was_changed_in_part_has_no_digest_of_its_own(store):
    """Under another name it is written again, once; under its own it is narrowed down."""
    array = noise(2 * PIECE)
    first = save(store, [buffer(array)], None)
    array[0] ^= 1
    second = save(store, [buffer(array)], first)
    (_, stored) = store._known[1]
    assert stored.pieces[0].digest == UNKNOWN
    assert stored.pieces[1].digest != UNKNOWN

    array[PART] ^= 1
    third = save(store, [buffer(array)], second)
    renamed = save(store, [buffer(array, "other")], third)
    again = save(store, [buffer(array, "third")], renamed)

    assert written(store, second) == PART
    assert written(store, third) == PART
    assert written(store, renamed) == PIECE
    assert written(store, again) == 0


def test_a_piece_that_rests_gets_a_digest_again(store):
    """At the next save; from then on it is found as a whole, and under any name."""
    array = noise(PIECE + 20 * PART + 5)
    parent = save(store, [buffer(array)], None)
    for place in (3 * PART, PIECE + 19 * PART):
        array[place] ^= 1
    parent = save(store, [buffer(array)], parent)
    assert [one.digest for one in store._known[1][1].pieces] == [UNKNOWN, UNKNOWN]

    resting = save(store, [buffer(array)], parent)
    pieces = [array[:PIECE], array[PIECE:]]
    assert [one.digest for one in store._known[1][1].pieces] == [digest(one) for one in pieces]
    renamed = save(store, [buffer(array, "other")], resting)
    array[3 * PART] ^= 1
    again = save(store, [buffer(array, "other")], renamed)
    array[3 * PART] ^= 1
    back = save(store, [buffer(array, "other")], again)
    longer = np.concatenate([array, noise(PART, 3)])
    grown = save(store, [buffer(longer, "other")], back)

    assert [written(store, one) for one in (resting, renamed, again)] == [0, 0, PART]
    assert written(store, back) == PART
    assert written(store, grown) == PART + 5


def test_after_a_burst_of_changes_few_pieces_get_a_digest_at_each_save(store):
    """So no pause is much longer than others: eight of them, or a sixteenth."""
    arrays = [noise(2 * PART, seed) for seed in range(20)]
    parent = save(store, [buffer(one) for one in arrays], None)
    for array in arrays:
        array[0] ^= 1

    left = []
    for _ in range(5):
        parent = save(store, [buffer(one) for one in arrays], parent)
        stored = store._known[1][1:]
        left.append(sum(piece.digest == UNKNOWN for one in stored for piece in one.pieces))

    assert left == [20, 12, 4, 0, 0]


def test_what_changes_back_is_right(store):
    """The parts before it are known, and they are others."""
    array = noise(PIECE)
    parent = None
    for value in (0, 1, 0, 1, 2, 2, 0):
        array[PART : 2 * PART] = value
        parent = save(store, [buffer(array)], parent)


def test_duplicates_and_zeros_are_stored_once(store):
    """Within an array, from one array to another, and parts that were changed alike."""
    one = noise(PIECE)
    zeros = np.zeros(3 * PIECE, np.uint8)
    twice = np.concatenate([one, one])
    buffers = [buffer(one, "one"), buffer(zeros, "zeros"), buffer(twice, "twice")]
    first = save(store, [*buffers, buffer(one.copy(), "copy")], None)
    assert written(store, first) == 2 * PIECE

    same = noise(PART, 5)
    for place in (0, 9, 64 + 3, 64 + 60):
        twice.reshape(128, PART)[place] = same
    one[:PART] = same
    second = save(store, [*buffers, buffer(one.copy(), "copy")], first)

    assert written(store, second) == PART


# --- pairs ---


def layers(count: int = 12, size: int = 3 * PART) -> list[Bytes]:
    return [noise(size, seed) for seed in range(count)]


def test_many_buffers_of_one_variable_are_paired_in_their_order(store):
    """A list of layers of one shape: a changed one costs its part."""
    some = layers()
    first = save(store, [buffer(one) for one in some], None)
    some[7][PART] ^= 1

    plans = plans_of(store, [buffer(one) for one in some], first)
    made = save(store, [buffer(one) for one in some], first)

    assert [spans(plans, row) for row in range(12)] == [
        [(PART, 2 * PART)] if row == 7 else [] for row in range(12)
    ]
    assert written(store, made) == PART


def test_layers_that_change_places_cost_no_bytes(store):
    """Swapped, turned around, one taken out, a new one put in front."""
    some = layers()
    parent = save(store, [buffer(one) for one in some], None)

    some[2], some[9] = some[9], some[2]
    parent = save(store, [buffer(one) for one in some], parent)
    assert written(store, parent) == 0
    parent = save(store, [buffer(one) for one in some[::-1]], parent)
    assert written(store, parent) == 0
    parent = save(store, [buffer(one) for one in some[:5] + some[6:]], parent)
    assert written(store, parent) == 0
    new = noise(3 * PART, 99)
    parent = save(store, [buffer(one) for one in [new, *some]], parent)
    assert written(store, parent) == 2 * 3 * PART  # the new one, and that which was taken out


def test_a_buffer_of_the_same_size_is_the_better_pair(store):
    """Of two buffers of one variable, one grows: the other is compared with itself."""
    one, two = noise(3 * PART, 1), noise(5 * PART, 2)
    first = save(store, [buffer(one), buffer(two)], None)
    one[0] ^= 1
    two[0] ^= 1
    second = save(store, [buffer(one), buffer(two)], first)  # neither has a digest any more

    longer = np.concatenate([one, noise(PART, 3)])
    plans = plans_of(store, [buffer(two), buffer(longer)], second)

    assert [spans(plans, row) for row in range(2)] == [[], [(3 * PART, 4 * PART)]]


def test_a_buffer_that_comes_first_does_not_take_the_pair_of_a_later_one(store):
    """It has another size than any before; the pair of its size is left to the one that fits."""
    one, two = noise(3 * PART, 1), noise(5 * PART, 2)
    first = save(store, [buffer(one), buffer(two)], None)
    one[0] ^= 1
    two[0] ^= 1
    second = save(store, [buffer(one), buffer(two)], first)

    new = noise(7 * PART, 3)
    plans = plans_of(store, [buffer(new), buffer(one), buffer(two)], second)

    assert [spans(plans, row) for row in range(3)] == [[(0, 7 * PART)], [], []]


def test_a_body_that_is_gone_is_not_leant_on(store):
    """What lay in it is written again; what lies elsewhere is not."""
    array = noise(2 * PIECE)
    first = save(store, [buffer(array)], None)
    array[0] ^= 1
    second = save(store, [buffer(array)], first)
    (store.place / first.body.name).unlink()

    made = store.commit(draft(), b"s", [buffer(array)], parent=second)

    assert bytes(read(store, made)[0]) == array.tobytes()
    assert [body.name for body in made.bodies] == [made.body.name]


def test_empty_buffers_and_fewer_of_them(store):
    """No piece, no part, no copy."""
    none = np.zeros(0, np.uint8)
    array = noise(PART)
    first = save(store, [buffer(none), buffer(array), buffer(none, "b")], None)
    second = save(store, [buffer(none)], first)
    third = save(store, [], second)
    fourth = save(store, [buffer(array)], third)

    assert [written(store, one) for one in (first, second, third, fourth)] == [PART, 0, 0, PART]


# --- slices ---


def slices(store: Store) -> int:
    return sum(len(piece.slices) for one in store._known[1][1:] for piece in one.pieces)


def test_slices_stay_few(store):
    """What is left of an extent on both sides of a change, and the change: three slices."""
    array = noise(PIECE)
    parent = save(store, [buffer(array)], None)
    assert slices(store) == 1
    for value in range(5):
        array[10 * PART] = value
        parent = save(store, [buffer(array)], parent)
        assert slices(store) == 3

    array[10 * PART : 12 * PART] ^= 1
    parent = save(store, [buffer(array)], parent)
    assert slices(store) == 3
    array[: 8 * PART : PART] ^= 1
    parent = save(store, [buffer(array)], parent)
    assert slices(store) == 4
    array[::PART] ^= 1
    parent = save(store, [buffer(array)], parent)
    assert slices(store) == 1


def test_parts_in_turn_end_with_a_slice_each(store):
    """The worst case: 64 slices, and the piece is right."""
    array = noise(PIECE)
    parent = save(store, [buffer(array)], None)
    for row in np.random.default_rng(3).permutation(64):
        array[row * PART + 7] ^= 1
        parent = store.commit(draft(), b"s", [buffer(array)], parent=parent)
    assert slices(store) == 64
    assert bytes(read(store, parent)[0]) == array.tobytes()


# --- other threads ---


class Meddling(Pool):
    """Calls `act` when a block is taken: behind the look at the live bytes, ahead of the copy."""

    def __init__(self, act):
        super().__init__(MEMORY)
        self._act = act

    def take(self):
        block = super().take()
        self._act()
        return block


def torn_lines(caplog):
    return [line for line in caplog.messages if "written to by another thread" in line]


def meddle(store, array, parent, act):
    """A generation during which *act* is called, as another thread would do it."""
    store._pool = Meddling(act)
    made = store.commit(draft(), b"s", [buffer(array, "model.w")], parent=parent)
    store._pool = Pool(MEMORY)
    return made


def test_a_part_that_changes_between_look_and_copy_is_told(store, caplog):
    """The generation holds the copy, verifies, and the next one is exact again."""
    array = noise(PIECE)
    first = save(store, [buffer(array, "model.w")], None)
    array[9 * PART] ^= 1

    made = meddle(store, array, first, lambda: np.bitwise_xor.at(array, [9 * PART + 5], 1))

    (line,) = torn_lines(caplog)
    assert line.startswith("model.w was written to by another thread while it was saved")
    assert bytes(read(store, made)[0]) == array.tobytes()
    assert store.verify() == []
    array[3] ^= 1
    save(store, [buffer(array, "model.w")], made)
    assert len(torn_lines(caplog)) == 1


def test_a_part_that_changes_behind_the_look_is_in_the_next_generation(store, caplog):
    """It was not copied, so this generation holds what was there before."""
    array = noise(PIECE)
    before = array.copy()
    first = save(store, [buffer(array, "model.w")], None)
    array[9 * PART] ^= 1
    before[9 * PART] ^= 1

    made = meddle(store, array, first, lambda: np.bitwise_xor.at(array, [20 * PART], 1))

    assert bytes(read(store, made)[0]) == before.tobytes()
    assert spans(plans_of(store, [buffer(array, "model.w")], made)) == [(20 * PART, 21 * PART)]
    save(store, [buffer(array, "model.w")], made)


def test_a_whole_piece_that_changes_between_sample_and_copy_is_told(store, caplog):
    """Where everything changed, the four parts that were looked at are compared."""
    array = noise(PIECE)
    first = save(store, [buffer(array, "model.w")], None)
    array ^= 1

    made = meddle(store, array, first, lambda: np.bitwise_xor.at(array, [21 * PART + 5], 1))

    assert len(torn_lines(caplog)) == 1
    assert bytes(read(store, made)[0]) == array.tobytes()


def test_a_piece_that_changes_behind_its_copy_is_told(store, caplog, monkeypatch):
    """The first part of each piece is looked at again when all is staged."""
    monkeypatch.setattr(copying, "_processors", lambda: 1)  # then no copy is made later
    array = noise(2 * PIECE)
    before = array.copy()
    calls = []

    def act():
        calls.append(1)
        if len(calls) == 2:  # the block of the second piece: the first is copied
            array[5] ^= 1

    store._pool = Meddling(act)
    store._pool._block_bytes = PIECE
    made = store.commit(draft(), b"s", [buffer(array, "model.w")], parent=None)

    assert len(torn_lines(caplog)) == 1
    assert bytes(read(store, made)[0]) == before.tobytes()
    assert store.verify() == []
