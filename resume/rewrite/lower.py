"""Statements, lowered: what CPython keeps on its stack for them gets a hidden name.

`for x in e` becomes `for x in (.i1 := iter(e))`, `with e` becomes `with (.w1 := e)`, a handler
without a name gets one, an assignment whose target calls something is split. A hidden name is
deleted where the stack would have lost the value: at the end of a loop, before a `break`, behind a
`with`, in a handler. Where nothing can be entered again (`finally`, `except*`, class bodies),
nothing is changed but the functions inside.

What can still go wrong: an exception that leaves a function or a `with` block in the middle of a
loop keeps the loop's iterator alive until the frame, or the name's next value, lets it go.
"""

from __future__ import annotations

import ast
import dis
from collections.abc import Callable, Sequence
from typing import Any, Literal, NamedTuple

from resume.rewrite.building import (
    added,
    assign,
    delete,
    forget,
    helper,
    load,
    placed,
    silent,
    store,
)
from resume.rewrite.comprehensions import CODE_NAMES, hoisted
from resume.rewrite.nodes import children
from resume.rewrite.operands import Slot, operands
from resume.rewrite.positions import SILENT, id_of
from resume.rewrite.scopes import ALIASES, FUNCTIONS, Comprehension, Scope, walk_frame
from resume.rewrite.spilling import Expressions
from resume.rewrite.unit import Unit

_LOOPS_STAND_AT_ITERABLE = any(
    unit == "FOR_ITER" and line == 2
    for unit, line in (
        (found.opname, found.positions.lineno if found.positions else None)
        for found in dis.get_instructions(compile("for x in (\n y): pass", "", "exec"))
    )
)
"""A finished loop has the line of its iterable, not of its `for` (3.13)."""


class _Around(NamedTuple):
    """A statement around the one that is lowered, as far as leaving it concerns hidden names."""

    kind: Literal["for", "while", "with", "try"]
    name: str | None
    late: list[bool]
    """Of a `for`: not empty where some `break` leaves the hidden name to be cleared behind."""


def lower_module(tree: ast.Module, unit: Unit) -> None:
    """Lower all that can be entered again in a module, and in all that it defines."""
    tree.body = _Statements(unit, unit.scopes[tree]).block(tree.body)


