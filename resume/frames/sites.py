"""The `for` statements over a `.loop(...)` call, and safe points: where they stand, their keys."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from types import CodeType
from typing import Any, TypeAlias

from resume.frames.flow import Around, Flow, flow_of
from resume.frames.stack import callee, step

Tree: TypeAlias = list[Any]
"""Pairs of a key and the tree of the loops inside; JSON."""

_COMPREHENSIONS = frozenset({"<listcomp>", "<setcomp>", "<dictcomp>", "<genexpr>"})


@dataclass(frozen=True, slots=True)
class LoopSite:
    """A `for` statement over a `.loop(...)` call."""

    offset: int
    """Of its FOR_ITER."""
    line: int
    enclosing: tuple[Around, ...]
    """Loops around it, outermost first."""
    key: str
    """Ordinal among the `.loop` statements of the code (`0`, `1`); `for3`: the fourth `for` of all,
    where the call goes by another name."""

    @property
    def ordinal(self) -> str:
        """Another word for the key."""
        return self.key


def loop_site(code: CodeType, lasti: int) -> LoopSite | str:
    """Tell which `for` statement takes the result of the call that a frame stands at.

    Args:
        code: Code of the frame that calls `chp.loop(...)`.
        lasti: Its `f_lasti` during that call.

    Returns:
        The site, or why there is none: `comprehension`, `wrapped` (the result goes to another
        call, as in `enumerate(chp.loop(xs))`), `stored`, `other`.
    """
    return _loop_site(code, flow_of(code).index(lasti))


@lru_cache(maxsize=1024)
def _loop_site(code: CodeType, call: int) -> LoopSite | str:
    flow = flow_of(code)
    if code.co_name in _COMPREHENSIONS:  # 3.11 has a code of its own for each, later for genexprs
        return "comprehension"
    if [op.name for op in flow.ops[call + 1 : call + 3]] != ["GET_ITER", "FOR_ITER"]:
        return _why_not(flow, call)
    header = call + 2
    if any(_is_comprehension(flow, other) for other in flow.fors(call)):
        return "comprehension"  # its second `for` clause, inlined (3.12)
    keys = _keys(code)
    ordinal = keys.get(header)
    return LoopSite(
        offset=flow.ops[header].offset,
        line=flow.ops[header].line,
        enclosing=flow.around(call),
        key=f"for{_all_fors(flow).index(_place(flow, header))}" if ordinal is None else ordinal,
    )


def _why_not(flow: Flow, call: int) -> str:
    """Find the instruction that takes the result of a call, and say what it is."""
    index = call + 1
    while index < len(flow.ops):
        stack = flow.stacks[index] or ()
        held = [mark for mark in stack if mark.call == call]
        if not held:
            return "other"
        op = flow.ops[index]
        if held[0] not in step(op, index, stack, jumps=False):
            break
        index += 1
    name = flow.ops[index].name if index < len(flow.ops) else ""
    if name.startswith("CALL"):
        return "wrapped"
    if name.startswith("STORE_") or flow.ops[call + 1].name == "COPY":  # COPY: a walrus
        return "stored"
    if name == "GET_ITER" and index == call + 1:
        return "comprehension"
    return "other"


def _is_comprehension(flow: Flow, header: int) -> bool:
    """Tell an inlined comprehension: between GET_ITER and FOR_ITER it makes its container."""
    return flow.ops[header].name == "FOR_ITER" and flow.ops[header - 1].name != "GET_ITER"


def is_loop_call(flow: Flow, header: int) -> bool:
    """Tell whether a FOR_ITER takes its items from a call of something named `loop`."""
    if header < 2 or flow.ops[header].name != "FOR_ITER" or flow.ops[header - 1].name != "GET_ITER":
        return False
    if not flow.ops[header - 2].name.startswith("CALL"):
        return False
    return callee_of(flow, header - 2).rpartition(".")[2] == "loop"


def _place(flow: Flow, header: int) -> tuple[int, ...]:
    """Give the place in the source that makes a loop itself: the call before its GET_ITER.

    A `finally` body appears several times in the code, from one place; and handlers stand at the
    end of the code, at offsets that differ between versions.
    """
    return flow.ops[max(0, header - 2)].position


def _all_fors(flow: Flow) -> list[tuple[int, ...]]:
    headers = [
        index
        for index, op in enumerate(flow.ops)
        if op.name == "FOR_ITER" and not _is_comprehension(flow, index)
    ]
    return sorted({_place(flow, header) for header in headers})


@lru_cache(maxsize=512)
def _keys(code: CodeType) -> dict[int, str]:
    """Return the key of each FOR_ITER over a `.loop(...)` call, in the order of the source."""
    flow = flow_of(code)
    headers = [index for index in range(len(flow.ops)) if is_loop_call(flow, index)]
    places = sorted({_place(flow, header) for header in headers})
    return {header: str(places.index(_place(flow, header))) for header in headers}


def loop_tree(code: CodeType) -> Tree:
    """Return the `.loop` statements of *code* by nesting: `[["0", [["1", []]]], ["2", []]]`.

    Equal over Python versions for the same source. Loops of other kinds in between do not show.
    """
    flow, keys = flow_of(code), _keys(code)
    children: dict[str, list[str]] = {}
    for header, key in sorted(keys.items(), key=lambda item: int(item[1])):
        parents = [keys[other] for other in flow.fors(header - 2) if other in keys]
        below = children.setdefault(parents[-1] if parents else "", [])
        if key not in below:
            below.append(key)

    def grow(parent: str) -> Tree:
        return [[key, grow(key)] for key in children.get(parent, [])]

    return grow("")


def enclosing_loops(code: CodeType, lasti: int) -> tuple[Around, ...]:
    """Return all loops, `for` and `while`, around an instruction, outermost first."""
    flow = flow_of(code)
    return flow.around(flow.index(lasti))


def safe_point_key(code: CodeType, lasti: int) -> str:
    """Name the `sync()` or `save()` call that a frame stands at: its ordinal among those of *code*.

    `call3`: the fourth of all calls, where the method goes by another name.
    """
    flow = flow_of(code)
    here = flow.index(lasti)
    calls = [index for index, op in enumerate(flow.ops) if op.name.startswith("CALL")]
    points = [index for index in calls if callee_of(flow, index).endswith((".sync", ".save"))]
    among, prefix = (points, "") if here in points else (calls, "call")
    places = sorted({flow.ops[index].position for index in among})
    place = flow.ops[here].position
    return f"{prefix}{places.index(place)}" if place in places else f"op{here}"


def callee_of(flow: Flow, call: int) -> str:
    """Return the dotted name that a call instruction calls (`chp.sync`), or an empty text."""
    stack = flow.stacks[call]
    return "" if stack is None else callee(flow.ops[call], stack)
