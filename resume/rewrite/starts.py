"""At which instructions a statement begins: nothing of it has run, and nothing is pending.

What does not work: the first instruction with another line. A loop tests its condition at two
places, `with` and handlers clean up under their own line, `finally` bodies appear several times,
and handlers stand at the end of the code behind whatever was last.

What we do: an instruction begins a statement when the one before it in the code belongs to another
statement that is not inside this one (a `while` begins again at its test), and when it is of a kind
that begins one: clean-up code begins by popping and swapping. In a residual, what is left of a
statement that had begun is none: the loop that goes on, the `with` that was entered.
"""

from __future__ import annotations

import ast
import dis
from dataclasses import dataclass, field

from resume.rewrite.blocks import Block, is_hidden
from resume.rewrite.nodes import children, walk
from resume.rewrite.positions import COMPREHENSIONS, SILENT, Numbering, id_of
from resume.rewrite.relocate import Table
from resume.rewrite.scopes import SCOPES

_BEGINNINGS = frozenset({"NOP", "PUSH_NULL", "RETURN_CONST", "DELETE_FAST", "DELETE_NAME"})


def begins(name: str) -> bool:
    """Tell whether a statement may begin with the instruction."""
    return name.startswith(("LOAD_", "BUILD_")) or name in _BEGINNINGS


@dataclass(slots=True)
class Nesting:
    """Which statement of a block an id belongs to, and which statements are inside which."""

    owners: dict[int, int] = field(default_factory=dict)
    """Id of a call, handler or statement -> id of its statement."""
    around: dict[int, int] = field(default_factory=dict)
    """Id of a statement or handler -> id of the one around it."""
    whiles: set[int] = field(default_factory=set)
    handlers: set[int] = field(default_factory=set)
    """No statements: an exception is on the stack where one begins."""
    hidden: list[int] = field(default_factory=list)
    """Ids of hidden functions: each is defined for the statement behind it."""

    def is_inside(self, number: int, other: int) -> bool:
        """Tell whether statement *number* stands in statement *other*."""
        while number in self.around:
            number = self.around[number]
            if number == other:
                return True
        return False


def nesting_of(block: Block, numbers: Numbering) -> Nesting:
    """Look at all statements of a block."""
    found = Nesting()
    for statement in block.body:
        _look(statement, 0, numbers, found)
    return found


def _look(node: ast.AST, statement: int, numbers: Numbering, found: Nesting) -> None:
    if isinstance(node, ast.stmt) and is_hidden(node):
        found.hidden.append(id_of(node))
        return
    if isinstance(node, (ast.stmt, ast.ExceptHandler)) and id_of(node) != SILENT:
        statement = _note(node, statement, numbers, found)
    if hasattr(node, "lineno"):
        found.owners.setdefault(id_of(node), statement)
    if isinstance(node, SCOPES):
        for decorator in getattr(node, "decorator_list", ()):
            found.owners[id_of(decorator)] = statement
    elif isinstance(node, COMPREHENSIONS):
        located = [part for part in walk(node) if hasattr(part, "lineno")]
        found.owners.update((id_of(part), statement) for part in located)
    else:
        for child in children(node):
            _look(child, statement, numbers, found)


def _note(
    node: ast.stmt | ast.ExceptHandler, around: int, numbers: Numbering, found: Nesting
) -> int:
    own = numbers.meaning(node.lineno) or id_of(node)
    if own != around:
        found.around.setdefault(own, around)
    while found.hidden:
        found.owners[found.hidden.pop()] = own
    if isinstance(node, ast.While):
        found.whiles.add(own)
    elif isinstance(node, ast.ExceptHandler):
        found.handlers.add(own)
    return own


def starts_in(table: Table, nesting: Nesting) -> dict[int, int]:
    """Return code unit -> id of the statement that begins there."""
    raw = table.code.co_code
    found: dict[int, int] = {}
    before: int | None = None
    for unit, number in enumerate(table.ids):
        name = dis.opname[raw[2 * unit]]
        if number is None or name in {"CACHE", "EXTENDED_ARG"}:
            continue
        statement = nesting.owners.get(number)
        if statement is None:
            before = None
            continue
        changes = before is None or (
            before != statement
            and (statement in nesting.whiles or not nesting.is_inside(before, statement))
        )
        is_whole = statement not in nesting.handlers and unit not in table.resumed
        if changes and begins(name) and is_whole:
            found[unit] = statement
        before = statement
    return found
