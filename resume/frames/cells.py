"""Find the cell object of a running frame's variable: what its closures share with it.

Nothing in Python gives it: `f_locals` shows contents only, and `__closure__` belongs to functions
that were made, if any. So we write something unique into the variable, and look who refers to it.
Another thread that reads the variable in between would meet that marker: microseconds where a
function at hand has the cell, as long as the collector walks the heap where none has. Capture and
apply happen in the owner's thread, between its statements.
"""

from __future__ import annotations

import gc
from collections.abc import Collection, Iterable
from types import CellType, FrameType, FunctionType

from resume.frames.locals import delete_locals, read_locals, write_locals


def cells_of(frame: FrameType, names: Collection[str]) -> dict[str, CellType]:
    """Return the cells behind *names* in *frame*; names that have none (plain locals) are left out.

    Functions among the frame's variables are asked first. For the rest the collector's heap is
    walked once (0.1 s for some million objects); cells that `gc.freeze` hid are not found there.
    """
    wanted = [name for name in dict.fromkeys(names) if has_cell(frame, name)]
    before = read_locals(frame)
    markers = {name: object() for name in wanted}
    found: dict[str, CellType] = {}
    try:
        write_locals(frame, markers)
        for function in before.values():
            if isinstance(function, FunctionType):
                _match(function.__closure__ or (), markers, found)
        missing = [marker for name, marker in markers.items() if name not in found]
        if missing:
            _match(gc.get_referrers(*missing), markers, found)
    finally:
        write_locals(frame, {name: before.get(name) for name in wanted})
        unbound = [name for name in wanted if name not in before]
        for name in unbound:
            if name in found:
                del found[name].cell_contents
        delete_locals(frame, [name for name in unbound if name not in found])
    return found


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
    try:
        cell.cell_contents = marker
        return read_locals(frame).get(name) is marker
    finally:
        if before is _EMPTY:
            del cell.cell_contents
        else:
            cell.cell_contents = before


_EMPTY = object()


def _contents(cell: CellType) -> object:
    try:
        return cell.cell_contents
    except ValueError:  # empty
        return _EMPTY
