"""The state of a whole program as named roots of one graph, and a plain account of what they are.

Every variable is a root of its own, so that one that cannot be saved is told by its name, and the
table of variables shows what each takes. The account (`Taken.layout`) is what the manifest keeps:
which module, block and position each frame stands at, and which root is which of its variables.

Names of roots: a global of the program's own module has its plain name, one of another module is
`module:name`, a variable of a frame `function: name`, with `[2]` behind the name of a function that
is on the stack more than once; class data is `Class.name`. Roots that begin with a dot are no
variables of the program.
"""

from __future__ import annotations

import types
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from resume.errors import UnpicklableError
from resume.pickling import Look
from resume.reentry import caches, process, things
from resume.reentry.fates import Fate, fate_of_global, fates_of_local
from resume.reentry.fields import parted, plain_fields
from resume.reentry.given import ROOT, Giving
from resume.reentry.names import ModuleNames, Names
from resume.reentry.program import LoadedModule, Program
from resume.reentry.records import FrameRecord, Postponed
from resume.reentry.reducers import Taking
from resume.reentry.waiting import OPEN_GRAPH, OPEN_TRANSACTION
from resume.reentry.waiting import reason_for as waiting_for
from resume.types import Skipped

CELLS = ".cells"
PROCESS = ".process "
"""Before the name of what is set in the process: each is a root of its own."""
KEEPING = ": keeping"
Fates = dict[tuple[int | str, str], Fate]
"""By depth of a frame (or name of a module) and variable: what becomes of it."""


@dataclass(frozen=True, slots=True)
class Taken:
    """The state of a program at one moment, still alive."""

    roots: Mapping[str, Any]
    """By name: what goes into the graph, in this order."""
    look: Look
    """How the program's own types go into it: `encode(look=...)`, `Scene.look`."""
    layout: dict[str, Any]
    """What `put_back` needs besides the roots."""
    places: Mapping[str, tuple[int | str, str]] = field(repr=False)
    """By root: the frame's depth, or the module's name, and the variable."""
    met: Collection[str] = ()
    """Once it was encoded: modules whose functions and generators are in it."""


