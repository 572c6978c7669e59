"""The rest of an expression: what is still to be evaluated when its suspended part is done."""

from __future__ import annotations

import ast
from enum import Enum
from typing import Any, cast

from resume.rewrite.building import helper, load, placed, store
from resume.rewrite.operands import Slot, operands
from resume.rewrite.positions import YIELDS, id_of
from resume.rewrite.scopes import OPAQUE, walk_frame


class Entry(Enum):
    """How a frame goes on at its position."""

    START = "start"
    """It has not begun: a generator that nobody has asked yet."""
    BEFORE = "before"
    """The statement at the position is the next one."""
    CALL = "call"
    """The frame of the call (or of the delegation) goes on first; its result is the call's."""
    CONSTRUCTOR = "constructor"
    """The same, but the value is the object being made: `MADE` among the bound names."""
    DONE = "done"
    """The call is over, and returned None."""
    REDO = "redo"
    """The call is made again: `next` of a generator that goes on by itself."""
    LOOP = "loop"
    """The loop takes its next item."""
    YIELD = "yield"
    """A generator is suspended here: its residual runs to the yield when it is first asked."""


MADE = ".made"


def holds(node: ast.AST | None, number: int) -> bool:
    """The call or yield of that id is evaluated in *node*, by the same frame."""
    if node is None or isinstance(node, OPAQUE):
        return False
    return any(
        isinstance(part, (ast.Call, *YIELDS)) and id_of(part) == number for part in walk_frame(node)
    )


def rest_of(node: ast.expr, number: int, entry: Entry) -> ast.expr:
    """Return what is left of *node* once the call or yield *number* has its value."""
    if isinstance(node, (ast.Call, *YIELDS)) and id_of(node) == number:
        return _hole(node, entry)
    slots = operands(node)
    at = next(index for index, slot in enumerate(slots) if holds(slot.get(), number))
    inner = rest_of(slots[at].get(), number, entry)
    if isinstance(node, ast.BoolOp):
        values = [inner, *node.values[at + 1 :]]
        return ast.copy_location(ast.BoolOp(node.op, values), node) if len(values) > 1 else inner
    if isinstance(node, ast.IfExp):
        if at > 0:
            return inner
        return ast.copy_location(ast.IfExp(inner, node.body, node.orelse), node)
    if isinstance(node, ast.Compare) and at > 0:
        left = _pending(slots[at - 1].get())
        rest = ast.Compare(left, node.ops[at - 1 :], [inner, *node.comparators[at:]])
        return ast.copy_location(rest, node)
    new = _copy(node)
    places = operands(new)
    for slot in places[:at]:
        slot.put(_pending(slot.get()))
    places[at].put(inner)
    return new


def _copy(node: ast.expr) -> ast.expr:
    """Copy the node and all that holds its operands, not the operands."""
    fields = {
        name: list(value) if isinstance(value, list) else value
        for name, value in ast.iter_fields(node)
    }
    if isinstance(node, ast.Call):
        fields["keywords"] = [
            ast.copy_location(ast.keyword(keyword.arg, keyword.value), keyword)
            for keyword in node.keywords
        ]
        if isinstance(node.func, ast.Attribute):
            function = ast.Attribute(node.func.value, node.func.attr, node.func.ctx)
            fields["func"] = ast.copy_location(function, node.func)
    make: type[Any] = type(node)
    return cast("ast.expr", ast.copy_location(make(**fields), node))


def _pending(node: ast.expr) -> ast.expr:
    """Return what gives the value of an operand that was evaluated before."""
    if isinstance(node, ast.NamedExpr):
        return ast.copy_location(load(node.target.id), node)
    if isinstance(node, (ast.Starred, ast.FormattedValue, ast.Slice)):
        new = _copy(node)
        for slot in operands(new):
            slot.put(_pending(slot.get()))
        return new
    return node


def _hole(node: ast.Call | ast.Yield | ast.YieldFrom | ast.expr, entry: Entry) -> ast.expr:
    if entry is Entry.REDO:
        return node
    if entry is Entry.DONE:
        return placed(ast.Constant(None), node)
    if isinstance(node, ast.YieldFrom):
        held = Slot(node, "value").get()
        assert isinstance(held, ast.NamedExpr)
        source: ast.expr = load(held.target.id)
        if entry is Entry.YIELD:
            source = ast.Call(helper("delegate"), [source], [])
        return placed(ast.YieldFrom(source), node)
    if isinstance(node, ast.Yield):
        return placed(ast.Yield(None), node)
    inner = ast.Call(ast.Call(helper("following"), [], []), [], [])
    if entry is Entry.CONSTRUCTOR:
        # The name is let go at once: it would keep the object alive as long as the frame.
        cleared = ast.NamedExpr(store(MADE), ast.Constant(None))
        parts = ast.Tuple([inner, load(MADE), cleared], ast.Load())
        return placed(ast.Subscript(parts, ast.Constant(1), ast.Load()), node)
    return placed(inner, node)
