"""What the lowering of one module works with, and what it finds."""

from __future__ import annotations

import ast
from dataclasses import dataclass, field

from resume.rewrite.nodes import walk
from resume.rewrite.positions import YIELDS, Numbering, id_of
from resume.rewrite.quiet import Calls
from resume.rewrite.scopes import OPAQUE, Scope, walk_frame


@dataclass(slots=True)
class Unit:
    """What the lowering of one module works with, and what it finds."""

    numbers: Numbering
    scopes: dict[ast.AST, Scope]
    calls: Calls
    suspending: set[int]
    """Ids of calls and yields at which a frame may be suspended."""
    sources: dict[int, ast.expr] = field(default_factory=dict)
    """By id of a `for`: its iterable, as it is evaluated before an iterator is made of it."""
    iterators: dict[int, str] = field(default_factory=dict)
    """By id of a `for`: the hidden name of its iterator."""
    hoisted: dict[int, str] = field(default_factory=dict)
    """By id of a comprehension that became a function: the name that its code must show."""
    closed: dict[int, str] = field(default_factory=dict)
    """By id of a node: why no frame can be entered again inside."""

    def suspends(self, node: ast.AST | None) -> bool:
        """A frame may be suspended while it evaluates *node*."""
        return node is not None and any(
            isinstance(part, (ast.Call, *YIELDS)) and id_of(part) in self.suspending
            for part in (walk_frame(node) if not isinstance(node, OPAQUE) else ())
        )

    def suspends_below(self, node: ast.AST) -> bool:
        """Tell the same, nested functions and comprehensions included."""
        return any(
            isinstance(part, (ast.Call, *YIELDS)) and id_of(part) in self.suspending
            for part in walk(node)
        )
