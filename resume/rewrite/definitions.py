"""What a module defines before a position: it runs again when the module is entered again.

Imports, functions, classes, and blocks that hold only those. Nothing is evaluated that the program
has evaluated already: default values, which may read what was bound by a statement that does not
run again, become None, and the saved state brings the true ones; methods are no exception. The body
of a class runs again, and so do assignments of constants, for those it may read: the state puts its
own values in their place. The condition of an `if` that holds only definitions is evaluated again.

What can still go wrong: a class body, a decorator or such a condition that reads what another
statement has computed.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

from resume.rewrite.blocks import is_hidden
from resume.rewrite.residual import is_in
from resume.rewrite.scopes import FUNCTIONS

_INNER = ("body", "orelse", "finalbody")
_ASSIGNMENTS = (ast.Assign, ast.AnnAssign)


def definitions_before(body: Sequence[ast.stmt], number: int) -> Iterator[ast.stmt]:
    """Yield the definitions among the statements that ran before the position *number*."""
    for statement in body:
        if is_in(statement, number):
            for name in _INNER:
                inner = getattr(statement, name, None)
                if isinstance(inner, list) and any(is_in(each, number) for each in inner):
                    yield from definitions_before(inner, number)
            return
        if _defines(statement):
            yield _without_defaults(statement)


def _defines(node: ast.stmt) -> bool:
    match node:
        case ast.FunctionDef():
            return not is_hidden(node)
        case ast.Import() | ast.ImportFrom() | ast.ClassDef() | ast.AsyncFunctionDef():
            return True
        case ast.If():
            calls = any(isinstance(part, ast.Call) for part in ast.walk(node.test))
            return not calls and _only_defines([*node.body, *node.orelse])
        case (
            ast.Assign(targets=[ast.Name()], value=value)
            | ast.AnnAssign(target=ast.Name(), value=ast.expr() as value)
        ):
            return _is_constant(value)
        case ast.Try():
            return any(isinstance(each, (ast.Import, ast.ImportFrom)) for each in node.body)
        case _:
            return False


def _is_constant(node: ast.expr) -> bool:
    """The value is written out, and needs nothing of what the program has done."""
    shapes = (ast.Constant, ast.Tuple, ast.List, ast.Set, ast.Dict, ast.UnaryOp, ast.BinOp)
    around = (ast.expr_context, ast.operator, ast.unaryop)
    return all(isinstance(part, (*shapes, *around)) for part in ast.walk(node))


def _only_defines(body: list[ast.stmt]) -> bool:
    is_made = any(_defines(each) and not isinstance(each, _ASSIGNMENTS) for each in body)
    return is_made and all(_defines(each) or isinstance(each, ast.Pass) for each in body)


def _without_defaults(node: ast.stmt) -> ast.stmt:
    if isinstance(node, ast.ClassDef):
        fields = dict(ast.iter_fields(node)) | {"body": list(map(_without_defaults, node.body))}
        return ast.copy_location(ast.ClassDef(**fields), node)
    if not isinstance(node, FUNCTIONS) or node.decorator_list:
        return node
    args = ast.arguments(**dict(ast.iter_fields(node.args)))
    args.defaults = [_nothing(value) for value in args.defaults]
    args.kw_defaults = [value and _nothing(value) for value in args.kw_defaults]
    fields = dict(ast.iter_fields(node)) | {"args": args}
    return ast.copy_location(type(node)(**fields), node)


def _nothing(value: ast.expr) -> ast.expr:
    if isinstance(value, ast.Constant):
        return value
    return ast.copy_location(ast.Constant(None), value)
