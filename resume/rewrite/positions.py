"""Numbers in place of lines: every statement and call gets an id that its instructions keep.

Goal: tell from an instruction which statement or call of the source it belongs to, and give the
code the lines and columns that the plain source would have.

What does not work: real lines and columns. Two calls may share both (a method call over several
lines is moved to its attribute), columns may be switched off, and nodes that the rewriting adds
have none.

What we do: before the tree is lowered, `lineno` becomes `id + STRIDE * lines below the node that
owns the id`, and each column becomes a serial number. Two places of one statement have equal
synthetic lines exactly when they have equal real ones, and serials rise in the order of the source,
so whatever the compiler derives from them (the start of an attribute, the end of the call around
it) can be read back number by number.

What can still go wrong: a statement of more than 2,000 lines has its last lines shown as one, and
a file with half a million statements and calls is refused.
"""

from __future__ import annotations

import ast
import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import TypeAlias

from resume.errors import UnsupportedCodeError
from resume.rewrite.nodes import children

STRIDE = 1 << 19
"""Ids are below it; a synthetic line is `id + STRIDE * offset`."""

MOST_OFFSET = 2000
RESUMED = STRIDE << 11
"""Added to the line of what is left of a statement that had begun: no start is there. Together they
stay below 2**31, as `lineno` must."""

SILENT = STRIDE - 1
"""Id of instructions that have no place in the source: no line event comes from them."""

COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
_TYPE_PARAMETERS = tuple(filter(None, [getattr(ast, "type_param", None)]))  # from 3.12 on
_LOCATED = (
    *(ast.stmt, ast.expr, ast.ExceptHandler, ast.arg, ast.keyword, ast.alias, ast.pattern),
    *_TYPE_PARAMETERS,
)
YIELDS = (ast.Yield, ast.YieldFrom)
OWNERS = (ast.stmt, ast.ExceptHandler, ast.Call, *YIELDS, ast.Await, ast.Lambda, *COMPREHENSIONS)
"""Nodes with an id of their own; every other node has that of the nearest one around it."""

Position: TypeAlias = tuple[int | None, int | None, int | None, int | None]
"""Line, end line, column, end column, as `co_positions()` gives them."""


def id_of(node: ast.AST) -> int:
    """Return the id that a numbered node carries."""
    return int(node.lineno) % STRIDE  # type: ignore[attr-defined]


def is_resumed(line: int | None) -> bool:
    """Tell whether a synthetic line is that of a statement that had begun before."""
    return line is not None and line >= RESUMED


