"""Comprehensions that may be suspended become hidden functions, as CPython made them before 3.12.

So `[g(x) for x in xs]` can be entered again in the middle: its loops are `for` statements, and the
list so far has a name. All others stay as they are.
"""

from __future__ import annotations

import ast

from resume.rewrite.building import added, assign, function, load, placed, renumbered, store
from resume.rewrite.positions import id_of
from resume.rewrite.scopes import Comprehension
from resume.rewrite.unit import Unit

CODE_NAMES: dict[type[ast.expr], str] = {
    ast.ListComp: "<listcomp>",
    ast.SetComp: "<setcomp>",
    ast.DictComp: "<dictcomp>",
    ast.GeneratorExp: "<genexpr>",
}
_RESULT = ".r"
_SEES_THE_FRAME = frozenset({"super", "__class__", "locals", "vars", "dir", "eval", "exec"})
"""From 3.12 on a comprehension shares the frame around it, and these work there."""


def must_be_hoisted(node: Comprehension, unit: Unit) -> bool:
    """A frame may be suspended inside *node*, and it can be a function."""
    if any(clause.is_async for clause in node.generators):
        return False
    # A walrus in it binds a name of the frame around, which a function could not.
    if any(isinstance(part, (ast.NamedExpr, ast.Await)) for part in ast.walk(node)):
        return False
    if isinstance(node, ast.GeneratorExp):
        return True
    return unit.suspends_below(node) and not any(
        isinstance(part, ast.Name) and part.id in _SEES_THE_FRAME for part in ast.walk(node)
    )


def hoisted(node: Comprehension, name: str, unit: Unit) -> ast.FunctionDef:
    """Return the function that *node* becomes; its argument is the first iterator."""
    body: list[ast.stmt] = _element(node, unit)
    for index, clause in reversed(list(enumerate(node.generators))):
        for condition in reversed(clause.ifs):
            body = [added(ast.If(condition, body, []), condition, unit.numbers)]
        source = clause.iter if index else load(".0")
        loop = placed(ast.For(clause.target, source, body, [], None), clause.iter)
        body = [renumbered(loop, unit.numbers.clauses[clause])]
    if not isinstance(node, ast.GeneratorExp):
        start = added(assign(_RESULT, _empty(node)), node, unit.numbers)
        body = [start, *body, added(ast.Return(load(_RESULT)), node, unit.numbers)]
    unit.hoisted[id_of(node)] = CODE_NAMES[type(node)]
    return placed(function(name, [".0"], body), node)


def _empty(node: Comprehension) -> ast.expr:
    if isinstance(node, ast.ListComp):
        return ast.List([], ast.Load())
    if isinstance(node, ast.DictComp):
        return ast.Dict([], [])
    return ast.Set([ast.Starred(ast.Tuple([], ast.Load()), ast.Load())])


def _element(node: Comprehension, unit: Unit) -> list[ast.stmt]:
    """Return the statements that add one element to the result."""
    if isinstance(node, ast.GeneratorExp):
        return [added(ast.Expr(ast.Yield(node.elt)), node.elt, unit.numbers)]
    if isinstance(node, ast.DictComp):
        # A display takes the key first, an assignment the value.
        pair = ast.Tuple([node.key, node.value], ast.Load())
        names = ast.Tuple([store(".k"), store(".v")], ast.Store())
        target = ast.Subscript(load(_RESULT), load(".k"), ast.Store())
        return [
            added(ast.Assign([names], pair), node.key, unit.numbers),
            added(ast.Assign([target], load(".v")), node.key, unit.numbers),
        ]
    method = "append" if isinstance(node, ast.ListComp) else "add"
    call = ast.Call(ast.Attribute(load(_RESULT), method, ast.Load()), [node.elt], [])
    return [added(ast.Expr(added(call, node.elt, unit.numbers)), node.elt, unit.numbers)]
