"""Find the cell object of a running frame's variable: what its closures share with it.

Nothing in Python gives it: `f_locals` shows contents only, and `__closure__` belongs to functions
that were made, if any. So something unique is put into the cell, and the variable is looked at.

Another thread that reads the variable meanwhile must not meet that marker, and the interpreter may
switch threads between any two instructions. So a cell at hand is tried in one call of C code, which
holds the interpreter's lock from the marker to the old contents. Only where no function at hand has
the cell, which happens at a restore, the collector walks the heap while the marker stands there.
"""

from __future__ import annotations

import gc
import operator
from collections.abc import Callable, Collection, Iterable
from functools import partial
from types import CellType, FrameType, FunctionType
from typing import Any

from resume.frames.locals import delete_locals, read_locals, variables, write_locals


def cells_of(frame: FrameType, names: Collection[str]) -> dict[str, CellType]:
    """Return the cells behind *names* in *frame*; names that have none (plain locals) are left out.

    Functions among the frame's variables are asked first. For the rest the collector's heap is
    walked once (0.1 s for some million objects); cells that `gc.freeze` hid are not found there.
    """
    wanted = [name for name in dict.fromkeys(names) if has_cell(frame, name)]
    before = read_locals(frame)
    found: dict[str, CellType] = {}
    for function in before.values():
        if isinstance(function, FunctionType):
            cells = zip(function.__code__.co_freevars, function.__closure__ or (), strict=True)
            found |= {name: cell for name, cell in cells if is_cell_of(frame, name, cell)}
    missing = [name for name in wanted if name not in found]
    if missing:
        found |= _by_marker(frame, missing, before)
    return {name: found[name] for name in wanted if name in found}


def search_cells(
    wanted: Iterable[tuple[FrameType, Collection[str]]],
) -> list[dict[str, CellType]]:
    """Return the cells behind the names of each frame, by one walk over the heap for all of them.

    For frames of which no function is at hand. Meanwhile the variables hold markers: nothing of
    this thread runs in between, but another thread that shares them could meet one.
    """
    frames = [(frame, [name for name in names if has_cell(frame, name)]) for frame, names in wanted]
    before = [read_locals(frame) for frame, _ in frames]
    found: list[dict[str, CellType]] = [{} for _ in frames]
    was_enabled = gc.isenabled()
    gc.disable()  # a finalizer could meet a marker
    try:
        for frame, names in frames:
            write_locals(frame, {name: object() for name in names})
        # Frames may share a cell, which holds the last marker: so look what each has now.
        markers = [read_locals(frame) for frame, _ in frames]
        cells = {
            id(_contents(thing)): thing for thing in gc.get_objects() if type(thing) is CellType
        }
        for (_, names), values, mine in zip(frames, markers, found, strict=True):
            mine.update(
                {name: cells[id(values[name])] for name in names if id(values[name]) in cells}
            )
    finally:
        for (frame, names), values, mine in zip(frames, before, found, strict=True):
            _put_back(frame, names, values, mine)
        if was_enabled:
            gc.enable()
    return found


def _by_marker(
    frame: FrameType, names: Collection[str], before: dict[str, Any]
) -> dict[str, CellType]:
    markers = {name: object() for name in names}
    found: dict[str, CellType] = {}
    try:
        write_locals(frame, markers)
        _match(gc.get_referrers(*markers.values()), markers, found)
    finally:
        _put_back(frame, names, before, found)
    return found


def _put_back(
    frame: FrameType,
    names: Collection[str],
    before: dict[str, Any],
    found: dict[str, CellType],
) -> None:
    """Let the variables be as they were; the cells that were found serve to unbind."""
    write_locals(frame, {name: before.get(name) for name in names})
    unbound = [name for name in names if name not in before]
    for name in unbound:
        if name in found:
            del found[name].cell_contents
    delete_locals(frame, [name for name in unbound if name not in found])


def _match(
    candidates: Iterable[object], markers: dict[str, object], found: dict[str, CellType]
) -> None:
    """Put the cells among *candidates* that hold a marker into *found*."""
    names = {id(marker): name for name, marker in markers.items()}
    for cell in candidates:
        if isinstance(cell, CellType):
            name = names.get(id(_contents(cell)))
            if name is not None:
                found[name] = cell


def has_cell(frame: FrameType, name: str) -> bool:
    """Tell whether *name* is a cell or free variable of the frame's code."""
    return name in frame.f_code.co_cellvars or name in frame.f_code.co_freevars


def cell_of(frame: FrameType, name: str) -> CellType | None:
    """Return the cell behind *name* in *frame*, or None where the variable has none."""
    return cells_of(frame, (name,)).get(name)


def is_cell_of(frame: FrameType, name: str, cell: CellType) -> bool:
    """Tell whether *cell* is the one behind *name* in *frame*: cheap, and proven.

    Two cells may hold the same object, so equal contents only make a candidate.
    """
    if not has_cell(frame, name):
        return False
    before = _contents(cell)
    if read_locals(frame).get(name, _EMPTY) is not before:
        return False
    marker = object()
    put_back: Callable[[], object] = partial(setattr, cell, "cell_contents", before)
    if before is _EMPTY:
        put_back = partial(delattr, cell, "cell_contents")
    with variables(frame, aside=True) as held:
        steps = (
            partial(setattr, cell, "cell_contents", marker),
            partial(getattr, frame, "f_locals"),  # 3.11 and 3.12: fills *held* anew
            partial(held.get, name),
            put_back,
        )
        was_enabled = gc.isenabled()
        gc.disable()  # 3.11 collects at any allocation, and a finalizer is Python code
        try:
            call: Callable[[Any], Any] = operator.call
            return list(map(call, steps))[2] is marker
        finally:
            if was_enabled:
                gc.enable()


_EMPTY = object()


def _contents(cell: CellType) -> object:
    try:
        return cell.cell_contents
    except ValueError:  # empty
        return _EMPTY
