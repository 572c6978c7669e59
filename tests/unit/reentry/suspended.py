"""Stand-ins for what takes live frames apart and puts them together: generators at their yields."""

from __future__ import annotations

import gc
import types
from typing import Any

from pieces import Piece

from resume.reentry.fields import suspension_of
from resume.reentry.making import Making
from resume.reentry.records import FrameRecord
from resume.reentry.reducers import Taking
from resume.rewrite import Entry, Kind


def record_of(piece: Piece, generator: Any) -> FrameRecord:
    """The record of a generator that is suspended at a yield, or has not begun."""
    site = piece.program.find(generator.gi_code)
    frame = generator.gi_frame
    names = {**frame.f_locals}
    free = {*frame.f_code.co_freevars, *frame.f_code.co_cellvars}
    values = {name: value for name, value in names.items() if name not in free}
    number, entry = 0, Entry.START
    if frame.f_lasti >= 0 and any(
        place.number == site.table.ids[frame.f_lasti // 2]
        for place in site.module.rewritten.places(site.table.block).values()
        if place.kind in {Kind.YIELD, Kind.DELEGATION}
    ):
        number, entry = site.table.ids[frame.f_lasti // 2], Entry.YIELD
    return FrameRecord(
        site.module.name, site.table.block, number, entry, values, cells_of(generator)
    )


def cells_of(generator: Any) -> dict[str, types.CellType]:
    held = gc.get_referents(generator, generator.gi_frame)
    code = generator.gi_code
    cells = {id(part): part for part in held if isinstance(part, types.CellType)}
    return dict(zip([*code.co_cellvars, *code.co_freevars], cells.values(), strict=False))


def make(piece: Piece, record: FrameRecord) -> Any:
    """A generator over the record's dict of values, not begun."""
    rewritten = piece.program[record.module].rewritten
    code = rewritten.residual(record.block, suspension_of(record))
    closure = tuple(record.cells.get(name) or types.CellType() for name in code.co_freevars)
    space = piece.program[record.module].namespace
    values, record.values = record.values, {}
    return types.FunctionType(code, space, code.co_name, None, closure or None)(values)


def taking(piece: Piece, *, position: int | None = None, **options: Any) -> Taking:
    defined = {
        module.name: {
            *module.rewritten.defined(position).made,
            *module.rewritten.defined(position).imported,
        }
        for module in piece.program
    }
    return Taking(
        piece.program, lambda generator: record_of(piece, generator), defined=defined, **options
    )


def making(piece: Piece) -> Making:
    return Making(piece.program, lambda record: make(piece, record), next)
