"""Which ids a frame can be entered again at, and for the others why not."""

from __future__ import annotations

import ast
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import Enum

from resume.rewrite.blocks import Block, is_hidden
from resume.rewrite.nodes import children
from resume.rewrite.operands import callee_slot, operands, root
from resume.rewrite.positions import YIELDS, id_of
from resume.rewrite.scopes import OPAQUE, SCOPES
from resume.rewrite.spilling import is_super
from resume.rewrite.unit import Unit


class Kind(Enum):
    """What stands at a position."""

    STATEMENT = "statement"
    LOOP = "loop"
    """A `for`: its next item is taken there, and a generator may run meanwhile."""
    CALL = "call"
    YIELD = "yield"
    DELEGATION = "yield from"


@dataclass(frozen=True, slots=True)
class Callee:
    """What a call calls: `root.attribute.attribute`, to be told without running anything."""

    root: str
    """A variable, hidden or not; `super()` where that is meant. Private names are mangled."""
    attributes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Place:
    """One position of a block."""

    number: int
    kind: Kind
    line: int
    """Line in the source."""
    refused: str | None = None
    """Why no frame can be entered again here; None where it can."""
    callee: Callee | None = None
    """Of a call: what it calls."""
    pending: tuple[Callee, ...] = ()
    """Methods that were looked up before and wait for this call: a residual looks them up again,
    so a save must find that each is a plain function of its class."""
    iterator: str | None = None
    """Of a loop or a delegation: the hidden name of its iterator."""
    asked: Callee | None = None
    """Of a call that can be made again as it stands, its first argument: for `next(generator)`."""
    arguments: tuple[int, tuple[str, ...]] | None = None
    """Of a call: how many arguments go by place, and the names of the others; None: some are
    unpacked."""


@dataclass(slots=True)
class _Look:
    unit: Unit
    class_name: str | None
    """The class whose private names it sees."""
    found: dict[int, Place] = field(default_factory=dict)
    why: str | None = None
    """Set while inside a statement that cannot be entered again."""


def places_of(block: Block, unit: Unit) -> dict[int, Place]:
    """Return all positions of a block by their ids."""
    if block.is_plain:
        return {}
    look = _Look(unit, block.class_name)
    _statements(block.body, look)
    return look.found


def _statements(body: Iterable[ast.stmt], look: _Look) -> None:
    for statement in body:
        before = look.why
        look.why = before or look.unit.closed.get(id_of(statement))
        _statement(statement, look)
        look.why = before


def _statement(node: ast.stmt, look: _Look) -> None:
    if is_hidden(node):
        return
    is_loop = isinstance(node, ast.For)
    iterator = look.unit.iterators.get(id_of(node)) if is_loop else None
    _add(node, Kind.LOOP if iterator else Kind.STATEMENT, look, iterator=iterator)
    if isinstance(node, SCOPES):
        return
    if isinstance(node, ast.TryStar):
        _refused_inside(node, "an `except*` statement runs", look)
        return
    if isinstance(node, ast.Match):
        _expression(node.subject, (), look)
        for case in node.cases:
            _statements(case.body, look)
        return
    for name, value in ast.iter_fields(node):
        if name == "finalbody":
            for statement in value:
                _refused_inside(statement, "a `finally` block runs", look)
        elif name == "target" and is_loop:
            continue
        else:
            _field(value, look)


def _field(value: object, look: _Look) -> None:
    for item in value if isinstance(value, list) else [value]:
        if isinstance(item, ast.stmt):
            _statements([item], look)
        elif isinstance(item, ast.expr):
            _expression(item, (), look)
        elif isinstance(item, ast.withitem):
            _expression(item.context_expr, (), look)
        elif isinstance(item, ast.ExceptHandler):
            _statements(item.body, look)


def _expression(node: ast.expr, pending: tuple[Callee, ...], look: _Look) -> None:
    if isinstance(node, OPAQUE):
        return
    before = look.why
    look.why = before or look.unit.closed.get(id_of(node))
    if id_of(node) in look.unit.suspending:
        if isinstance(node, ast.Call):
            _add(
                node,
                Kind.CALL,
                look,
                pending=pending,
                callee=_named(node.func, look),
                asked=_asked(node, look),
                arguments=_arguments(node),
            )
        elif isinstance(node, ast.YieldFrom):
            _add(node, Kind.DELEGATION, look, pending=pending, iterator=".y")
        elif isinstance(node, YIELDS):
            _add(node, Kind.YIELD, look, pending=pending)
    for slot in operands(node):
        inner = pending
        if isinstance(node, ast.Call) and slot != callee_slot(node):
            inner = pending + _lookup(node, look)
        _expression(slot.get(), inner, look)
    look.why = before


def _lookup(call: ast.Call, look: _Look) -> tuple[Callee, ...]:
    """Return the method of a call, where one is looked up."""
    if not isinstance(call.func, ast.Attribute):
        return ()
    found = _named(call.func, look)
    return (found,) if found else ()


def _asked(call: ast.Call, look: _Look) -> Callee | None:
    """Return the first argument where evaluating all arguments again does and changes nothing."""
    if not call.args or call.keywords:
        return None
    if not all(isinstance(other, ast.Constant) for other in call.args[1:]):
        return None
    return None if isinstance(root(call.args[0]), ast.NamedExpr) else _named(call.args[0], look)


def _arguments(call: ast.Call) -> tuple[int, tuple[str, ...]] | None:
    names = tuple(each.arg for each in call.keywords if each.arg is not None)
    if len(names) < len(call.keywords) or any(isinstance(each, ast.Starred) for each in call.args):
        return None
    return len(call.args), names


def _named(node: ast.expr, look: _Look) -> Callee | None:
    """Return a variable, or attributes of one."""
    attributes = list[str]()
    while isinstance(node, ast.Attribute):
        attributes.insert(0, _mangled(node.attr, look.class_name))
        node = node.value
    if isinstance(node, ast.NamedExpr):
        return Callee(node.target.id, tuple(attributes))
    if is_super(node):
        return Callee("super()", tuple(attributes))
    if isinstance(node, ast.Name):
        return Callee(_mangled(node.id, look.class_name), tuple(attributes))
    return None


def _mangled(name: str, class_name: str | None) -> str:
    """Return the name under which a frame or an object really has it."""
    owner = (class_name or "").lstrip("_")
    if not owner or not name.startswith("__") or name.endswith("__"):
        return name
    return f"_{owner}{name}"


def _add(
    node: ast.expr | ast.stmt,
    kind: Kind,
    look: _Look,
    *,
    callee: Callee | None = None,
    asked: Callee | None = None,
    pending: tuple[Callee, ...] = (),
    iterator: str | None = None,
    arguments: tuple[int, tuple[str, ...]] | None = None,
) -> None:
    numbers = look.unit.numbers
    number = numbers.meaning(node.lineno)
    if number is None or number in look.found:
        return
    line = numbers.true_line(node.lineno) or 0
    look.found[number] = Place(
        number, kind, line, look.why, callee, pending, iterator, asked, arguments
    )


def _refused_inside(node: ast.AST, why: str, look: _Look) -> None:
    """Note all that stands in a statement that cannot be entered again."""
    if isinstance(node, ast.stmt):
        look.why, before = why, look.why
        _add(node, Kind.STATEMENT, look)
        look.why = before
    elif isinstance(node, ast.Call):
        look.why, before = why, look.why
        _add(node, Kind.CALL, look)
        look.why = before
    if isinstance(node, (*SCOPES, *OPAQUE)):
        return
    for child in children(node):
        _refused_inside(child, why, look)
