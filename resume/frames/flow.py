"""What a code object can do, from its bytecode: where control goes, and what lies on the stack.

Goal: tell which loops stand around an instruction, and which call made which value, for code of
which the source may be gone (a notebook, `exec`, an edited file).

What does not work: offsets alone. From 3.11 on the compiler moves handlers to the end of the code,
from where they jump back into the loop, so code behind the loop lies between the two; `finally`
bodies appear several times; a `while` tests its condition at two places.

What we do: follow every edge, exceptions included, with a symbolic stack. A `for` loop is around an
instruction exactly when its iterator lies on the stack there: that holds in a branch that ends in
`break`, and no longer in the loop's `else`. A `while` leaves nothing on the stack: it is a natural
loop (a jump back to an instruction that all ways to the jump lead through).
"""

from __future__ import annotations

import dis
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from types import CodeType
from typing import Any, NamedTuple

from resume.frames.stack import UNKNOWN, Stack, step

_ENDS = frozenset({"RETURN_VALUE", "RETURN_CONST", "RAISE_VARARGS", "RERAISE"})
_FOR_HEADERS = frozenset({"FOR_ITER", "GET_ANEXT"})


class Op(NamedTuple):
    """One instruction; EXTENDED_ARG and CACHE are folded into the one they belong to."""

    offset: int
    name: str
    arg: int | None
    value: Any
    """The argument resolved: a name, a constant."""
    line: int
    """Line number, 0 where the instruction has none."""
    position: tuple[int, ...]
    """Where its source begins and ends; for telling copies of one statement from two statements."""
    target: int | None
    """Index of the instruction that it may jump to."""


class Around(NamedTuple):
    """A loop around an instruction."""

    header: int
    """Offset of the FOR_ITER; for a `while` of its body's first instruction."""
    is_for: bool
    line: int


class Guard(NamedTuple):
    """One row of the exception table, in indexes of instructions."""

    first: int
    behind: int
    handler: int
    depth: int
    """Values that stay on the stack when control goes to the handler."""
    pushes: int


@dataclass(frozen=True, slots=True)
class Flow:
    """The instructions of one code object, and how they follow each other."""

    ops: tuple[Op, ...]
    guards: tuple[Guard, ...]
    stacks: tuple[Stack | None, ...]
    """What lies on the stack before each instruction; None: it is never reached."""
    whiles: tuple[tuple[int, frozenset[int]], ...]
    """Header and body of each loop that is no `for`."""
    offsets: tuple[int, ...] = field(repr=False)

    def index(self, lasti: int) -> int:
        """Index of the instruction that a frame with this `f_lasti` stands at.

        It may point into the caches behind the instruction (3.11 does that in calls).
        """
        return max(0, bisect_right(self.offsets, lasti) - 1)

    def around(self, index: int) -> tuple[Around, ...]:
        """Loops around an instruction, outermost first."""
        found = [Around(self.ops[i].offset, True, self.ops[i].line) for i in self.fors(index)]
        for header, body in self.whiles:
            if index in body:
                line = min((self.ops[i].line for i in body if self.ops[i].line), default=0)
                found.append(Around(self.ops[header].offset, False, line))
        return tuple(sorted(found))

    def fors(self, index: int) -> list[int]:
        """Indexes of the FOR_ITERs whose iterator lies on the stack at an instruction."""
        return [mark.loop for mark in self.stacks[index] or () if mark.loop is not None]

    def follow(self, index: int) -> list[int]:
        """Instructions that may come next, the one without a jump first; not the handlers."""
        return list(_next(self.ops, index))


@lru_cache(maxsize=512)
def flow_of(code: CodeType) -> Flow:
    """Analyse *code*; remembered, since every loop and every safe point asks."""
    ops = tuple(_read_ops(code))
    offsets = tuple(op.offset for op in ops)
    guards = tuple(_read_guards(code, offsets))
    stacks, edges = _run(ops, guards)
    whiles = tuple(
        (header, body)
        for header, body in natural_loops(edges)
        # SEND: the inner loop of `await` and `yield from`, which the source does not show.
        if ops[header].name not in _FOR_HEADERS and ops[header].name != "SEND"
    )
    return Flow(ops, guards, stacks, whiles, offsets)


def _read_ops(code: CodeType) -> Iterator[Op]:
    kept, offsets = [], []
    for found in dis.get_instructions(code, adaptive=False):
        if found.opname not in {"EXTENDED_ARG", "CACHE"}:
            kept.append(found)
            offsets.append(found.offset)
    jumps = {*dis.hasjrel, *dis.hasjabs}
    for found in kept:
        place = found.positions or dis.Positions()
        numbers = (place.lineno, place.end_lineno, place.col_offset, place.end_col_offset)
        yield Op(
            found.offset,
            found.opname,
            found.arg,
            # `dis` of 3.11 and 3.12 does not resolve the names of keyword arguments.
            code.co_consts[found.arg or 0] if found.opname == "KW_NAMES" else found.argval,
            place.lineno or 0,
            tuple(number or 0 for number in numbers),
            # The target may be an EXTENDED_ARG: the first kept instruction from there is meant.
            _at_or_behind(offsets, found.argval) if found.opcode in jumps else None,
        )


