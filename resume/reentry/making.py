"""What a restore makes a program's own functions and generators of; `reducers` saves them.

Goal: each is again what the source says it is, with what it had of its own, and is there before
what it holds.

What does not work: generators that are put together by pickle (a generator's variable may hold the
generator). So one is made over an empty dict of variables, which is filled when all is there, and
runs to its place only behind that.

What can still go wrong: a block or a name that the source does not have any more is an error.
"""

from __future__ import annotations

import types
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from resume.errors import RestoreError
from resume.pickling.builders import bound, builder
from resume.pickling.functions import fill_cell
from resume.pickling.session import Rebuild
from resume.reentry import parameters
from resume.reentry.fields import record_from
from resume.reentry.files import SLOT
from resume.reentry.program import Program
from resume.reentry.records import FrameRecord
from resume.reentry.wrappers import wrapper

Cells: TypeAlias = "list[tuple[types.CellType, tuple[Any, ...]]]"
"""Cells with what they hold: one item, or none."""


@dataclass(slots=True)
class Making:
    """What a restore makes the program's functions and generators of."""

    program: Program
    make: Callable[[FrameRecord], Any]
    """Gives a generator that goes on from a record, and has not begun to (`begin_generator`): its
    values are filled in later, in the very dict that is the record's now."""
    start: Callable[[Any], None]
    """Runs such a generator to the place where it is suspended."""
    waiting: dict[int, tuple[Any, dict[str, Any]]] = field(default_factory=dict)
    """By id of a generator whose values are still to come: the dict for these."""
    suspended: list[Any] = field(default_factory=list)

    shared: Mapping[str, Any] = field(default_factory=dict)
    """Cells and functions that live already, by what they go by (`Taking.shared`)."""
    cuts: list[Callable[[], None]] = field(default_factory=list)
    """Each brings a file that is written back to what it held."""
    opened: list[Any] = field(default_factory=list)
    """Files."""
    kept: set[str] = field(default_factory=set)
    """Paths of the files that come out of the state whole."""
    others: set[str] = field(default_factory=set)
    """Paths of the files that are read, and do not hold any more what they held."""

    def finish(self) -> None:
        """Cut files back and run all generators to their places, once all globals are in theirs.

        Raises:
            RestoreError: A file that the program had open was changed since; nothing was touched.
        """
        for path in sorted(self.others - self.kept):
            for file in self.opened:
                file.close()
            raise RestoreError(
                f"{path}, which the program was reading, does not hold any more what it held when "
                "it was saved: it was written anew, or changed. The saved state is untouched. Put "
                "the file back as it was, or start anew."
            )
        for cut_back in self.cuts:
            cut_back()
        self.cuts.clear()
        self.opened.clear()
        waiting, self.suspended[:] = list(self.suspended), []
        for generator in waiting:
            self.start(generator)

    def code_of(self, module: str, block: int) -> types.CodeType:
        """The code of a block, as the source gives it.

        Raises:
            RestoreError: The program has no such block.
        """
        if module in self.program:
            code = self.program[module].rewritten.codes.get(block)
            if code is not None:
                return code
        raise RestoreError(
            f"the saved state holds a function number {block} of {module}, which is not there: the "
            "source is not that of the save. The saved state is untouched; restart, or put the "
            "source back."
        )


def making_of(rebuild: Rebuild) -> Making:
    """Return what a restore makes the program's things of.

    Raises:
        LookupError: The state is looked at by something else than a restore.
    """
    found = rebuild.own.get(SLOT)
    if not isinstance(found, Making):
        raise LookupError(  # noqa: TRY004 - nothing was given, most likely
            "it is part of a program that was rewritten: `resume run` restores it"
        )
    return found


def look_up(namespace: Mapping[str, Any], qualname: str) -> Any:
    """What a qualified name means, told without running anything; None where it is nothing."""
    first, *rest = qualname.split(".")
    found = namespace.get(first)
    for part in rest:
        if not isinstance(found, type):
            return None
        found = vars(found).get(part)
        if isinstance(found, (staticmethod, classmethod)):
            found = found.__func__
    return found