class _Statements:
    """Lowers the statements of one frame."""

    def __init__(self, unit: Unit, scope: Scope) -> None:
        self._unit, self._scope = unit, scope
        self._expressions = Expressions(unit, scope)
        self._expressions.hoist = self._hoist
        self._around: list[_Around] = []
        self._depth = 0
        self._before: list[ast.stmt] = []
        self._hoisted = 0
        self._declared: list[ast.stmt] = []

    # -- blocks

    def function(self, node: ast.FunctionDef) -> None:
        """Lower the body of a function; its docstring stays first."""
        head = 1 if ast.get_docstring(node, clean=False) is not None else 0
        docstring, body = node.body[:head], self.block(node.body[head:])
        if body and isinstance(body[-1], ast.Assign) and id_of(body[-1]) == SILENT:
            body.pop()  # the frame ends here anyway, at a line that must show
        node.body = [*docstring, *self._declared, *body] or [silent(ast.Pass())]

    def block(self, statements: Sequence[ast.stmt]) -> list[ast.stmt]:
        """Lower statements, each with what must stand before and behind it."""
        lowered = [new for statement in statements for new in self._statement(statement)]
        return lowered if lowered or not statements else [silent(ast.Pass())]

    def _statement(self, node: ast.stmt) -> list[ast.stmt]:
        outer, self._before = self._before, []
        self._expressions.start_statement()
        try:
            lowered = self._lowered(node)
            return [*self._before, *lowered]
        finally:
            self._before = outer

    def _lowered(self, node: ast.stmt) -> list[ast.stmt]:
        rules: dict[type[ast.stmt], Callable[[Any], list[ast.stmt]]] = {
            ast.FunctionDef: self._definition,
            ast.ClassDef: self._definition,
            ast.AsyncFunctionDef: self._coroutine,
            ast.AsyncFor: self._coroutine,
            ast.AsyncWith: self._coroutine,
            ast.Global: self._declaration,
            ast.Nonlocal: self._declaration,
            ast.For: self._for,
            ast.While: self._while,
            ast.If: self._if,
            ast.With: self._with,
            ast.Try: self._try,
            ast.TryStar: self._definitions_below,
            ast.Match: self._match,
            ast.Break: self._leaving,
            ast.Continue: self._leaving,
            ast.Assign: self._assign,
            ast.AugAssign: self._augmented,
            **dict.fromkeys(ALIASES, self._alias),
        }
        return rules.get(type(node), self._simple)(node)

    def _coroutine(self, node: ast.stmt) -> list[ast.stmt]:
        self._close([node], "coroutines are left as they are")
        return [node]

    def _alias(self, node: ast.stmt) -> list[ast.stmt]:
        self._close([node], "what a type stands for is told")
        return [node]

    def _declaration(self, node: ast.Global | ast.Nonlocal) -> list[ast.stmt]:
        if self._scope.is_module:
            return [node]
        self._declared.append(node)  # a residual needs them first
        return []

    def _if(self, node: ast.If) -> list[ast.stmt]:
        node.test = self._expressions.lower(node.test)
        node.body, node.orelse = self.block(node.body), self.block(node.orelse)
        return [node]

    def _match(self, node: ast.Match) -> list[ast.stmt]:
        node.subject = self._expressions.lower(node.subject)
        for case in node.cases:
            case.body = self.block(case.body)
        return [node]

    def _close(self, nodes: Sequence[ast.AST], why: str) -> None:
        for node in nodes:
            self._unit.closed[id_of(node)] = why

    def _definitions_below(self, node: ast.AST) -> list[ast.stmt]:
        """Lower the functions in a block that cannot be entered again itself."""
        for child in children(node):
            if isinstance(child, (ast.FunctionDef, ast.ClassDef)):
                self._definition(child)
            elif isinstance(child, ast.Lambda):
                self._expressions.lower(child)
            elif not isinstance(child, FUNCTIONS):
                self._definitions_below(child)
        return [node] if isinstance(node, ast.stmt) else []

    def _definition(self, node: ast.FunctionDef | ast.ClassDef) -> list[ast.stmt]:
        if isinstance(node, ast.ClassDef):
            self._definitions_below(node)
        elif not self._unit.calls.is_tiny(node):
            _Statements(self._unit, self._unit.scopes[node]).function(node)
        return [node]

    def _hoist(self, node: Comprehension) -> str:
        self._hoisted += 1
        name = f".{CODE_NAMES[type(node)]}{self._hoisted}"
        definition = hoisted(node, name, self._unit)
        _Statements(self._unit, self._unit.scopes[node]).function(definition)
        self._before.append(definition)
        return name

    # -- loops

    def _for(self, node: ast.For) -> list[ast.stmt]:
        own = isinstance(node.iter, ast.Name) and node.iter.id == ".0"
        if own:  # a comprehension's argument: an iterator with a hidden name already
            name = ".0"
        else:
            name = self._name("i")
            node.iter = self._unit.sources[id_of(node)] = self._expressions.lower(node.iter)
            node.iter = self._expressions.iterator(name, node.iter)
        # What takes the items stands at the iterable: it must tell the loop, not a call in there.
        self._unit.numbers.hand_over(node.iter, id_of(node))
        self._unit.iterators[id_of(node)] = name
        around = _Around("for", name, [])
        node.body = self._inside(around, node.body)
        node.orelse = self.block(node.orelse)
        if own:
            return [node]
        if around.late:
            return [node, silent(forget([name]))]
        # As the stack would: the iterator goes when it is exhausted, before the `else`.
        end = node.iter if _LOOPS_STAND_AT_ITERABLE else node
        node.orelse.insert(0, placed(delete([name]), end))
        return [node]

    def _while(self, node: ast.While) -> list[ast.stmt]:
        self._expressions.lasting = True
        node.test = self._expressions.lower(node.test)
        self._expressions.lasting = False
        node.body = self._inside(_Around("while", None, []), node.body)
        node.orelse = self.block(node.orelse)
        return [node]

    def _name(self, kind: str) -> str:
        """Return a hidden name that no statement around uses."""
        return f".{kind}{self._depth + 1}"

    def _inside(self, around: _Around, body: list[ast.stmt]) -> list[ast.stmt]:
        self._around.append(around)
        self._depth += 1
        try:
            return self.block(body)
        finally:
            self._depth -= 1
            self._around.pop()

    def _leaving(self, node: ast.Break | ast.Continue) -> list[ast.stmt]:
        """Delete before `break` and `continue` what they leave; a `try` between may call it off."""
        names: list[str] = []
        guarded = withs = 0
        for around in reversed(self._around):
            if around.kind in {"for", "while"}:
                if around.kind == "for" and isinstance(node, ast.Break):
                    # What runs on the way out may raise, and the loop go on: keep the iterator.
                    if guarded or withs:
                        around.late.append(True)
                    elif around.name and around.name != ".0":
                        names.append(around.name)
                break
            guarded += around.kind == "try"
            withs += around.kind == "with"
            if around.name and not guarded and withs == 1:
                names.append(around.name)
        return [placed(delete(names), node), node] if names else [node]

    # -- with and try

    def _with(self, node: ast.With) -> list[ast.stmt]:
        first, rest = node.items[0], node.items[1:]
        name = self._name("w")
        manager = self._expressions.lower(first.context_expr)
        first.context_expr = placed(ast.NamedExpr(store(name), manager), manager)
        node.items = [first]
        body: list[ast.stmt] = node.body
        if rest:
            body = [placed(ast.With(rest, node.body), node)]
            body[0].lineno = self._unit.numbers.add_id(node)
            body[0].end_lineno = body[0].lineno
        node.body = self._inside(_Around("with", name, []), body)
        return [node, placed(delete([name]), node)]

    def _try(self, node: ast.Try) -> list[ast.stmt]:
        self._around.append(_Around("try", None, []))
        self._depth += 1
        node.body, node.orelse = self.block(node.body), self.block(node.orelse)
        lost = _hidden_names(node.body)
        for handler in node.handlers:
            self._handler(handler)
            if lost:  # the stack would have lost them on the way here
                handler.body.insert(0, added(forget(lost), handler, self._unit.numbers))
        self._close(node.finalbody, "a `finally` block runs")
        for statement in node.finalbody:
            self._finally(statement)
        self._depth -= 1
        self._around.pop()
        return [node]

    def _finally(self, statement: ast.stmt) -> None:
        if isinstance(statement, (ast.FunctionDef, ast.ClassDef)):
            self._definition(statement)
        else:
            self._definitions_below(statement)

    def _handler(self, node: ast.ExceptHandler) -> None:
        node.body = self.block(node.body)
        if node.type is None:
            node.type = placed(helper("BaseException"), node)
        if node.name is None:
            node.name = self._name("e")
        elif self._is_rebound(node.name, node):
            self._keep_exception(node, node.name)

    def _is_rebound(self, name: str, handler: ast.ExceptHandler) -> bool:
        if not self._scope.is_local(name) or name in self._scope.rebound:
            return True
        return any(
            isinstance(part, ast.Name) and part.id == name and not isinstance(part.ctx, ast.Load)
            for statement in handler.body
            for part in walk_frame(statement)
        )

    def _keep_exception(self, node: ast.ExceptHandler, name: str) -> None:
        """The program may lose the name; a residual has to raise the exception again."""
        node.name = self._name("e")
        first = silent(assign(name, load(node.name)))
        last = [silent(forget([name])), silent(delete([name]))]
        self._close(last, "a handler ends")
        around = ast.Try(node.body, [], [], last)
        node.body = [first, silent(around)]

    # -- simple statements

    def _simple(self, node: ast.stmt) -> list[ast.stmt]:
        """Lower the expressions of a statement that holds no others."""
        if isinstance(node, ast.Raise) and node.exc and self._unit.suspends(node.cause):
            self._close([node], "the cause of an exception is made")
            return [node]
        if isinstance(node, ast.AnnAssign) and not isinstance(node.target, ast.Name):
            self._close([node], "the target of an annotated assignment may call something")
            return [node]
        for field, value in ast.iter_fields(node):
            if field == "annotation":
                continue
            if isinstance(value, list):
                lower = self._expressions.lower
                value[:] = [lower(each) if isinstance(each, ast.expr) else each for each in value]
            elif isinstance(value, ast.expr):
                setattr(node, field, self._expressions.lower(value))
        return [node]

    def _assign(self, node: ast.Assign) -> list[ast.stmt]:
        node.value = self._expressions.lower(node.value)
        if not any(map(self._unit.suspends, node.targets)):
            return [node]
        name = self._expressions.fresh()
        split: list[ast.stmt] = [placed(assign(name, node.value), node)]
        for target in node.targets:
            if isinstance(target, (ast.Subscript, ast.Attribute)):
                self._target(target)
            elif self._unit.suspends(target):
                self._close([target], "a tuple of targets calls something")
            split.append(placed(ast.Assign([target], load(name)), node))
        return [*split, placed(delete([name]), node.targets[-1])]

    def _target(self, node: ast.Subscript | ast.Attribute) -> None:
        """Lower what a target evaluates; its drop behind the last call stays inside."""
        lowered = self._expressions.lower(node)
        if lowered is not node and isinstance(lowered, ast.BinOp):
            self._close([node], "the target of an assignment calls something")

    def _augmented(self, node: ast.AugAssign) -> list[ast.stmt]:
        node.value = self._expressions.lower(node.value)
        target = node.target
        if not self._unit.suspends(node.value) and not self._unit.suspends(target):
            return [node]
        if isinstance(target, ast.Name):
            if self._expressions.is_steady(load(target.id), [node.value]):
                return [node]
            return self._apart(node, load(target.id), target, [])
        parts: list[str] = []
        split: list[ast.stmt] = []
        for slot in operands(target):
            parts.append(self._expressions.fresh())
            split.append(placed(assign(parts[-1], self._part(slot)), node))
        read, write = (_rebuilt(target, parts, context) for context in (ast.Load(), ast.Store()))
        return [*split, *self._apart(node, read, write, parts)]

    def _part(self, slot: Slot) -> ast.expr:
        value = slot.get()
        if not isinstance(value, ast.Slice):
            return self._expressions.lower(value)
        bounds = [value.lower, value.upper, value.step]
        made = ast.Call(helper("slice"), [bound or ast.Constant(None) for bound in bounds], [])
        added(made, value, self._unit.numbers)
        return self._expressions.lower(made)

    def _apart(
        self,
        node: ast.AugAssign,
        read: ast.expr,
        write: ast.Name | ast.Attribute | ast.Subscript,
        parts: list[str],
    ) -> list[ast.stmt]:
        """Return reading, changing and writing as statements of their own."""
        name = self._expressions.fresh()
        return [
            placed(assign(name, placed(read, node.target)), node),
            placed(ast.AugAssign(store(name), node.op, node.value), node),
            placed(ast.Assign([placed(write, node.target)], load(name)), node),
            placed(delete([*parts, name]), node.target),
        ]


def _hidden_names(body: Sequence[ast.stmt]) -> list[str]:
    """Return the hidden names that statements of this frame give values to."""
    stored = {
        part.id
        for statement in body
        for part in walk_frame(statement)
        if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store)
    }
    return sorted(name for name in stored if name.startswith("."))


def _rebuilt(
    target: ast.Attribute | ast.Subscript, parts: list[str], context: ast.expr_context
) -> ast.Attribute | ast.Subscript:
    if isinstance(target, ast.Attribute):
        return ast.Attribute(load(parts[0]), target.attr, context)
    return ast.Subscript(load(parts[0]), load(parts[1]), context)
