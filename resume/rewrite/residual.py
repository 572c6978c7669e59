"""The rest of a block from one of its positions on, as a tree of its own.

The statements behind the position are taken from the innermost block outwards, each wrapped in what
is left of the statements around it. They keep their ids, so a frame that goes on in a residual can
be suspended and entered again like any other, and nothing grows.

A loop that is entered in its middle becomes: the rest of this pass, once, and then the loop. A
`for` over one item is what runs the rest: `continue` in it goes on to the loop, which stands in its
`else`, and `break` leaves both.
"""

from __future__ import annotations

import ast
import copy
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from typing import Any, TypeGuard, TypeVar

from resume.errors import RestoreError
from resume.rewrite.blocks import Block, is_hidden
from resume.rewrite.building import (
    assign,
    class_,
    delete,
    function,
    helper,
    load,
    placed,
    silent,
    store,
)
from resume.rewrite.positions import RESUMED, id_of, is_resumed
from resume.rewrite.recreation import assignments
from resume.rewrite.rest import Entry, holds, rest_of
from resume.rewrite.scopes import OPAQUE, SCOPES
from resume.rewrite.unit import Unit

_LOOK = ".look"
"""What an exception looked like that is raised again."""
_ONCE = ".once"

N = TypeVar("N", bound=ast.AST)
S = TypeVar("S", bound=ast.stmt)

LOCALS = ".locals"
"""The one argument of a residual function: the values of the bound names."""

FACTORY = ".factory"
RESIDUAL = ".residual"
"""What its code is called until it is relocated."""


@dataclass(frozen=True, slots=True)
class Suspension:
    """Where a frame is, and what must be known of its variables to go on."""

    position: int
    entry: Entry
    bound: tuple[str, ...] = ()
    """Names that have a value, hidden ones included."""
    again: frozenset[str] = frozenset()
    """Those iterators whose iterable is evaluated again, to be skipped to their place."""
    reentered: frozenset[str] = frozenset()
    """Those context managers that are made and entered again."""
    recreated: tuple[str, ...] = ()
    """Variables that their only assignment gives a value again, before all else."""