@bound
def by_name(rebuild: Rebuild, module: str, qualname: str) -> Any:
    """What the definitions of the program have made under this name."""
    making = making_of(rebuild)
    found = (
        look_up(making.program[module].namespace, qualname) if module in making.program else None
    )
    if found is None:
        raise LookupError(f"{module} has no {qualname}")
    return found


@bound
def declared_parameter(rebuild: Rebuild, module: str, qualname: str, number: int) -> Any:
    """The type parameter of what the definitions of the program have made under this name."""
    return parameters.parameters_of(by_name(rebuild, module, qualname))[number]


@bound
def named_function(rebuild: Rebuild, module: str, block: int, qualname: str) -> Any:
    """A function that the definitions have made; a new one where they made something else."""
    making = making_of(rebuild)
    code = making.code_of(module, block)
    namespace = making.program[module].namespace
    found = look_up(namespace, qualname)
    site = making.program.find(found.__code__) if isinstance(found, types.FunctionType) else None
    if site is not None and (site.module.name, site.table.block) == (module, block):
        return found
    cells = tuple(types.CellType() for _ in code.co_freevars)
    made = types.FunctionType(code, namespace, code.co_name, None, cells)
    made.__module__, made.__qualname__ = module, qualname
    return made


@bound
def block_function(
    rebuild: Rebuild,
    module: str,
    block: int,
    cells: Mapping[str, types.CellType],
    names: tuple[str, str],
) -> Any:
    """A function of a block of the program, over these cells."""
    making = making_of(rebuild)
    code = making.code_of(module, block)
    closure = tuple(cells.get(name) or types.CellType() for name in code.co_freevars)
    made = types.FunctionType(
        code, making.program[module].namespace, code.co_name, None, closure or None
    )
    made.__module__, made.__qualname__ = names
    return made


@builder
def wrapped_again(function: Any, begin: Any) -> Any:
    """A wrapper like the one that was saved."""
    return wrapper(function, begin)


@bound
def shared_thing(rebuild: Rebuild, name: str) -> Any:
    """A cell or a function that lives already."""
    found = making_of(rebuild).shared.get(name)
    if found is None:
        raise LookupError(f"the caller brings no {name}")
    return found


@builder
def fill_shared(target: types.CellType, contents: tuple[Any, ...]) -> None:
    """Let a cell that may hold something hold what was saved, or nothing."""
    if contents:
        target.cell_contents = contents[0]
    else:
        del target.cell_contents


@bound
def program_generator(
    rebuild: Rebuild,
    head: Mapping[str, Any],
    bound_names: tuple[str, ...],
    cells: dict[str, types.CellType],
    names: tuple[str, str],
) -> Any:
    """A generator that goes on from a record, its values still to come."""
    making = making_of(rebuild)
    making.code_of(head["module"], head["block"])
    values = dict.fromkeys(bound_names)
    made = making.make(record_from(head, values, cells))
    made.__name__, made.__qualname__ = names
    making.waiting[id(made)] = made, values
    return made


@bound
def fill_generator(
    rebuild: Rebuild, target: Any, state: tuple[tuple[bool, Cells], dict[str, Any]]
) -> None:
    """Give a generator the values of its variables, and note whether it is suspended."""
    making = making_of(rebuild)
    (is_suspended, fills), values = state
    for cell, contents in fills:
        fill_cell(cell, contents)
    making.waiting.pop(id(target))[1].update(values)
    if is_suspended:
        making.suspended.append(target)


def iter_of_nothing() -> Iterator[None]:
    """A generator that yields nothing."""
    yield from ()


@bound
def ended_generator(_rebuild: Rebuild, name: str, qualname: str) -> Any:
    """A generator that has come to its end."""
    made: Any = iter_of_nothing()
    next(made, None)
    made.__name__, made.__qualname__ = name, qualname
    return made
