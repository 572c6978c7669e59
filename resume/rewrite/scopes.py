"""Which names a scope binds, told from the tree alone: the same on every Python.

Code objects would tell it too, but not alike: from 3.12 on a comprehension has none of its own.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TypeAlias

from resume.rewrite.nodes import children
from resume.rewrite.positions import COMPREHENSIONS

FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
DEFINITIONS = (*FUNCTIONS, ast.ClassDef)
SCOPES = (*DEFINITIONS, ast.Lambda)
ALIASES: tuple[type[ast.stmt], ...] = tuple(filter(None, [getattr(ast, "TypeAlias", None)]))
"""`type Pair = ...`: nothing is evaluated before somebody asks what it is."""
OPAQUE = (ast.Lambda, *COMPREHENSIONS)
"""Expressions whose inside is another frame (or hides one)."""

_FRAMES: frozenset[type[ast.AST]] = frozenset({*SCOPES, *COMPREHENSIONS})

Comprehension: TypeAlias = ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp


@dataclass(slots=True)
class Scope:
    """The names of one module, function, lambda, class or comprehension."""

    node: ast.AST
    parent: Scope | None
    bound: set[str] = field(default_factory=set)
    global_names: set[str] = field(default_factory=set)
    outer_names: set[str] = field(default_factory=set)
    """Declared `nonlocal`."""
    rebound: set[str] = field(default_factory=set)
    """Own names that a function inside declares `nonlocal`: any call may change them."""
    is_generator: bool = False

    @property
    def is_module(self) -> bool:
        """The names are globals."""
        return self.parent is None

    def is_local(self, name: str) -> bool:
        """The name is a variable of this very frame."""
        return not self.is_module and name in self.bound - self.global_names - self.outer_names

    def is_global(self, name: str) -> bool:
        """The name is looked up in the module, then in the builtins."""
        if self.is_module or name in self.global_names:
            return True
        return not self.is_local(name) and not self._from_outside(name)

    def _from_outside(self, name: str) -> bool:
        around = self.parent
        while around is not None and not around.is_module:
            if not isinstance(around.node, ast.ClassDef):
                if name in around.global_names:
                    return False
                if around.is_local(name):
                    return True
            around = around.parent
        return name == "__class__"


def scopes_of(tree: ast.Module) -> dict[ast.AST, Scope]:
    """Describe every scope of a module, before it is lowered."""
    found: dict[ast.AST, Scope] = {}
    _enter(tree, None, found)
    for scope in found.values():
        _mark_rebound(scope)
    return found


def _mark_rebound(scope: Scope) -> None:
    for name in scope.outer_names:
        around = scope.parent
        while around is not None and not around.is_local(name):
            around = around.parent
        if around is not None:
            around.rebound.add(name)


def _enter(node: ast.AST, parent: Scope | None, found: dict[ast.AST, Scope]) -> None:
    scope = found[node] = Scope(node, parent)
    if isinstance(node, (*FUNCTIONS, ast.Lambda)):
        args = node.args
        every = [*args.posonlyargs, *args.args, *args.kwonlyargs, args.vararg, args.kwarg]
        scope.bound.update(argument.arg for argument in every if argument is not None)
    for child in _own_children(node):
        _visit(child, scope, found)


def _own_children(node: ast.AST) -> Iterator[ast.AST]:
    """Yield what is evaluated inside the scope that *node* opens."""
    if isinstance(node, (*FUNCTIONS, ast.ClassDef)):
        yield from node.body
    elif isinstance(node, ast.Lambda):
        yield node.body
    elif isinstance(node, COMPREHENSIONS):
        for child in children(node):
            if child is node.generators[0]:
                yield node.generators[0].target
                yield from node.generators[0].ifs
            else:
                yield child
    else:
        yield from children(node)


def _outer_children(node: ast.AST) -> Iterator[ast.AST]:
    """Yield what the scope around evaluates: decorators, defaults, the first iterable."""
    inside = set(_own_children(node))
    if isinstance(node, COMPREHENSIONS):
        yield node.generators[0].iter
        return
    yield from (child for child in children(node) if child not in inside)


def _visit(node: ast.AST, scope: Scope, found: dict[ast.AST, Scope]) -> None:
    scope.bound.update(names_bound_by(node))
    if isinstance(node, ast.Global):
        scope.global_names.update(node.names)
    elif isinstance(node, ast.Nonlocal):
        scope.outer_names.update(node.names)
    elif isinstance(node, (ast.Yield, ast.YieldFrom)):
        scope.is_generator = True
    elif isinstance(node, ast.NamedExpr):
        _bind_walrus(node.target.id, scope)
        _visit(node.value, scope, found)
        return
    if isinstance(node, (*SCOPES, *COMPREHENSIONS)):
        for child in _outer_children(node):
            _visit(child, scope, found)
        _enter(node, scope, found)
        return
    for child in children(node):
        _visit(child, scope, found)


def _bind_walrus(name: str, scope: Scope) -> None:
    """Bind it in the nearest scope around that is no comprehension."""
    while isinstance(scope.node, COMPREHENSIONS) and scope.parent is not None:
        scope = scope.parent
    scope.bound.add(name)


def names_bound_by(node: ast.AST) -> Iterator[str]:
    """Yield the names that the node itself binds, whatever is in it left out."""
    match node:
        case ast.Name(ctx=ast.Store() | ast.Del()):
            yield node.id
        case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
            yield node.name
        case ast.Import() | ast.ImportFrom():
            yield from (alias.asname or alias.name.split(".")[0] for alias in node.names)
        case ast.ExceptHandler(name=str(name)) | ast.MatchAs(name=str(name)):
            yield name
        case ast.MatchStar(name=str(name)) | ast.MatchMapping(rest=str(name)):
            yield name


def walk_frame(node: ast.AST) -> Iterator[ast.AST]:
    """Walk like `ast.walk`, but only what runs in the frame that evaluates *node*.

    Of a nested function, class, lambda or comprehension only the node itself is yielded.
    """
    todo = [node]
    while todo:
        current = todo.pop()
        yield current
        if type(current) not in _FRAMES:
            todo += children(current)
