"""A decoded state back into the program: definitions first, then all values, then the frames."""

from __future__ import annotations

from collections.abc import Mapping
from types import CodeType
from typing import Any

from resume.errors import RestoreError
from resume.reentry import process
from resume.reentry.fields import record_from
from resume.reentry.given import Given
from resume.reentry.making import Making, look_up
from resume.reentry.program import Program
from resume.reentry.records import FrameRecord, Keeping
from resume.reentry.roots import CELLS, PROCESS


def prepare(layout: Mapping[str, Any]) -> None:
    """Set the process as it was: the first thing to do, before any definition runs.

    Raises:
        RestoreError: The folder that the program worked in is gone.
    """
    process.apply_plain(layout["process"])


def definitions(program: Program, module: str, layout: Mapping[str, Any], given: Given) -> CodeType:
    """Return what *module* runs in place of its code, to define what it had defined."""
    modules = layout["modules"]
    position = modules.get(module, {}).get("position")
    named = given.begin(module)
    return program[module].rewritten.definitions(position, own=modules, given=named)


def define(
    program: Program, module: str, layout: Mapping[str, Any], given: Given | None = None
) -> None:
    """Run what *module* defines, as far as it had come: before the state is decoded.

    Args:
        program: Its modules.
        module: Name of one of them.
        layout: As `Taken.layout`.
        given: What its definitions read; None: nothing.

    Raises:
        Exception: Whatever the module's own code raises.
    """
    known = layout["modules"].get(module, {})
    loaded = program[module]
    exec(definitions(program, module, layout, given or Given(program)), loaded.namespace)  # noqa: S102
    if known.get("first"):
        exec(loaded.rewritten.recreation(known["first"]), loaded.namespace)  # noqa: S102


def put_back(
    program: Program, layout: Mapping[str, Any], values: Mapping[str, Any], making: Making
) -> list[FrameRecord]:
    """Put decoded values where they belong, and return the frames that are to go on.

    The program's own code runs only at the end: assignments that are made again, and generators up
    to the places where they are suspended.

    Args:
        program: Its modules; their definitions have run.
        layout: As `Taken.layout`.
        values: By root.
        making: What the decode was given.

    Raises:
        RestoreError: The state and its account do not belong together.
    """
    for module, known in layout["modules"].items():
        space = program[module].namespace
        for name, root in known["globals"].items():
            space[name] = _value(values, root)
        kept = {*known["globals"], *known["first"], *known["recreated"]}
        for name in _left_over(program, module, known, kept):
            space.pop(name, None)
    for module, qualname, attributes in layout["classes"]:
        kind = look_up(program[module].namespace, qualname)
        for name, root in attributes.items():
            type.__setattr__(kind, name, _value(values, root))
    _set_process(program, layout, values)
    frames = _frames(layout, values)
    for record in frames:
        if record.block == 0:
            program[record.module].namespace.update(record.values)
    for module, known in layout["modules"].items():
        if known["recreated"]:
            loaded = program[module]
            exec(loaded.rewritten.recreation(known["recreated"]), loaded.namespace)  # noqa: S102
    making.finish()
    return frames


def _set_process(program: Program, layout: Mapping[str, Any], values: Mapping[str, Any]) -> None:
    if "process" not in layout:  # the state of a function, not of a whole program
        return
    held = {each: values[each] for each in values if each.startswith(PROCESS)}
    process.apply_held(
        {each.removeprefix(PROCESS): value for each, value in held.items()},
        [each.name for each in program],
    )


def _left_over(
    program: Program, module: str, known: Mapping[str, Any], kept: set[str]
) -> list[str]:
    """Names that the definitions have bound, and that were not there when the state was saved."""
    defined = program[module].rewritten.defined(known["position"])
    constants = defined.constants - defined.made - set(defined.imported) - kept
    return [*known["gone"], *constants]


def _frames(layout: Mapping[str, Any], values: Mapping[str, Any]) -> list[FrameRecord]:
    cells = _value(values, CELLS)
    frames = []
    for row in layout["frames"]:
        head = {name: part for name, part in row.items() if name not in ("values", "cells")}
        held = {name: _value(values, root) for name, root in row["values"].items()}
        own = {name: cells[number] for name, number in row["cells"].items()}
        if "generator" in head:
            head["generator"] = _value(values, head["generator"])
        if "keeping" in head:
            head["keeping"] = Keeping(*_value(values, head["keeping"]))
        frames.append(record_from(head, held, own))
    return frames


def _value(values: Mapping[str, Any], root: str) -> Any:
    if root not in values:
        raise RestoreError(
            f"the saved state holds no {root}, which its manifest tells of. The saved state is "
            "untouched: start anew, or take another generation"
        )
    return values[root]
