"""What a module defines before a position: it runs again when the module is entered again.

Imports, functions, classes, and blocks that hold only those. Nothing is evaluated that the program
has evaluated already: default values, which may read what was bound by a statement that does not
run again, become None, and the saved state brings the true ones; methods are no exception. The body
of a class runs again, and so do assignments of constants, for those it may read: the state puts its
own values in their place. The condition of an `if` that holds only definitions is evaluated again.
A decorator of a function that reads what another statement has computed (`@listeners.on("x")`) is
left out, and so is each that is the program's own, for it may read anything. What it made is part
of the state.

A class body that reads what another statement has computed gets it *given*: a copy of what the name
held when the state was saved (`evaluated.py` tells which are needed). What the body makes of it is
replaced by the state, too. What could not be given is left out of decorators of classes, and of
annotations.

What can still go wrong: a metaclass that refuses a class which its registry knows already.
"""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator, Mapping, Sequence
from types import MappingProxyType

from resume.rewrite.blocks import is_hidden
from resume.rewrite.building import load, silent
from resume.rewrite.positions import id_of
from resume.rewrite.residual import is_in
from resume.rewrite.scopes import ALIASES, FUNCTIONS, walk_frame

GIVE = ".give"
"""A hidden global while definitions run: brings the values that the next one needs."""
TYPE_MAKERS = frozenset(
    {"NamedTuple", "NewType", "ParamSpec", "TypeVar", "TypeVarTuple", "namedtuple"}
)
"""Calls that make what definitions stand on (`T = TypeVar("T")`): they are made again in place."""

_INNER = ("body", "orelse", "finalbody")
_ASSIGNMENTS = (ast.Assign, ast.AnnAssign)