def _at_or_behind(offsets: list[int] | tuple[int, ...], offset: int) -> int:
    return bisect_right(offsets, offset - 1)


def _read_guards(code: CodeType, offsets: tuple[int, ...]) -> Iterator[Guard]:
    """Parse the exception table (Objects/exception_handling_notes.txt of CPython, 3.11 to 3.14)."""
    numbers = _varints(code.co_exceptiontable)
    for start in numbers:
        length, target, depth_lasti = next(numbers), next(numbers), next(numbers)
        yield Guard(
            _at_or_behind(offsets, start * 2),
            _at_or_behind(offsets, (start + length) * 2),
            _at_or_behind(offsets, target * 2),
            depth_lasti >> 1,
            1 + (depth_lasti & 1),
        )


def _varints(table: bytes) -> Iterator[int]:
    """Six bits a byte, most significant first; bit 6 says that more follow, bit 7 starts a row."""
    value = 0
    for byte in table:
        value = value << 6 | byte & 63
        if not byte & 64:
            yield value
            value = 0


def _next(ops: tuple[Op, ...], index: int) -> Iterator[int]:
    op = ops[index]
    if op.name not in _ENDS and not is_jump(op) and index + 1 < len(ops):
        yield index + 1
    if op.target is not None:
        yield op.target


def is_jump(op: Op) -> bool:
    """Tell whether control always goes to the target (`JUMP_IF_TRUE_OR_POP` may not)."""
    return op.name.startswith("JUMP_") and "_IF_" not in op.name


def _run(
    ops: tuple[Op, ...], guards: tuple[Guard, ...]
) -> tuple[tuple[Stack | None, ...], list[list[int]]]:
    """Go every way once: the stack before each instruction, and the edges that were taken."""
    stacks: list[Stack | None] = [None] * len(ops)
    edges: list[list[int]] = [[] for _ in ops]
    handlers = [
        [guard for guard in guards if guard.first <= i < guard.behind] for i in range(len(ops))
    ]
    stacks[0] = ()
    todo = [0]
    while todo:
        index = todo.pop()
        stack = stacks[index] or ()
        ways = [
            (after, step(ops[index], index, stack, jumps=after == ops[index].target))
            for after in _next(ops, index)
        ]
        ways += [
            (guard.handler, stack[: guard.depth] + (UNKNOWN,) * guard.pushes)
            for guard in handlers[index]
        ]
        for after, held in ways:
            edges[index].append(after)
            if stacks[after] is None:
                stacks[after] = held
                todo.append(after)
    return tuple(stacks), edges


def natural_loops(edges: list[list[int]]) -> list[tuple[int, frozenset[int]]]:
    """Return header and body of each loop, in the order of their headers; node 0 is the entry.

    A jump back makes a loop only if its target is on every way to it: a handler at the end of the
    code that jumps back to the statement behind a `try` is none.
    """
    above = _dominators(edges)
    before: list[list[int]] = [[] for _ in edges]
    for node, follow in enumerate(edges):
        for after in follow:
            before[after].append(node)
    bodies: dict[int, set[int]] = {}
    for node, follow in enumerate(edges):
        for header in follow:
            if header <= node and _dominates(above, header, node):
                _grow(bodies.setdefault(header, {header}), node, before)
    return [(header, frozenset(body)) for header, body in sorted(bodies.items())]


def _grow(body: set[int], last: int, before: list[list[int]]) -> None:
    """Add all that leads to *last* without passing the header, which is in *body* already."""
    todo = [last]
    while todo:
        node = todo.pop()
        if node not in body:
            body.add(node)
            todo.extend(before[node])


def _dominates(above: list[int], high: int, low: int) -> bool:
    while low != high and above[low] != low:
        low = above[low]
    return low == high


def _dominators(edges: list[list[int]]) -> list[int]:
    """Give each node's nearest dominator (Cooper, Harvey and Kennedy); itself where unreached."""
    order = _reverse_postorder(edges)
    rank = {node: place for place, node in enumerate(order)}
    before: list[list[int]] = [[] for _ in edges]
    for node in order:
        for after in edges[node]:
            before[after].append(node)
    above = {order[0]: order[0]}
    changed = True
    while changed:
        changed = False
        for node in order[1:]:
            known = [other for other in before[node] if other in above]
            best = known[0]
            for other in known[1:]:
                best = _meet(above, rank, best, other)
            if above.get(node) != best:
                above[node] = best
                changed = True
    return [above.get(node, node) for node in range(len(edges))]


def _meet(above: dict[int, int], rank: dict[int, int], one: int, other: int) -> int:
    while one != other:
        while rank[one] > rank[other]:
            one = above[one]
        while rank[other] > rank[one]:
            other = above[other]
    return one


def _reverse_postorder(edges: list[list[int]]) -> list[int]:
    seen = {0}
    done: list[int] = []
    path = [(0, iter(edges[0]))]
    while path:
        node, follow = path[-1]
        after = next((other for other in follow if other not in seen), None)
        if after is None:
            done.append(node)
            path.pop()
        else:
            seen.add(after)
            path.append((after, iter(edges[after])))
    return done[::-1]