@dataclass(slots=True)
class Numbering:
    """What the synthetic lines and columns of one tree mean."""

    lines: list[int] = field(default_factory=lambda: [1])
    """By id: true line of the node that owns it."""
    columns: list[int] = field(default_factory=lambda: [0])
    """By serial: true column, -1 where there is none."""
    clauses: dict[ast.comprehension, int] = field(default_factory=dict)
    """Ids kept for the loops that comprehensions are."""
    meanings: dict[int, int] = field(default_factory=dict)
    """Ids that stand for another: a decorator's for its definition's, an added node's for 0."""
    marks: dict[int, str] = field(default_factory=dict)
    """Ids of operators whose instruction is exchanged, with what for."""

    def new_id(self, line: int) -> int:
        """Take the next id, for a node that begins at *line*."""
        self.lines.append(line)
        if len(self.lines) > SILENT:
            raise UnsupportedCodeError(
                "the file holds more than half a million statements and calls: "
                "split it into modules"
            )
        return len(self.lines) - 1

    def number(self, tree: ast.AST) -> None:
        """Write ids and serials into *tree*; the same source gets the same ids in any process."""
        for child in children(tree):
            self._visit(child, 0)

    def _visit(self, node: ast.AST, own: int) -> None:
        if isinstance(node, OWNERS):
            own = self.new_id(node.lineno)
        elif isinstance(node, ast.comprehension):
            self.clauses[node] = self.new_id(node.target.lineno)
        decorators = getattr(node, "decorator_list", ())
        end = self._start(node, own)
        for child in children(node):
            if child in decorators and isinstance(child, ast.expr):
                # The line of the first decorator is where the definition's code begins.
                around = self.new_id(child.lineno)
                self.meanings[around] = own
                self._visit(child, around)
                if not isinstance(child, OWNERS):
                    continue
                child.lineno = around
            else:
                self._visit(child, own)
        if end is not None:
            self._finish(node, end)

    def _start(self, node: ast.AST, own: int) -> int | None:
        """Exchange the start; returns the true column of the end."""
        if not isinstance(node, _LOCATED):
            return None
        end_line, end = node.end_lineno or node.lineno, node.end_col_offset or 0
        start = self._serial(node.col_offset)
        node.lineno = self._line(node.lineno, own)
        # A node of an f-string may end before it begins (3.11).
        node.end_lineno = max(node.lineno, self._line(end_line, own))
        node.col_offset = start
        return int(end)

    def _finish(self, node: ast.AST, end: int) -> None:
        if isinstance(node, ast.Attribute):
            # The compiler computes where the name begins: `end - len(name)`.
            first = end - len(node.attr)
            for _ in node.attr:
                self._serial(max(first, -1))
        node.end_col_offset = self._serial(end)  # type: ignore[attr-defined]

    def _line(self, line: int, own: int) -> int:
        offset = min(max(line - self.lines[own], 0), MOST_OFFSET)
        return own + STRIDE * offset

    def _serial(self, column: int) -> int:
        self.columns.append(column)
        return len(self.columns) - 1

    def add_id(self, like: ast.AST, mark: str | None = None) -> int:
        """Take an id for a node that the rewriting adds at the line where *like* begins."""
        fresh = self.new_id(self.true_line(like.lineno) or 1)  # type: ignore[attr-defined]
        self.meanings[fresh] = 0
        if mark is not None:
            self.marks[fresh] = mark
        return fresh

    def hand_over(self, node: ast.expr, number: int) -> None:
        """Let *node* alone, where it stands, belong to another id."""
        first = (self.true_line(node.lineno) or 1) - self.lines[number]
        last = (self.true_line(node.end_lineno) or 1) - self.lines[number]
        node.lineno = number + STRIDE * min(max(first, 0), MOST_OFFSET)
        node.end_lineno = number + STRIDE * min(max(first, last, 0), MOST_OFFSET)

    def meaning(self, line: int | None) -> int | None:
        """Return the id that a synthetic line tells, None where it tells nothing."""
        if not line or (number := line % STRIDE) == SILENT:
            return None
        return self.meanings.get(number, number) or None

    def true_line(self, line: int | None) -> int | None:
        """Return the line of the source that a synthetic line means."""
        if line is None or line % STRIDE == SILENT:
            return None
        return self.lines[line % STRIDE] + line % RESUMED // STRIDE if line else 0

    def _column(self, serial: int | None) -> int | None:
        if serial is None or not 0 <= serial < len(self.columns):
            return None
        return None if (column := self.columns[serial]) < 0 else column

    def true_position(self, found: Position) -> Position:
        """Return what the compiler would have said about the plain source."""
        line, end_line, column, end_column = found
        first = self.true_line(line)
        if first is None:
            return None, None, None, None
        if first == 0:  # the start of a module
            return found
        start, end = self._column(column), self._column(end_column)
        if start is None or end is None:
            start = end = None
        return first, max(first, self.true_line(end_line) or first), start, end


def location_table(positions: Iterable[Position], first_line: int) -> bytes:
    """Encode positions, one for each code unit, as `co_linetable` (3.11 to 3.14)."""
    table, line = bytearray(), first_line
    for position, units in itertools.groupby(positions):
        count = sum(1 for _ in units)
        while count > 0:
            size = min(count, 8)
            count -= size
            table += _entry(position, line, size)
            line = line if position[0] is None else position[0]
    return bytes(table)


def _entry(position: Position, line_before: int, size: int) -> bytes:
    line, end_line, column, end_column = position
    if line is None:
        return bytes([0x80 | 15 << 3 | size - 1])
    moved = line - line_before
    delta = _varint((-moved << 1) | 1 if moved < 0 else moved << 1)
    if column is None or end_column is None:
        return bytes([0x80 | 13 << 3 | size - 1, *delta])
    rest = ((end_line or line) - line, column + 1, end_column + 1)
    numbers = itertools.chain(delta, *map(_varint, rest))
    return bytes([0x80 | 14 << 3 | size - 1, *numbers])


def _varint(value: int) -> Iterator[int]:
    while value >= 64:
        yield 64 | value & 63
        value >>= 6
    yield value