def definitions_before(
    body: Sequence[ast.stmt],
    number: int,
    own: Collection[str] = (),
    given: Mapping[int, Collection[str]] = MappingProxyType({}),
) -> Iterator[ast.stmt]:
    """Yield the definitions among the statements that ran before the position *number*.

    Args:
        body: The statements of a module.
        number: Id of the position.
        own: Names of the modules of the program.
        given: By id of a definition: the globals that `GIVE`, called with that id, brings for it.
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
    unknown = computed.difference(*given.values())
    ours = defined | {name for part in inside for name in _imported_from(part, own)}
    hints = set() if hints_are_texts(body) else unknown
    for statement in made:
        if id_of(statement) in given:
            yield silent(ast.Expr(ast.Call(load(GIVE), [ast.Constant(id_of(statement))], [])))
        is_function = isinstance(statement, FUNCTIONS)
        left = _undecorated(statement, computed | ours if is_function else unknown)
        yield _without_hints(left, hints)


def hints_are_texts(body: Sequence[ast.stmt]) -> bool:
    """Annotations are texts, and nothing is evaluated for them."""
    return any(
        isinstance(each, ast.ImportFrom)
        and each.module == "__future__"
        and any(alias.name == "annotations" for alias in each.names)
        for each in body
    )


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


def _without_hints(node: ast.stmt, unknown: Collection[str]) -> ast.stmt:
    """Leave out annotations that would read an unknown name, and those of module variables."""
    if isinstance(node, ast.AnnAssign) and node.value is not None:
        return ast.copy_location(ast.Assign([node.target], node.value), node)
    if isinstance(node, ast.ClassDef):
        body = [
            each if isinstance(each, ast.AnnAssign) else _without_hints(each, unknown)
            for each in node.body
        ]
        fields = dict(ast.iter_fields(node)) | {"body": body}
        return ast.copy_location(ast.ClassDef(**fields), node)
    if not isinstance(node, FUNCTIONS) or not unknown:
        return node
    args = ast.arguments(**dict(ast.iter_fields(node.args)))
    for name in ("posonlyargs", "args", "kwonlyargs"):
        setattr(args, name, [_plain_arg(each, unknown) for each in getattr(args, name)])
    args.vararg = args.vararg and _plain_arg(args.vararg, unknown)
    args.kwarg = args.kwarg and _plain_arg(args.kwarg, unknown)
    returns = None if node.returns is None or _reads_any(node.returns, unknown) else node.returns
    fields = dict(ast.iter_fields(node)) | {"args": args, "returns": returns}
    return ast.copy_location(type(node)(**fields), node)


def _plain_arg(arg: ast.arg, unknown: Collection[str]) -> ast.arg:
    if arg.annotation is None or not _reads_any(arg.annotation, unknown):
        return arg
    return ast.copy_location(ast.arg(arg.arg, None, arg.type_comment), arg)


def _reads_any(node: ast.AST, names: Collection[str]) -> bool:
    return any(isinstance(part, ast.Name) and part.id in names for part in ast.walk(node))


def _undecorated(node: ast.stmt, unknown: Collection[str]) -> ast.stmt:
    if not isinstance(node, (*FUNCTIONS, ast.ClassDef)):
        return node
    if not any(_reads_any(each, unknown) for each in node.decorator_list):
        return node
    fields = dict(ast.iter_fields(node)) | {"decorator_list": []}
    return _without_defaults(ast.copy_location(type(node)(**fields), node))


def _before(body: Sequence[ast.stmt], number: int) -> Iterator[ast.stmt]:
    for statement in statements_before(body, number):
        if definition_of(statement):
            yield _without_defaults(statement)


def statements_before(body: Sequence[ast.stmt], number: int) -> Iterator[ast.stmt]:
    """Yield the whole statements above the position *number*, in blocks around it too."""
    for statement in body:
        if is_in(statement, number):
            for name in _INNER:
                inner = getattr(statement, name, None)
                if isinstance(inner, list) and any(is_in(each, number) for each in inner):
                    yield from statements_before(inner, number)
            return
        yield statement


def makes_type(node: ast.stmt) -> bool:
    """The statement is `T = TypeVar("T")`, or its like, or `type T = ...`."""
    match node:
        case ast.stmt() if isinstance(node, ALIASES):
            return True
        case ast.Assign(targets=[ast.Name()], value=ast.Call(func=ast.Name(id=name))):
            return name in TYPE_MAKERS
        case ast.Assign(targets=[ast.Name()], value=ast.Call(func=ast.Attribute(attr=name))):
            return name in TYPE_MAKERS
        case _:
            return False


def definition_of(node: ast.stmt) -> bool:
    """Tell whether a statement of a module runs again when the module is entered again."""
    match node:
        case ast.FunctionDef():
            return not is_hidden(node)
        case ast.Import() | ast.ImportFrom() | ast.ClassDef() | ast.AsyncFunctionDef():
            return True
        case ast.If():
            calls = any(isinstance(part, ast.Call) for part in ast.walk(node.test))
            return not calls and _onlydefinition_of([*node.body, *node.orelse])
        case (
            ast.Assign(targets=[ast.Name()], value=value)
            | ast.AnnAssign(target=ast.Name(), value=ast.expr() as value)
        ):
            return _is_constant(value) or makes_type(node)
        case ast.Try():
            return any(isinstance(each, (ast.Import, ast.ImportFrom)) for each in node.body)
        case _:
            return isinstance(node, ALIASES)


def _is_constant(node: ast.expr) -> bool:
    """The value is written out, and needs nothing of what the program has done."""
    shapes = (ast.Constant, ast.Tuple, ast.List, ast.Set, ast.Dict, ast.UnaryOp, ast.BinOp)
    around = (ast.expr_context, ast.operator, ast.unaryop)
    return all(isinstance(part, (*shapes, *around)) for part in ast.walk(node))


def _onlydefinition_of(body: list[ast.stmt]) -> bool:
    is_made = any(definition_of(each) and not isinstance(each, _ASSIGNMENTS) for each in body)
    return is_made and all(definition_of(each) or isinstance(each, ast.Pass) for each in body)


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
