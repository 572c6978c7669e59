"""Small pieces of tree that the rewriting adds, and the hidden names in them.

Hidden names start with a dot: no source can contain them, the tree may, classes do not mangle them.
"""

from __future__ import annotations

import ast
from collections.abc import Sequence
from typing import Literal, TypeVar

from resume.rewrite.nodes import walk
from resume.rewrite.positions import SILENT, Numbering

HelperName = Literal[
    "BaseException", "again", "delegate", "entered", "following", "hide", "iterate", "look_of",
    "put_back", "slice", "super", "type", "types",
]  # fmt: skip

MARKER = "\ue0007d1f5c0a:resume:"
"""A constant that begins with it stands for a helper until the code is relocated."""

N = TypeVar("N", bound=ast.AST)

LOCATED = (ast.stmt, ast.expr, ast.ExceptHandler, ast.arg, ast.keyword, ast.alias, ast.pattern)
"""Nodes that must have a place."""


def load(name: str) -> ast.Name:
    """`name`, read."""
    return ast.Name(name, ast.Load())


def store(name: str) -> ast.Name:
    """`name`, as the target of an assignment."""
    return ast.Name(name, ast.Store())


def helper(name: HelperName) -> ast.expr:
    """Return an expression whose value is a helper: it goes by no name that the program sees."""
    constant = ast.Constant(MARKER + name)
    # The compiler warns of a constant that is called; it drops the condition before it looks.
    return ast.IfExp(ast.Constant(True), constant, ast.Constant(None))


def assign(name: str, value: ast.expr) -> ast.Assign:
    """`name = value`."""
    return ast.Assign([store(name)], value)


def delete(names: Sequence[str]) -> ast.Delete:
    """`del names`."""
    return ast.Delete([ast.Name(name, ast.Del()) for name in names])


def forget(names: Sequence[str]) -> ast.Assign:
    """`names = None`: for where they may be unbound."""
    return ast.Assign([store(name) for name in names], ast.Constant(None))


def placed(node: N, like: ast.AST) -> N:
    """Give *node*, and all that is new in it, the place of *like*."""
    for part in walk(node):
        if isinstance(part, LOCATED) and not hasattr(part, "lineno"):
            ast.copy_location(part, like)
    return node


def silent(node: N) -> N:
    """Give *node*, and all that is new in it, no place in the source at all."""
    for part in walk(node):
        if isinstance(part, LOCATED) and not hasattr(part, "lineno"):
            part.lineno = part.end_lineno = SILENT
            part.col_offset = part.end_col_offset = 0
    return node


def renumbered(node: N, number: int) -> N:
    """Give *node* alone another id; it stays where it is."""
    node.lineno = node.end_lineno = number  # type: ignore[attr-defined]
    return node


def function(name: str, arguments: Sequence[str], body: list[ast.stmt]) -> ast.FunctionDef:
    """Return a plain definition of a function."""
    given = ast.arguments([], [ast.arg(name) for name in arguments], None, [], [], None, [])
    return _without_types(ast.FunctionDef(name, given, body, [], None, None))


def class_(name: str, body: list[ast.stmt]) -> ast.ClassDef:
    """Return a plain definition of a class."""
    return _without_types(ast.ClassDef(name, [], [], body, []))


def _without_types(node: N) -> N:
    if "type_params" in node._fields:  # from 3.12 on
        node.type_params = []  # type: ignore[attr-defined]
    return node


def added(node: N, like: ast.AST, numbers: Numbering, mark: str | None = None) -> N:
    """Place *node* like *like*, with an id of its own: it is not the call or statement there."""
    placed(node, like)
    return renumbered(node, numbers.add_id(like, mark))
