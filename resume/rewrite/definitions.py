"""What a module defines before a position: it runs again when the module is entered again.

Imports, functions, classes, and blocks that hold only those. Nothing is evaluated that the program
has evaluated already: default values, which may read what was bound by a statement that does not
run again, become None, and the saved state brings the true ones; methods are no exception. The body
of a class runs again, and so do assignments of constants, for those it may read: the state puts its
own values in their place. The condition of an `if` that holds only definitions is evaluated again.
A decorator that reads what another statement has computed (`@listeners.on("x")`) is left out; of a
function, so is each that is the program's own, for it may read anything. What it made is part of
the state.

What can still go wrong: a class body, a decorator of a class, or such a condition, that calls what
reads what another statement has computed.
"""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator, Sequence

from resume.rewrite.blocks import is_hidden
from resume.rewrite.residual import is_in
from resume.rewrite.scopes import FUNCTIONS, walk_frame

_INNER = ("body", "orelse", "finalbody")
_ASSIGNMENTS = (ast.Assign, ast.AnnAssign)


def definitions_before(
    body: Sequence[ast.stmt], number: int, own: Collection[str] = ()
) -> Iterator[ast.stmt]:
    """Yield the definitions among the statements that ran before the position *number*.

    Args:
        body: The statements of a module.
        number: Id of the position.
        own: Names of the modules of the program.
    """
    made = list(_before(body, number))
    inside = [part for statement in made for part in walk_frame(statement)]
    known = {part.id for part in inside if isinstance(part, ast.Name) and _is_bound(part)}
    defined = {part.name for part in inside if isinstance(part, (*FUNCTIONS, ast.ClassDef))}
    computed = {
        part.id
        for statement in body
        for part in walk_frame(statement)
        if isinstance(part, ast.Name) and _is_bound(part)
    } - (known | defined)
    ours = defined | {name for part in inside for name in _imported_from(part, own)}
    for statement in made:
        is_function = isinstance(statement, FUNCTIONS)
        yield _undecorated(statement, computed | ours if is_function else computed)


def _is_bound(name: ast.Name) -> bool:
    return not isinstance(name.ctx, ast.Load)


def _imported_from(node: ast.AST, own: Collection[str]) -> Iterator[str]:
    """Yield the names that an import statement binds to something of the program's."""
    tops = {name.partition(".")[0] for name in own}
    if isinstance(node, ast.ImportFrom):
        if node.level or (node.module or "").partition(".")[0] in tops:
            yield from (alias.asname or alias.name for alias in node.names)
    elif isinstance(node, ast.Import):
        for alias in node.names:
            top = alias.name.partition(".")[0]
            if top in tops:
                yield alias.asname or top


def _undecorated(node: ast.stmt, unknown: Collection[str]) -> ast.stmt:
    if not isinstance(node, (*FUNCTIONS, ast.ClassDef)):
        return node
    parts = [part for each in node.decorator_list for part in ast.walk(each)]
    if not any(isinstance(part, ast.Name) and part.id in unknown for part in parts):
        return node
    fields = dict(ast.iter_fields(node)) | {"decorator_list": []}
    return _without_defaults(ast.copy_location(type(node)(**fields), node))


def _before(body: Sequence[ast.stmt], number: int) -> Iterator[ast.stmt]:
    for statement in body:
        if is_in(statement, number):
            for name in _INNER:
                inner = getattr(statement, name, None)
                if isinstance(inner, list) and any(is_in(each, number) for each in inner):
                    yield from _before(inner, number)
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