class ProgramState:
    """Takes the state of a program, and remembers which variables could not be saved."""

    def __init__(
        self,
        program: Program,
        record: Callable[[Any], FrameRecord],
        *,
        modules: Collection[str] | None = None,
        shared: Mapping[int, str] = types.MappingProxyType({}),
    ) -> None:
        """Begin with nothing known.

        Args:
            program: The modules that were rewritten.
            record: Gives the record of a generator that is suspended, or has not begun.
            modules: Those whose globals are state; None stands for all, and what the program has
                set in its process.
            shared: By id: cells that others than the program hold, and what they go by.
        """
        self._program, self._record, self._shared = program, record, shared
        self._modules = modules
        self._known: dict[tuple[str, int, str], tuple[type, Skipped]] = {}
        """By module, block and variable: type of what could not be saved, and why."""
        self._passing: dict[tuple[str, int, str], Skipped] = {}
        """The same, of what this save alone cannot save."""
        self._giving = Giving(program)
        self._emptied: list[Any] = []
        """Caches of functions (`lru_cache`) that hold what cannot be saved: they begin anew."""
        self.left_out: dict[str, str] = {}
        """What is set in the process, can be missed, and cannot be saved: its name, and why."""

    def take(
        self, frames: Sequence[FrameRecord], running: Mapping[int, FrameRecord] | None = None
    ) -> Taken:
        """Take the state, without what is known to be unsavable.

        Args:
            frames: Of the stack, outermost first; no generators.
            running: Records of the generators on it, by `id(frame)`.

        Raises:
            UnpicklableError: A variable that is needed was unsavable before, and still is.
            UnsupportedCodeError: A definition of the program could not run again.
            Postponed: A variable that is needed cannot be saved yet.
        """
        self._passing.clear()
        return self._take(frames, running)

    def _take(
        self, frames: Sequence[FrameRecord], running: Mapping[int, FrameRecord] | None
    ) -> Taken:
        fates: Fates = {}
        for depth, record in enumerate(frames):
            for name, value in [*record.values.items(), *_contents(record)]:
                skip = self._skip(record.module, record.block, name, value)
                if skip is not None:
                    self._decide_local(fates, frames, depth, name, value, skip)
        for module in self._state_modules():
            for name, value in module.namespace.items():
                skip = self._skip(module.name, 0, name, value)
                if skip is not None and not name.startswith("."):
                    self._decide_global(fates, frames, module.name, name, value, skip)
        return self._taken(frames, running or {}, fates)

    def without(
        self,
        taken: Taken,
        skipped: Collection[Skipped],
        frames: Sequence[FrameRecord],
        running: Mapping[int, FrameRecord] | None = None,
    ) -> Taken:
        """Take the state again, without the roots of *taken* that could not be saved.

        Raises:
            UnpicklableError: One of them is needed, and nothing can make it again.
            Postponed: One of them is needed, and cannot be saved yet.
        """
        if any(skip.why == OPEN_TRANSACTION for skip in skipped):
            raise Postponed(OPEN_TRANSACTION)
        # what a cache was called with, a frame has among its variables, too
        own = [skip for skip in skipped if not skip.name.endswith(KEEPING)]
        missed = [skip for skip in own if _can_be_missed(skip.name)]
        self.left_out |= {skip.name.removeprefix(PROCESS): skip.why for skip in missed}
        failed = [skip for skip in own if skip.name != CELLS and skip not in missed]
        full = [taken.roots[skip.name] for skip in failed]
        if emptied := [each for each in full if isinstance(each, caches.KIND)]:
            self._emptied += emptied
            return self._take(frames, running)
        # What a cell holds comes first: functions over it can be saved when it is left out.
        for skip in [skip for skip in failed if _is_in_cell(skip, taken, frames)] or failed:
            if skip.name not in taken.places:
                raise _unplaced(skip)
            place, name = taken.places[skip.name]
            value = taken.roots[skip.name]
            if isinstance(place, str):
                variable = place, 0, name
            else:
                variable = frames[place].module, frames[place].block, name
            if skip.why == OPEN_GRAPH:
                self._passing[variable] = skip
            else:
                self._known[variable] = type(value), skip
        return self._take(frames, running)

    def _skip(self, module: str, block: int, name: str, value: Any) -> Skipped | None:
        why = waiting_for(value)
        if why == OPEN_TRANSACTION:
            raise Postponed(why)
        if why:
            return Skipped(name, name, type(value).__qualname__, why, "")
        kind, skip = self._known.get((module, block, name), (None, None))
        return skip if kind is type(value) else self._passing.get((module, block, name))

    # -- what becomes of what cannot be saved

    def _decide_local(
        self,
        fates: Fates,
        frames: Sequence[FrameRecord],
        depth: int,
        name: str,
        value: Any,
        skip: Skipped,
    ) -> None:
        found = fates_of_local(self._program, frames[depth], name, value, skip)
        for each, fate in found.items():
            fates[depth, each] = fate
            if frames[depth].block == 0 and not each.startswith("."):
                fates[frames[depth].module, each] = fate

    def _decide_global(
        self,
        fates: Fates,
        frames: Sequence[FrameRecord],
        module: str,
        name: str,
        value: Any,
        skip: Skipped,
    ) -> None:
        depth = next(
            (at for at, each in enumerate(frames) if (each.module, each.block) == (module, 0)), None
        )
        frame = None if depth is None else frames[depth]
        found = fate_of_global(self._program, self._program[module], name, value, frame, skip)
        for each, fate in found.items():
            fates[depth if each.startswith(".") and depth is not None else module, each] = fate

    # -- roots

    def _state_modules(self) -> list[LoadedModule]:
        wanted = self._modules
        return [each for each in self._program if wanted is None or each.name in wanted]

    def _taken(
        self, frames: Sequence[FrameRecord], running: Mapping[int, FrameRecord], fates: Fates
    ) -> Taken:
        account = _Account(self._program, frames, fates, own=frames[0].module)
        names = Names(self._program, account.positions)
        parts = {module.name: names.of_module(module) for module in self._state_modules()}
        for module in self._state_modules():
            account.add_module(module.name, parts[module.name], names)
        for depth in range(len(frames)):
            account.add_frame(depth)
        is_whole = self._modules is None
        if is_whole:
            held = process.held(account.entered, [each.name for each in self._program])
            account.roots |= {
                PROCESS + name: held[name] for name in held if name not in self.left_out
            }
        account.roots[CELLS] = tuple(account.cells.values())
        look = Taking(
            self._program,
            self._record,
            running,
            {module.name: self._defined(module, parts) for module in self._program},
            account.blank,
            account.held,
            {each.name for each in self._program} - {each.name for each in self._state_modules()},
            set(map(id, self._emptied)),
            account.waiting,
            self._shared,
        )
        roots = account.roots
        if not is_whole:
            layout = account.layout({})
            del layout["process"]
            return Taken(roots, look.look, layout, account.places, look.met)
        layout = account.layout({**process.plain(is_whole=True), "left_out": sorted(self.left_out)})
        if given := self._giving.take(names, account.positions, look):
            roots = {ROOT: given, **roots}
        return Taken(roots, look.look, layout, account.places, look.met)

    def _defined(self, module: LoadedModule, parts: Mapping[str, ModuleNames]) -> Collection[str]:
        """Globals that are there before the decode: all of a module that is no state."""
        is_state = self._modules is None or module.name in self._modules
        return parts[module.name].defined if is_state else frozenset(module.namespace)


