"""The parts of an expression whose values pile up while it is evaluated, in that order."""

from __future__ import annotations

import ast
from typing import Any, NamedTuple


class Slot(NamedTuple):
    """A place in the tree that holds an expression."""

    holder: Any
    """A node, or a list of nodes."""
    key: Any

    def get(self) -> ast.expr:
        """Return the expression that stands here."""
        if isinstance(self.holder, list):
            found = self.holder[self.key]
        else:
            found = getattr(self.holder, self.key)
        assert isinstance(found, ast.expr)
        return found

    def put(self, value: ast.expr) -> None:
        """Let *value* stand here."""
        if isinstance(self.holder, list):
            self.holder[self.key] = value
        else:
            setattr(self.holder, self.key, value)


def operands(node: ast.expr) -> list[Slot]:
    """Return the sub-expressions of *node* in the order in which Python evaluates them.

    For `a.b(c)` the first is `a`: looking `b` up and calling are one act.
    """
    match node:
        case ast.Call():
            keywords = [Slot(keyword, "value") for keyword in node.keywords]
            return [callee_slot(node), *_each(node.args), *keywords]
        case ast.Compare():
            return [Slot(node, "left"), *_each(node.comparators)]
        case ast.BoolOp() | ast.JoinedStr():
            return _each(node.values)
        case ast.List() | ast.Tuple() | ast.Set():
            return _each(node.elts)
        case ast.Dict():
            return _of_dict(node)
        case _:
            return [
                Slot(node, name)
                for name in _FIELDS.get(type(node), ())
                if getattr(node, name) is not None
            ]


_FIELDS: dict[type[ast.expr], tuple[str, ...]] = {
    ast.BinOp: ("left", "right"),
    ast.Subscript: ("value", "slice"),
    ast.Slice: ("lower", "upper", "step"),
    ast.IfExp: ("test", "body", "orelse"),
    ast.FormattedValue: ("value", "format_spec"),
    ast.Attribute: ("value",),
    ast.UnaryOp: ("operand",),
    ast.Starred: ("value",),
    ast.Await: ("value",),
    ast.NamedExpr: ("value",),
    ast.Yield: ("value",),
    ast.YieldFrom: ("value",),
}


def callee_slot(call: ast.Call) -> Slot:
    """Return where the value stands that is called, or whose method is."""
    if isinstance(call.func, ast.Attribute):
        return Slot(call.func, "value")
    return Slot(call, "func")


def _each(values: list[ast.expr]) -> list[Slot]:
    return [Slot(values, index) for index in range(len(values))]


def _of_dict(node: ast.Dict) -> list[Slot]:
    found = []
    for index, key in enumerate(node.keys):
        if key is not None:
            found.append(Slot(node.keys, index))
        found.append(Slot(node.values, index))
    return found


def root(node: ast.expr) -> ast.expr:
    """Return `a` of `a.b.c`."""
    while isinstance(node, ast.Attribute):
        node = node.value
    return node