class Rest:
    """Makes the statements that are left of one block."""

    def __init__(self, block: Block, unit: Unit, where: Suspension) -> None:
        self._block, self._unit, self._where = block, unit, where
        self._number = where.position

    def statements(self) -> list[ast.stmt]:
        """Return what is left to run; it shares nodes with the block."""
        if self._where.entry is Entry.START:
            return list(self._block.body)
        return self._from(self._block.body)

    def _from(self, body: list[ast.stmt]) -> list[ast.stmt]:
        for index, statement in enumerate(body):
            if self._is_in(statement):
                first = index
                if self._where.entry is Entry.BEFORE and id_of(statement) == self._number:
                    while first and is_hidden(body[first - 1]):
                        first -= 1  # what its comprehensions became
                return [*body[first:index], *self._rest(statement), *body[index + 1 :]]
        raise RestoreError(
            f"the program has no position {self._number} there: its source is not that of the "
            "save. The saved state is untouched; restart, or put the source back."
        )

    def _is_in(self, node: ast.stmt) -> bool:
        return is_in(node, self._number)

    def _in_any(self, body: Iterable[ast.stmt]) -> bool:
        return any(map(self._is_in, body))

    def _expression(self, node: ast.expr) -> ast.expr:
        return rest_of(node, self._number, self._where.entry)

    def _rest(self, node: ast.stmt) -> list[ast.stmt]:
        if id_of(node) == self._number and self._where.entry is Entry.BEFORE:
            return [node]
        rules: dict[type[ast.stmt], Callable[[Any], list[ast.stmt]]] = {
            ast.If: self._if,
            ast.For: self._for,
            ast.While: self._while,
            ast.With: self._with,
            ast.Try: self._try,
            ast.Match: self._match,
        }
        return rules.get(type(node), self._simple)(node)

    # -- statements that hold others

    def _if(self, node: ast.If) -> list[ast.stmt]:
        if self._in_any(node.body):
            return self._from(node.body)
        if self._in_any(node.orelse):
            return self._from(node.orelse)
        test = self._expression(node.test)
        return [_resumed(ast.If(test, node.body, node.orelse), node)]

    def _for(self, node: ast.For) -> list[ast.stmt]:
        name = self._unit.iterators[id_of(node)]
        at_head = id_of(node) == self._number  # as is the `del` in its `else`
        if not at_head and self._in_any(node.orelse):
            return self._from(node.orelse)
        if holds(node.iter, self._number):
            source = self._expression(node.iter)
            return [self._same_for(node, source)]
        loop = self._same_for(node, ast.copy_location(load(name), node.iter))
        before = self._again(name, node)
        if at_head:
            return [*before, loop]
        return [*before, self._once(self._from(node.body), [loop])]

    def _again(self, name: str, node: ast.For) -> list[ast.stmt]:
        if name not in self._where.again:
            return []
        made = ast.Call(helper("again"), [load(name), self._unit.sources[id_of(node)]], [])
        return [silent(assign(name, made))]

    @staticmethod
    def _same_for(node: ast.For, source: ast.expr) -> ast.For:
        loop = ast.For(node.target, source, node.body, node.orelse, None)
        return _resumed(loop, node)

    @staticmethod
    def _once(body: list[ast.stmt], behind: list[ast.stmt]) -> ast.stmt:
        items = ast.Tuple([ast.Constant(None)], ast.Load())
        return silent(ast.For(store(_ONCE), items, body, behind, None))

    def _while(self, node: ast.While) -> list[ast.stmt]:
        if self._in_any(node.orelse):
            return self._from(node.orelse)
        if self._in_any(node.body):
            return [self._once(self._from(node.body), [node])]
        test = self._expression(node.test)
        once = self._once(list(node.body), [node])
        return [_resumed(ast.If(test, [once], node.orelse), node)]

    def _with(self, node: ast.With) -> list[ast.stmt]:
        item = node.items[0]
        manager = item.context_expr
        assert isinstance(manager, ast.NamedExpr)
        if not self._in_any(node.body):
            again = ast.withitem(self._expression(manager), item.optional_vars)
            return [_resumed(ast.With([again], node.body), node)]
        body = self._from(node.body)
        name = manager.target.id
        if name in self._where.reentered:
            return [_resumed(ast.With([item], body), node)]
        entered = placed(ast.Call(helper("entered"), [load(name)], []), manager)
        return [_resumed(ast.With([ast.withitem(entered)], body), node)]

    def _try(self, node: ast.Try) -> list[ast.stmt]:
        if self._in_any(node.body):
            body = self._from(node.body)
            whole = ast.Try(body, node.handlers, node.orelse, node.finalbody)
            return [_resumed(whole, node)]
        in_else = self._in_any(node.orelse)
        inner = self._from(node.orelse) if in_else else self._handled(node)
        if not node.finalbody:
            return inner
        return [_resumed(ast.Try(inner, [], [], node.finalbody), node)]

    def _handled(self, node: ast.Try) -> list[ast.stmt]:
        """Raise the exception again, and go on in its handler, where it looks as it did."""
        handler = next(each for each in node.handlers if self._in_any(each.body))
        assert handler.name is not None
        look = ast.Call(helper("look_of"), [load(handler.name)], [])
        back = ast.Call(helper("put_back"), [load(handler.name), load(_LOOK)], [])
        body = [silent(assign(_LOOK, back)), *self._from(handler.body)]
        rest = placed(ast.ExceptHandler(helper("BaseException"), handler.name, body), handler)
        raised = placed(ast.Raise(load(handler.name), None), handler)
        return [silent(assign(_LOOK, look)), silent(ast.Try([raised], [rest], [], []))]

    def _match(self, node: ast.Match) -> list[ast.stmt]:
        for case in node.cases:
            if self._in_any(case.body):
                return self._from(case.body)
        subject = self._expression(node.subject)
        return [_resumed(ast.Match(subject, node.cases), node)]

    # -- simple statements

    def _simple(self, node: ast.stmt) -> list[ast.stmt]:
        fields = dict(ast.iter_fields(node))
        for name, value in fields.items():
            if isinstance(value, list):
                fields[name] = self._from_expressions(value)
            elif isinstance(value, ast.expr) and holds(value, self._number):
                fields[name] = self._expression(value)
                if isinstance(node, ast.Assert) and name == "msg":
                    fields["test"] = placed(ast.Constant(value=False), node.test)
        return [_resumed(type(node)(**fields), node)]

    def _from_expressions(self, values: list[object]) -> list[object]:
        for index, value in enumerate(values):
            if isinstance(value, ast.expr) and holds(value, self._number):
                return [self._expression(value), *values[index + 1 :]]
        return values


def _resumed(left: S, node: ast.stmt) -> S:
    """Return what is *left* of *node*, which had begun: no frame may begin it there again.

    What it shares with the block is copied as far as that is marked: statements in it are whole.
    """
    return _marked(ast.copy_location(left, node))


def _marked(node: N) -> N:
    new = copy.copy(node)
    if hasattr(new, "lineno") and not is_resumed(new.lineno):
        new.lineno += RESUMED
        new.end_lineno += RESUMED  # type: ignore[attr-defined]
    if isinstance(node, OPAQUE):
        return new
    for name, value in ast.iter_fields(node):
        if isinstance(value, list):
            setattr(new, name, [_marked(part) if _is_header(part) else part for part in value])
        elif _is_header(value):
            setattr(new, name, _marked(value))
    return new


