"""The cell of a running frame's variable is found, proven, and left as it was."""

from __future__ import annotations

import gc
import sys
import types

import pytest

from resume.frames import cell_of, cells_of, has_cell, is_cell_of, read_locals, search_cells


def test_the_cell_is_the_one_that_closures_share():
    """What is written into the found cell is what the function and its closure see."""

    def owner():
        shared = 1
        inner = lambda: shared
        cell = cell_of(sys._getframe(), "shared")
        assert cell is inner.__closure__[0]
        assert shared == 1
        cell.cell_contents = 2
        return shared, inner()

    assert owner() == (2, 2)


def test_cells_without_any_closure_made():
    """The cell is found by the collector where no function at hand holds it."""

    def owner(make):
        shared = 1
        if make:
            return lambda: shared
        cell = cell_of(sys._getframe(), "shared")
        cell.cell_contents = 2
        return shared

    assert owner(make=False) == 2


def test_free_variables_have_the_cell_of_the_outer_function():
    """A nested owner finds the cells it shares with the function around."""
    shared = 1

    def owner():
        return cell_of(sys._getframe(), "shared"), shared

    cell, value = owner()

    assert cell is owner.__closure__[0]
    assert (cell.cell_contents, value) == (1, 1)


def test_an_unbound_variable_stays_unbound():
    """Finding the cell of a variable that has no value yet does not give it one."""

    def owner(bind):
        inner = lambda: late
        cell = cell_of(sys._getframe(), "late")
        assert cell is inner.__closure__[0]
        assert "late" not in read_locals(sys._getframe())
        with pytest.raises(NameError):
            print(late)  # noqa: F821
        if bind:
            late = 1

    owner(bind=False)


def test_plain_locals_have_no_cell():
    """Only names that the compiler gave a cell."""

    def owner():
        plain = shared = 1
        inner = lambda: shared
        frame = sys._getframe()
        assert has_cell(frame, "shared")
        assert not has_cell(frame, "plain")
        assert cell_of(frame, "plain") is None
        return sorted(cells_of(frame, ["plain", "shared", "missing"]))

    assert owner() == ["shared"]


def test_frozen_cells_are_found_through_functions():
    """`gc.freeze()` hides objects from the collector; the functions at hand still show cells."""

    def owner():
        shared = 1
        inner = lambda: shared
        gc.freeze()
        return cell_of(sys._getframe(), "shared") is inner.__closure__[0]

    assert owner()


def test_frozen_cells_that_nobody_shows_are_given_up():
    """Not found is None, and the variable keeps its value, or its lack of one."""

    def owner(make):
        shared = 1
        if make:
            late = 2
            return lambda: (shared, late)
        gc.freeze()
        return cells_of(sys._getframe(), ["shared"]), shared

    assert owner(make=False) == ({}, 1)


def test_equal_contents_do_not_make_a_cell_the_same():
    """Two cells may hold one object: only the frame's own is recognised, and both keep it."""

    def owner():
        shared = value = object()
        inner = lambda: shared
        frame = sys._getframe()
        own, other = inner.__closure__[0], types.CellType(value)
        told = is_cell_of(frame, "shared", own), is_cell_of(frame, "shared", other)
        assert own.cell_contents is value
        assert other.cell_contents is value
        return told

    assert owner() == (True, False)


def test_empty_cells_are_told_apart():
    """Where both are empty the proof still holds, and both stay empty."""

    def owner(bind):
        inner = lambda: late
        frame = sys._getframe()
        own, other = inner.__closure__[0], types.CellType()
        told = is_cell_of(frame, "late", own), is_cell_of(frame, "late", other)
        for cell in (own, other):
            with pytest.raises(ValueError):
                cell.cell_contents
        if bind:
            late = 1
        return told

    assert owner(bind=False) == (True, False)


def test_a_cell_of_another_name_or_of_no_cell():
    """A cell is recognised under its own name only."""

    def owner():
        one = two = plain = 1
        inner = lambda: (one, two)
        frame = sys._getframe()
        first = cell_of(frame, "one")
        return [is_cell_of(frame, name, first) for name in ("one", "two", "plain")]

    assert owner() == [True, False, False]


def test_one_search_finds_the_cells_of_many_frames():
    """Each frame of a recursion has a cell of its own, and shares one with the function around."""
    total = 0

    def down(depth, frames):
        nonlocal total
        mine = depth
        frames.append(sys._getframe())
        if depth:
            return down(depth - 1, frames)
        found = search_cells([(frame, ("mine", "total", "late", "depth")) for frame in frames])
        assert [cells["mine"].cell_contents for cells in found] == [3, 2, 1, 0]
        assert {id(cells["total"]) for cells in found} == {id(down.__closure__[1])}
        assert len({id(cells["late"]) for cells in found}) == 4
        assert "depth" not in found[0]
        with pytest.raises(UnboundLocalError):
            late  # noqa: F821
        if found is None:
            late = 1
            return lambda: (mine, late)
        return total, mine

    assert down.__code__.co_freevars == ("down", "total")
    assert down(3, []) == (0, 0)
    assert gc.isenabled()
