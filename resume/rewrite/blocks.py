"""The functions, lambdas and hidden comprehensions of a lowered module."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias

from resume.rewrite.nodes import children
from resume.rewrite.positions import YIELDS, id_of
from resume.rewrite.scopes import FUNCTIONS, Scope, walk_frame
from resume.rewrite.unit import Unit

Function: TypeAlias = ast.FunctionDef | ast.Lambda
HIDDEN_FUNCTION = ".<"
"""The name of a function that a comprehension became begins so."""


@dataclass(frozen=True, slots=True)
class Block:
    """One piece of a module that has frames of its own, and can be entered again."""

    number: int
    """Its id: that of its definition, 0 for the module."""
    node: Function | ast.Module
    scope: Scope
    class_name: str | None
    """The class whose private names it sees (`__x`)."""
    is_plain: bool
    """It was not rewritten, because it is tiny: no frame of it can be entered again."""
    is_generator: bool

    @property
    def body(self) -> list[ast.stmt]:
        """Its statements, declarations left out; a lambda's is a `return`."""
        if isinstance(self.node, ast.Lambda):
            return [ast.copy_location(ast.Return(self.node.body), self.node)]
        return [
            statement
            for statement in self.node.body
            if isinstance(self.node, ast.Module)
            or not isinstance(statement, (ast.Global, ast.Nonlocal))
        ]

    @property
    def first_argument(self) -> str | None:
        """The name of `self`."""
        if isinstance(self.node, ast.Module):
            return None
        args = [*self.node.args.posonlyargs, *self.node.args.args]
        return args[0].arg if args else None


def blocks_of(tree: ast.Module, unit: Unit) -> dict[int, Block]:
    """Return all blocks of a lowered module by their ids."""
    found = {0: Block(0, tree, unit.scopes[tree], None, is_plain=False, is_generator=False)}
    clauses = {id_of(node): scope for node, scope in unit.scopes.items() if hasattr(node, "lineno")}
    for node, class_name in _functions(tree, None):
        number = id_of(node)
        scope = unit.scopes.get(node) or clauses[number]
        found[number] = Block(
            number,
            node,
            scope,
            class_name,
            is_plain=not _is_hoisted(node) and unit.calls.is_tiny(node),
            is_generator=_yields(node),
        )
    return found


def _functions(node: ast.AST, class_name: str | None) -> Iterator[tuple[Function, str | None]]:
    for child in children(node):
        if isinstance(child, ast.AsyncFunctionDef):
            continue
        if isinstance(child, (ast.FunctionDef, ast.Lambda)):
            yield child, class_name
        inner = child.name if isinstance(child, ast.ClassDef) else class_name
        yield from _functions(child, inner)


def _yields(node: Function) -> bool:
    inside = [node.body] if isinstance(node, ast.Lambda) else node.body
    return any(
        isinstance(part, YIELDS)
        for statement in inside
        if not isinstance(statement, (*FUNCTIONS, ast.ClassDef))
        for part in walk_frame(statement)
    )


def is_hidden(node: ast.stmt) -> bool:
    """Tell whether the statement defines the function that a comprehension became."""
    return isinstance(node, ast.FunctionDef) and node.name.startswith(HIDDEN_FUNCTION)


def _is_hoisted(node: Function) -> bool:
    return isinstance(node, ast.FunctionDef) and is_hidden(node)
