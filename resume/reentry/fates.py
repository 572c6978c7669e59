"""What becomes of a variable that cannot be saved.

It is left out where nothing reads it any more; entered again where a `with` around the position has
bound it; made again where one call in its scope has made it. All else cannot be helped: the save
fails, and says which variable it was.

What can still go wrong: a call that is made again may give something else by then, and does again
whatever it does besides.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Mapping
from enum import Enum
from typing import Any

from resume.errors import UnpicklableError
from resume.reentry.program import LoadedModule, Program
from resume.reentry.records import FrameRecord, Postponed
from resume.reentry.waiting import OPEN_GRAPH
from resume.rewrite import Reads, Suspension
from resume.types import Skipped


class Fate(Enum):
    """What becomes of a variable that cannot be saved."""

    DROPPED = "dropped"
    """Nothing reads it."""
    RECREATED = "recreated"
    """Its only assignment runs again."""
    REENTERED = "reentered"
    """A context manager: the `with` enters again, and binds what it binds."""


def fates_of_local(
    program: Program, record: FrameRecord, name: str, value: Any, skip: Skipped
) -> dict[str, Fate]:
    """Tell what becomes of a variable of a frame, and of those that go with it.

    Raises:
        UnpicklableError: It is read again, and nothing can make it again.
        Postponed: It is read again, and can be saved soon.
    """
    rewritten = program[record.module].rewritten
    managers = rewritten.managers(record.block, record.position)
    if name in managers and not _keeps_what_was_done(value):
        return {name: Fate.REENTERED, **dict.fromkeys(managers[name], Fate.DROPPED)}
    where = Suspension(record.position, record.entry, tuple(record.values))
    # A cell may be read by a function that was made before, wherever that is.
    is_shared = name in record.cells
    if not is_shared and not rewritten.reads(record.block, where).may_read(name):
        return {name: Fate.DROPPED}
    if skip.why == OPEN_GRAPH:
        raise Postponed(OPEN_GRAPH)
    by_with = _bound_by(managers, name)
    if by_with and not _keeps_what_was_done(value):
        return by_with
    if has_place(value) or rewritten.needs(record.block, name) is None:
        raise _refusal(name, f" of {record.qualname}" if record.qualname else "", skip)
    return {name: Fate.RECREATED}


def fate_of_global(
    program: Program,
    module: LoadedModule,
    name: str,
    value: Any,
    frame: FrameRecord | None,
    skip: Skipped,
) -> dict[str, Fate]:
    """Tell what becomes of a global, and of those that go with it.

    Args:
        program: All modules, for others may read it.
        module: Whose global it is.
        name: Its name there.
        value: What it holds.
        frame: The frame of the module's own code, where that still runs.
        skip: Why it cannot be saved.

    Raises:
        UnpicklableError: It is read again, and nothing can make it again.
        Postponed: It is read again, and can be saved soon.
    """
    rewritten = module.rewritten
    others = [each.rewritten.reads_anywhere() for each in program if each is not module]
    is_seen = any(name in reads.attributes or "*" in reads.attributes for reads in others)
    if not is_seen and not any(reads.may_read(name) for reads in _readers(module, frame)):
        return {name: Fate.DROPPED}
    if skip.why == OPEN_GRAPH:
        raise Postponed(OPEN_GRAPH)
    by_with = {} if frame is None else _bound_by(rewritten.managers(0, frame.position), name)
    if by_with and not _keeps_what_was_done(value):
        return by_with
    if has_place(value) or rewritten.needs(0, name) is None:
        raise _refusal(name, f" of the module {module.name}", skip)
    return {name: Fate.RECREATED}


def _bound_by(managers: Mapping[str, frozenset[str]], name: str) -> dict[str, Fate]:
    for manager, bound in managers.items():
        if name in bound:
            return {manager: Fate.REENTERED, **dict.fromkeys(bound, Fate.DROPPED)}
    return {}


def has_place(value: Any) -> bool:
    """Whether it stands somewhere: made again it would stand at its beginning."""
    return isinstance(value, Iterator) or _keeps_what_was_done(value)


def _keeps_what_was_done(value: Any) -> bool:
    """Whether what was written or put there is known to it alone: made again it would be empty."""
    kinds = {f"{kind.__module__}.{kind.__qualname__}" for kind in type(value).__mro__}
    return isinstance(value, io.IOBase) or not _KEEPING.isdisjoint(kinds)


_KEEPING = frozenset(
    {
        "tarfile.TarFile",
        "tempfile.TemporaryDirectory",
        "tempfile._TemporaryFileWrapper",
        "zipfile.ZipFile",
    }
)
"""Types that are no files themselves, but are as far as they are."""


def _readers(module: LoadedModule, frame: FrameRecord | None) -> Iterable[Reads]:
    yield module.rewritten.reads_in_functions()
    if frame is not None:
        yield module.rewritten.reads(0, Suspension(frame.position, frame.entry))


_HIDDEN = {
    ".i": "the iterator of a loop",
    ".w": "the context manager of a `with`",
    ".e": "an exception that is handled",
    ".y": "what a `yield from` hands on to",
    ".r": "the result of a comprehension",
    ".t": "a value that waits for a call",
}


_REMEDY = (
    "Make it by one assignment of its own, `name = call(...)`, which is run again on a resume, or "
    "by a `with`"
)
_REMEDIES = {
    ".i": "Loop over a list of what can be saved, `for x in list(...)`; else the next save is made "
    "when the loop has ended"
}


def _refusal(name: str, where: str, skip: Skipped) -> UnpicklableError:
    path = skip.path.rpartition(": ")[2]
    shown = _HIDDEN.get(name[:2], "a value that is at work") if name.startswith(".") else name
    way = "" if path == name else f", for it holds {path.replace(name, shown, 1)}"
    remedy = _REMEDIES.get(name[:2], _REMEDY) if name.startswith(".") else _REMEDY
    return UnpicklableError(
        f"cannot save {shown}{where}{way} (a {skip.type}): {skip.why}. Nothing was written, and "
        f"the program runs on. {remedy}"
    )
