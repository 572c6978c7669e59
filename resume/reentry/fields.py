"""The record of a frame as data, and back."""

from __future__ import annotations

import types
from collections.abc import Mapping
from typing import Any

from resume.reentry.contexts import acts_on_process
from resume.reentry.iterators import Counted
from resume.reentry.records import FrameRecord
from resume.rewrite import Entry, Suspension


def parted(values: Mapping[str, Any]) -> tuple[dict[str, Any], tuple[str, ...], tuple[str, ...]]:
    """Part a frame's values into those that are saved, and what is told by name.

    Returns:
        The values; names of the iterators that are made again; names of the context managers that
        are entered again, which are none of the values.
    """
    reentered = tuple(
        name for name, value in values.items() if name.startswith(".w") and acts_on_process(value)
    )
    kept = {name: value for name, value in values.items() if name not in reentered}
    return kept, tuple(name for name, value in kept.items() if type(value) is Counted), reentered


def plain_fields(record: FrameRecord) -> dict[str, Any]:
    """What a record says without its values and cells, as data that JSON can hold."""
    found: dict[str, Any] = {}
    for name in record.__slots__:
        value = getattr(record, name)
        if isinstance(value, Entry):
            found[name] = value.value
        elif isinstance(value, (str, int)):
            found[name] = value
        elif isinstance(value, tuple):
            found[name] = list(value)
    return found


def suspension_of(record: FrameRecord) -> Suspension:
    """Return where a restored record goes on, with all that is made again on the way."""
    return Suspension(
        record.position,
        record.entry,
        tuple(sorted(record.values)),
        frozenset(record.again),
        frozenset(record.reentered),
        record.recreated,
    )


def record_from(
    head: Mapping[str, Any], values: dict[str, Any], cells: dict[str, types.CellType]
) -> FrameRecord:
    """Make a record of what `plain_fields` gave."""
    fields: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in head.items()
    }
    fields["entry"] = Entry(fields["entry"])
    return FrameRecord(**fields, values=values, cells=cells)
