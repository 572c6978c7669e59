"""Expressions in which a call may be suspended: what is pending then gets a hidden name.

`f(next(it), g(x))` becomes `f((.t1 := next(it)), g(x))`: the order of evaluation, laziness and
carets stay. What no call can change (constants, local variables, functions defined once) needs no
name. Hidden names would keep objects alive, so they are dropped as soon as the last call that may
suspend is done: an operator with a mark, `g(x) ^ (.t1 := None)`, becomes `del .t1` when the code
is relocated.
"""

from __future__ import annotations

import ast
from collections.abc import Callable

from resume.rewrite.building import added, helper, load, placed, store
from resume.rewrite.comprehensions import must_be_hoisted
from resume.rewrite.operands import Slot, callee_slot, operands, root
from resume.rewrite.positions import COMPREHENSIONS, id_of
from resume.rewrite.scopes import Comprehension, Scope
from resume.rewrite.unit import Unit

DELEGATE = ".y"
"""Hidden name of the iterator that a `yield from` hands on to."""


class Expressions:
    """Lowers the expressions of one frame."""

    def __init__(self, unit: Unit, scope: Scope) -> None:
        self._unit, self._scope = unit, scope
        self._temps = 0
        self.hoist: Callable[[Comprehension], str] | None = None
        """Defines the function that a comprehension becomes; None where no statement can stand."""
        self.lasting = False
        """The expression is evaluated again and again (the test of a `while`)."""

    def start_statement(self) -> None:
        """The hidden names of the statement before are free again."""
        self._temps = 0

    def fresh(self) -> str:
        """Return a hidden name for one value."""
        self._temps += 1
        return f".t{self._temps}"

    def lower(self, node: ast.expr) -> ast.expr:
        """Return *node* with names for all that can be pending in it."""
        if isinstance(node, ast.Lambda):
            return self.lambda_(node)
        if isinstance(node, COMPREHENSIONS):
            return self._comprehension(node)
        if isinstance(node, ast.Call) and self.shows_locals(node):
            return self.hidden_locals(node)
        self._lower_operands(node)
        if isinstance(node, (ast.BoolOp, ast.IfExp)):
            return node
        temps = self._spill_pending(node)
        if isinstance(node, ast.YieldFrom):
            node.value = self._delegate(node.value)
            temps.append(DELEGATE)
        kept = self._keep_callee(node) if isinstance(node, ast.Call) else []
        if isinstance(node, ast.Compare) and len(node.ops) > 1:
            return self._drop(node, temps, "forget")
        return self._drop(node, temps + [name for name in kept if name not in temps])

    def _lower_operands(self, node: ast.expr) -> None:
        consumer = isinstance(node, ast.Call) and self._unit.calls.consumes(node, self._scope)
        for slot in operands(node):
            value = slot.get()
            if consumer and isinstance(value, ast.GeneratorExp):
                self._left_as_it_is(value)
            else:
                slot.put(self.lower(value))

    # -- what is pending

    def _spill_pending(self, node: ast.expr) -> list[str]:
        """Name the operands that wait for a later one; they are dropped behind the last such."""
        slots = operands(node)
        last = max(
            (index for index, slot in enumerate(slots) if self._unit.suspends(slot.get())),
            default=-1,
        )
        names: list[str] = []
        for index in range(last):
            later = [slot.get() for slot in slots[index + 1 :]]
            if not self.is_steady(slots[index].get(), later):
                self._spill(slots[index], node, names)
        if not names or (isinstance(node, ast.Compare) and len(node.ops) > 1):
            return names
        callee = self._named_callee(node, names)
        droppable = [name for name in names if name != callee]
        rest = self._drop_behind(slots[last], droppable)
        return [*rest, callee] if callee else rest

    def _named_callee(self, node: ast.expr, names: list[str]) -> str | None:
        """Return the name that holds the callee: a save has to see what was called."""
        if not isinstance(node, ast.Call) or id_of(node) not in self._unit.suspending:
            return None
        value = callee_slot(node).get()
        if isinstance(value, ast.NamedExpr) and value.target.id in names:
            return value.target.id
        return None

    def _spill(self, slot: Slot, node: ast.expr, names: list[str]) -> None:
        value = slot.get()
        if isinstance(value, ast.Slice):
            for part in operands(value):
                if not self.is_steady(part.get(), []):
                    self._spill(part, value, names)
            return
        name = self.fresh()
        names.append(name)
        # Unpacking happens where the operand stands, so it is the unpacked that is kept.
        if isinstance(value, ast.Starred):
            kept = ast.NamedExpr(store(name), ast.Tuple([value], ast.Load()))
            slot.put(placed(ast.Starred(kept, ast.Load()), value))
            return
        if isinstance(value, ast.FormattedValue):
            kept = ast.NamedExpr(store(name), ast.JoinedStr([value]))
            slot.put(placed(ast.FormattedValue(kept, -1, None), value))
            return
        if is_unpacked(slot, node):
            value = placed(ast.Dict([None], [value]), value)
        slot.put(placed(ast.NamedExpr(store(name), value), value))

    def _drop_behind(self, slot: Slot, names: list[str]) -> list[str]:
        """Drop names behind the value of a slot; returns those that could not be."""
        value = slot.get()
        if not names:
            return []
        if isinstance(value, (ast.Starred, ast.FormattedValue)):
            inner = Slot(value, "value")
            if not self._unit.suspends(inner.get()):
                return names
            return self._drop_behind(inner, names)
        if isinstance(value, ast.Slice):
            parts = [part for part in operands(value) if self._unit.suspends(part.get())]
            return self._drop_behind(parts[-1], names)
        if isinstance(value, ast.JoinedStr) and isinstance(slot.holder, ast.FormattedValue):
            return names  # a format specification must stay one
        slot.put(self._drop(value, names))
        return []

    def _drop(self, node: ast.expr, names: list[str], how: str = "drop") -> ast.expr:
        if not names:
            return node
        cleared: ast.expr = ast.Constant(None)
        for name in names:
            cleared = ast.NamedExpr(store(name), cleared)
        return added(ast.BinOp(node, ast.BitXor(), cleared), node, self._unit.numbers, how)

    def _keep_callee(self, call: ast.Call) -> list[str]:
        """Let a save see what is called: by a name, or by attributes of one."""
        if id_of(call) not in self._unit.suspending:
            return []
        slot = callee_slot(call)
        value = slot.get()
        if isinstance(value, ast.NamedExpr):
            return [value.target.id] if value.target.id.startswith(".t") else []
        if isinstance(root(value), ast.Name) or is_super(value):
            return []
        names: list[str] = []
        self._spill(slot, call, names)
        return names

    def is_steady(self, node: ast.expr, later: list[ast.expr]) -> bool:
        """Evaluating *node* again, after *later*, gives the same value and is not seen."""
        match node:
            case ast.Constant() | ast.UnaryOp(operand=ast.Constant()):
                return True
            case ast.Name(id=name):
                return name.startswith(".") or not (
                    _binds(name, later) or not self._unit.calls.is_steady(name, self._scope)
                )
            case ast.Attribute(value=ast.Name(id=name)):
                return name in self._unit.calls.foreign and self._scope.is_global(name)
            case ast.Slice():
                return all(self.is_steady(part.get(), later) for part in operands(node))
            case ast.Lambda():
                return not node.args.defaults and not any(node.args.kw_defaults)
        return is_super(node)

    # -- iterators

    def iterator(self, name: str, source: ast.expr) -> ast.expr:
        """Return `name := iterator of source`, made without a call where that can be."""
        value: ast.expr = source
        if not self._unit.calls.gives_known(source, self._scope):
            kind = ast.Call(helper("type"), [ast.NamedExpr(store(name), source)], [])
            added(kind, source, self._unit.numbers)
            known = ast.Compare(kind, [ast.In()], [helper("types")])
            made = ast.Call(helper("iterate"), [load(name)], [])
            added(made, source, self._unit.numbers)
            value = added(ast.IfExp(known, load(name), made), source, self._unit.numbers)
        return placed(ast.NamedExpr(store(name), self.marked(value, source, "iter")), source)

    def marked(self, value: ast.expr, like: ast.expr, mark: str) -> ast.expr:
        """Return `iter(value)`: relocation makes this operator the instruction that does it."""
        return added(ast.UnaryOp(ast.Invert(), value), like, self._unit.numbers, mark)

    def _delegate(self, source: ast.expr) -> ast.expr:
        made = self.marked(source, source, "delegate")
        return placed(ast.NamedExpr(store(DELEGATE), made), source)

    # -- frames within the expression

    def lambda_(self, node: ast.Lambda) -> ast.Lambda:
        """Lower its body, which is a frame of its own."""
        inner = Expressions(self._unit, self._unit.scopes[node])
        node.body = inner.lower(node.body)
        return node

    def _left_as_it_is(self, node: Comprehension) -> ast.expr:
        """Lower only the lambdas in a comprehension, and hide what it would see of the frame."""
        AsItIs(self).visit(node)
        return node

    def _comprehension(self, node: Comprehension) -> ast.expr:
        if self.hoist is None or not must_be_hoisted(node, self._unit):
            return self._left_as_it_is(node)
        first = self.lower(node.generators[0].iter)
        name = self.hoist(node)
        made = self.marked(first, first, "iter")
        if not self._unit.calls.gives_known(first, self._scope):
            made = self.iterator(self.fresh(), first)
        call = placed(ast.Call(load(name), [made], []), node)
        if not isinstance(node, ast.GeneratorExp):
            self._unit.suspending.add(id_of(call))
        names = [] if self.lasting else [name]
        if isinstance(made, ast.NamedExpr):
            names.append(made.target.id)
        return self._drop(call, names)

    # -- calls that would show hidden names

    def shows_locals(self, call: ast.Call) -> bool:
        """The call gives the names of the frame, hidden ones too."""
        return (
            isinstance(call.func, ast.Name)
            # In a module the others give the namespace itself: nothing can be taken out.
            and call.func.id in ({"dir"} if self._scope.is_module else {"locals", "vars", "dir"})
            and not call.args
            and not call.keywords
            and self._unit.calls.is_builtin(call.func.id, self._scope)
        )

    def hidden_locals(self, call: ast.Call) -> ast.expr:
        """Return what gives the same without hidden names."""
        return added(ast.Call(helper("hide"), [call], []), call, self._unit.numbers)


class AsItIs(ast.NodeTransformer):
    """Goes through a comprehension that is not lowered, in the frame of *around*."""

    def __init__(self, around: Expressions) -> None:
        self._around = around

    def visit_Lambda(self, node: ast.Lambda) -> ast.Lambda:
        """It can be entered again by itself."""
        return self._around.lambda_(node)

    def visit_Call(self, node: ast.Call) -> ast.AST:
        """Its first iterable, and from 3.12 on all of it, sees the variables of the frame."""
        self.generic_visit(node)
        return self._around.hidden_locals(node) if self._around.shows_locals(node) else node


def is_unpacked(slot: Slot, node: ast.expr) -> bool:
    """The slot is that of `**value`."""
    if isinstance(slot.holder, ast.keyword):
        return slot.holder.arg is None
    return isinstance(node, ast.Dict) and slot.holder is node.values and node.keys[slot.key] is None


def is_super(node: ast.expr) -> bool:
    """It is `super()`."""
    return (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id == "super"
        and not node.args
    )


def _binds(name: str, nodes: list[ast.expr]) -> bool:
    return any(
        isinstance(part, ast.NamedExpr) and part.target.id == name
        for node in nodes
        for part in ast.walk(node)
    )
