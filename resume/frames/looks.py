"""What a look at the code tells before anything goes wrong: safe points that a rerun cannot reach.

A plain `Checkpoint` brings names back and leads `chp.loop`s to their place; a plain `for` starts
from its beginning, and statements behind `restore()` run again. Each look names line and remedy.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from itertools import pairwise
from types import CodeType

from resume.frames.flow import Around, Flow, flow_of
from resume.frames.sites import callee_of, is_loop_call

_STORES = ("STORE_FAST", "STORE_NAME", "STORE_GLOBAL", "STORE_DEREF")


@dataclass(frozen=True, slots=True)
class Look:
    """One finding, for the user."""

    line: int
    text: str


@dataclass(frozen=True, slots=True)
class _Scene:
    """The code and the places in it that matter."""

    flow: Flow
    handles: frozenset[str]
    points: tuple[int, ...]
    """Indexes of the `sync()` and `save()` calls."""
    restored: int | None
    """Index of the instruction that brings the names back."""


def static_looks(
    code: CodeType, restore_line_offset: int | None = None, *, handles: Collection[str]
) -> list[Look]:
    """Look for the three usual ways to lose what a rerun should bring back.

    Args:
        code: Code of the owner.
        restore_line_offset: `f_lasti` of the owner's frame during `restore()` (or the start of the
            `with` block); None: the first `.restore()` call of a handle in the code.
        handles: Names that hold the checkpoint (`chp`, `self.chp`).
    """
    flow = flow_of(code)
    known = frozenset(handles)
    points = (*_calls(flow, known, "sync"), *_calls(flow, known, "save"))
    if restore_line_offset is not None:
        restored: int | None = flow.index(restore_line_offset)
    else:
        restored = min(_calls(flow, known, "restore"), default=None)
    scene = _Scene(flow, known, tuple(sorted(points)), restored)
    found = [*_points_in_plain_for(scene), *_wiped_names(scene), *_second_loops(scene)]
    return sorted(set(found), key=lambda look: (look.line, look.text))


def _calls(flow: Flow, handles: Collection[str], method: str) -> list[int]:
    wanted = {f"{handle}.{method}" for handle in handles}
    return [
        index
        for index, op in enumerate(flow.ops)
        if op.name.startswith("CALL") and callee_of(flow, index) in wanted
    ]


def _points_in_plain_for(scene: _Scene) -> Iterator[Look]:
    """Find safe points in a `for` that is no `.loop`, and in none around it either.

    Inside a `.loop` they wait for the end of its item, which a rerun comes back to.
    """
    flow = scene.flow
    for point in scene.points:
        fors = [header for header in flow.fors(point) if flow.ops[header].name == "FOR_ITER"]
        if not fors or any(is_loop_call(flow, header) for header in fors):
            continue
        what, line, at = callee_of(flow, point), flow.ops[point].line, flow.ops[fors[0]].line
        handle = what.rpartition(".")[0]
        yield Look(
            line,
            f"{what}() at line {line} is in a plain `for` (line {at}): a rerun starts that `for` "
            f"from its beginning. Write `for x in {handle}.loop(...)`, so that it continues at the "
            "next item, or use @resumable",
        )


def _plain_whiles(scene: _Scene) -> list[tuple[Around, frozenset[int]]]:
    """List the `while` loops behind the restore, in no other loop, that hold a safe point."""
    flow, found = scene.flow, []
    for header, body in flow.whiles:
        around = flow.around(header)
        if around and around[0].header == flow.ops[header].offset:
            is_behind = scene.restored is None or header > scene.restored
            if is_behind and scene.restored not in body and body.intersection(scene.points):
                found.append((around[0], body))
    return found


def _wiped_names(scene: _Scene) -> Iterator[Look]:
    """Find names stored between `restore()` and a `while` that goes on changing them.

    `if not chp.restore(): ...` stores only where nothing came back, so a restore whose result is
    used is left in peace; and a name that the loop never stores again is a mere helper.
    """
    flow, restored = scene.flow, scene.restored
    if restored is None or not _result_unused(flow, restored):
        return
    for loop, body in _plain_whiles(scene):
        changed = {name for index in body for name in _stored(flow, index)}
        between = [i for i in range(restored + 1, flow.index(loop.header)) if i not in body]
        for index in between:
            for name in _stored(flow, index):
                if name in changed and name not in scene.handles and not name.startswith("_"):
                    line = flow.ops[index].line
                    yield Look(
                        line,
                        f"`{name}` is set at line {line}, between restore() and the `while` at "
                        f"line {loop.line}: that wipes what restore() brought back. Move it above "
                        "restore()",
                    )


def _result_unused(flow: Flow, restored: int) -> bool:
    """Tell a restore that stands alone, or the start of a `with` block."""
    names = [op.name for op in flow.ops[restored : restored + 2]]
    return names[-1] == "POP_TOP" or names[0] == "BEFORE_WITH"


def _stored(flow: Flow, index: int) -> list[str]:
    op = flow.ops[index]
    if op.name == "STORE_FAST_STORE_FAST":
        return list(op.value)
    if op.name == "STORE_FAST_LOAD_FAST":
        return [op.value[0]]
    if op.name in _STORES and flow.stacks[index] is not None:
        return [op.value]
    return []


def _second_loops(scene: _Scene) -> Iterator[Look]:
    """Find a `while` with safe points behind another one: a rerun meets the first one again."""
    loops = _plain_whiles(scene)
    for (first, _), (second, _) in pairwise(loops):
        yield Look(
            second.line,
            f"the `while` at line {second.line} has safe points, and so has the one at line "
            f"{first.line} above it: a rerun goes through the first again before it comes back "
            "here. See that its condition is false by then, put the second into a function with a "
            "Checkpoint of its own, or use @resumable",
        )