def _contents(record: FrameRecord) -> list[tuple[str, Any]]:
    found = []
    for name, cell in record.cells.items():
        try:
            found.append((name, cell.cell_contents))
        except ValueError:  # the variable is not bound yet
            continue
    return found


def _is_in_cell(skip: Skipped, taken: Taken, frames: Sequence[FrameRecord]) -> bool:
    place, name = taken.places.get(skip.name, ("", ""))
    return not isinstance(place, str) and name in frames[place].cells


def _can_be_missed(root: str) -> bool:
    setting = root.removeprefix(PROCESS)
    return setting != root and setting.split(" ", maxsplit=1)[0] not in process.NEEDED


def _unplaced(skip: Skipped) -> Exception:
    if skip.why == OPEN_GRAPH:
        return Postponed(OPEN_GRAPH)
    return UnpicklableError(
        f"cannot save {skip.path.lstrip('.')} (a {skip.type}): {skip.why}. Nothing was written, "
        "and the program runs on"
    )


class _Account:
    """Collects roots, and the account of what they are."""

    def __init__(
        self, program: Program, frames: Sequence[FrameRecord], fates: Fates, *, own: str
    ) -> None:
        self._program, self._frames, self._fates, self._own = program, frames, fates, own
        self.roots: dict[str, Any] = {}
        self.places: dict[str, tuple[int | str, str]] = {}
        self.cells: dict[int, types.CellType] = {}
        self.blank: set[int] = set()
        self.held: set[int] = set()
        self.waiting = Counter[int]()
        """By id of a cache: calls whose results it gets."""
        self.entered: list[Any] = []
        """Context managers that are entered again."""
        self.positions: dict[str, int | None] = {
            record.module: record.position for record in frames if record.block == 0
        }
        self._modules: dict[str, Any] = {}
        self._classes: list[Any] = []
        self._stack: list[Any] = []
        self._labels = _labels(frames)
        self._numbers: dict[int, int] = {}
        self._contents: set[int] = set()

    def layout(self, settings: Mapping[str, Any]) -> dict[str, Any]:
        """What the manifest keeps."""
        return {
            "process": settings,
            "modules": self._modules,
            "classes": self._classes,
            "frames": self._stack,
        }

    def add_module(self, module: str, part: ModuleNames, names: Names) -> None:
        """Add the globals of a module, its functions' and its classes' data."""
        prefix = "" if module == self._own else f"{module}:"
        roots: dict[str, Any] = {}
        fates = {name: fate for (place, name), fate in self._fates.items() if place == module}
        for name, value in part.variables.items():
            if name not in fates:
                roots[name] = self._add(prefix + name, value, (module, name))
        recreated = sorted(name for name, fate in fates.items() if fate is Fate.RECREATED)
        self._modules[module] = {
            "position": self.positions.get(module),
            "first": list(part.first),
            "gone": list(part.gone),
            "globals": roots,
            "recreated": recreated,
        }
        loaded = self._program[module]
        for qualname, function in names.functions(loaded):
            self.roots[f".function {prefix}{qualname}"] = function
        for data in names.classes(loaded):
            kept: dict[str, Any] = {}
            for name, value in data.attributes.items():
                kept[name] = self._add(f"{prefix}{data.qualname}.{name}", value, None)
            self._classes.append([module, data.qualname, kept])

    def add_frame(self, depth: int) -> None:
        """Add what a frame holds: values, and cells once for all frames that share them."""
        record, label = self._frames[depth], self._labels[depth]
        fates = {name: fate for (place, name), fate in self._fates.items() if place == depth}
        values, again, entered = parted(record.values)
        self.entered += [record.values[name] for name in entered]
        self.held |= {id(lock) for name in entered for lock in things.locks_of(record.values[name])}
        roots: dict[str, Any] = {}
        for name, value in values.items():
            if name not in fates:
                hidden = "." if name.startswith(".") else ""
                root = f"{hidden}{label}: {name}"
                roots[name] = self._add(root, value, (depth, name))
        cells: dict[str, Any] = {}
        for name, cell in record.cells.items():
            cells[name] = self._numbers.setdefault(id(cell), len(self._numbers))
            self.cells[id(cell)] = cell
            if name in fates:
                self.blank.add(id(cell))
        for name, value in _contents(record):
            cell = record.cells[name]
            if id(cell) not in self.blank and id(cell) not in self._contents:
                self._contents.add(id(cell))
                self._add(f"{label}: {name}", value, (depth, name))
        is_local = record.block != 0
        # what runs it instead of a frame: a call of `next` or `send`
        asked = getattr(record, "generator", None)
        stands_in = {}
        if asked is not None:
            stands_in["generator"] = self._add(f".{label}: generator", asked, None)
        keeping = record.keeping
        if keeping is not None and not fates:
            self.waiting[id(keeping.cache)] += keeping.is_counted
            called = (keeping.cache, keeping.args, keeping.named)
            stands_in["keeping"] = self._add(f".{label}{KEEPING}", called, None)
        self._stack.append(
            {
                **plain_fields(record),
                **stands_in,
                "values": roots,
                "cells": cells,
                "again": [name for name in again if name in roots],
                "reentered": sorted({*entered, *_with(fates, Fate.REENTERED)}),
                "recreated": sorted(_with(fates, Fate.RECREATED)) if is_local else [],
            }
        )

    def _add(self, root: str, value: Any, place: tuple[int | str, str] | None) -> str:
        self.roots[root] = value
        if place is not None:
            self.places[root] = place
        return root


def _with(fates: Mapping[str, Fate], wanted: Fate) -> set[str]:
    return {name for name, fate in fates.items() if fate is wanted}


def _labels(frames: Sequence[FrameRecord]) -> list[str]:
    """A name for each frame: its function's, numbered where that is there more than once."""
    names = [record.qualname or f"<{record.module}>" for record in frames]
    often, seen, labels = Counter(names), Counter[str](), []
    for name in names:
        seen[name] += 1
        labels.append(f"{name}[{seen[name]}]" if often[name] > 1 else name)
    return labels