def _is_header(part: object) -> TypeGuard[ast.AST]:
    return isinstance(part, ast.AST) and not isinstance(
        part, (ast.stmt, ast.ExceptHandler, ast.match_case)
    )


def is_in(statement: ast.stmt, number: int) -> bool:
    """The position is that of a statement, or of something in it, in the same frame."""
    todo: list[ast.AST] = [statement]
    while todo:
        node = todo.pop()
        if isinstance(node, ast.expr):
            if holds(node, number):
                return True
        elif not isinstance(node, ast.stmt):
            todo.extend(ast.iter_child_nodes(node))
        elif not is_hidden(node):
            if id_of(node) == number:
                return True
            if not isinstance(node, SCOPES):
                todo.extend(ast.iter_child_nodes(node))
    return False


def residual_function(
    block: Block, unit: Unit, where: Suspension, variables: Collection[str], outer: Collection[str]
) -> ast.Module:
    """Return a module that defines the residual of a function, for its code to be taken from.

    Args:
        block: The function.
        unit: Its module.
        where: Where it is to go on.
        variables: All its own names, hidden ones included, but for those in cells.
        outer: Names of its cells, made here or given from outside: free names of the residual.
    """
    body = [*assignments(block, unit, where.recreated), *Rest(block, unit, where).statements()]
    free = [name for name in outer if name != "__class__"]
    inside = block.node.body if isinstance(block.node, ast.FunctionDef) else []
    head: list[ast.stmt] = [part for part in inside if isinstance(part, ast.Global)]
    if free:
        head.append(ast.Nonlocal(free))
    head += _binding(block, where, variables, outer)
    return _in_factory(block, [*head, *body], list(outer))


def _binding(
    block: Block, where: Suspension, variables: Collection[str], outer: Collection[str]
) -> list[ast.stmt]:
    """Give the saved values their names; all others stay unbound, and local all the same."""
    unreached: list[ast.stmt] = [assign(name, ast.Constant(None)) for name in variables]
    if block.is_generator:
        unreached.append(ast.Expr(ast.Yield(None)))
    if "__class__" in outer:  # who looks at a call of `super()` that is over may ask for it
        unreached.append(ast.Expr(load("__class__")))
    bind: list[ast.stmt] = [
        assign(name, ast.Subscript(load(LOCALS), ast.Constant(name), ast.Load()))
        for name in where.bound
        if name not in outer
    ]
    guard = [ast.If(ast.Constant(0), unreached, [])] if unreached else []
    return [*guard, *bind, delete([LOCALS])]


def _in_factory(block: Block, body: list[ast.stmt], outer: list[str]) -> ast.Module:
    """Cells make names free; a class of the same name mangles private names alike."""
    inner: ast.stmt = function(RESIDUAL, [LOCALS], body)
    _begin_at_definition(inner, block)
    if block.class_name is not None:
        # Mangling strips the underscores, and no name of the program is hidden by this one.
        inner = class_("______" + block.class_name, [inner])
    cells: list[ast.stmt] = [assign(name, ast.Constant(None)) for name in outer]
    return ast.Module([silent(function(FACTORY, [], [*cells, inner]))], [])


def _begin_at_definition(made: ast.stmt, block: Block) -> None:
    """Let the code begin where the definition does: at its first decorator."""
    first: ast.AST = block.node
    if isinstance(block.node, ast.FunctionDef) and block.node.decorator_list:
        first = block.node.decorator_list[0]
    made.lineno = made.end_lineno = first.lineno  # type: ignore[attr-defined]
    made.col_offset = made.end_col_offset = 0


class SuperWithArguments(ast.NodeTransformer):
    """`super()` finds its arguments in a frame that a residual does not have."""

    def __init__(self, first_argument: str) -> None:
        self._first = first_argument

    def visit_Call(self, node: ast.Call) -> ast.AST:
        """Name the class and the object."""
        self.generic_visit(node)
        if isinstance(node.func, ast.Name) and node.func.id == "super" and not node.args:
            node.args = [placed(load("__class__"), node), placed(load(self._first), node)]
        return node

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        """Functions inside have frames of their own."""
        return self.generic_visit(node) if node.name in {FACTORY, RESIDUAL} else node

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
        """So have classes, but for the one that mangles names."""
        return self.generic_visit(node) if node.name.startswith("______") else node

    def visit_Lambda(self, node: ast.Lambda) -> ast.AST:
        """So have lambdas."""
        return node
