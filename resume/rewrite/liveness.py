"""What a program will still read, and what it defines again by itself.

Told from the tree alone, and always on the safe side: a name that may be read is read.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from resume.rewrite.definitions import definitions_before, makes_type
from resume.rewrite.residual import is_in
from resume.rewrite.scopes import ALIASES, FUNCTIONS, SCOPES, names_bound_by

_SEES_ALL = frozenset({"locals", "globals", "vars", "dir", "eval", "exec"})
_DEFINING = (
    *(*FUNCTIONS, ast.ClassDef, ast.Import, ast.ImportFrom, ast.Assign, ast.AnnAssign),
    *ALIASES,
)
NOWHERE = -1
"""A position that no statement has: all of a module's lie before it."""


@dataclass(frozen=True, slots=True)
class Definitions:
    """What the definitions of a module bind when they run again."""

    made: frozenset[str] = frozenset()
    """Functions and classes."""
    imported: Mapping[str, tuple[str, str | None]] = field(default_factory=dict)
    """Name -> module (its leading dots with it), and the name there; None: the module itself."""
    star_imports: tuple[str, ...] = ()
    """Modules of which all names are imported."""
    constants: frozenset[str] = frozenset()
    """Variables that hold what is written out in the source, until the program changes them."""
    types: frozenset[str] = frozenset()
    """Variables that hold what `TypeVar`, `namedtuple` and their like have made."""


@dataclass(frozen=True, slots=True)
class Reads:
    """What some code reads."""

    names: frozenset[str]
    attributes: frozenset[str]
    """Attributes, and names that it imports: globals of other modules may be meant."""
    sees_all: bool
    """It may read any name: `locals()`, `eval`, and their like."""

    def may_read(self, name: str) -> bool:
        """Tell whether it may read the variable."""
        return self.sees_all or name in self.names


def definitions_of(body: Sequence[ast.stmt], position: int | None) -> Definitions:
    """Return what is defined again for a position of the module; None: for its end."""
    made: set[str] = set()
    constants: set[str] = set()
    types: set[str] = set()
    imported: dict[str, tuple[str, str | None]] = {}
    stars: list[str] = []
    number = NOWHERE if position is None else position
    for node in _definitions_in(definitions_before(body, number)):
        if isinstance(node, (*FUNCTIONS, ast.ClassDef)):
            made.add(node.name)
        elif makes_type(node):
            targets = getattr(node, "targets", None) or [node.name]  # type: ignore[attr-defined]
            types.update(part.id for part in targets)
        elif isinstance(node, (ast.Assign, ast.AnnAssign)):
            constants.update(part.id for part in ast.walk(node) if isinstance(part, ast.Name))
        elif isinstance(node, ast.Import):
            for alias in node.names:
                whole, first = alias.name, alias.name.split(".")[0]
                imported[alias.asname or first] = (whole if alias.asname else first, None)
        elif isinstance(node, ast.ImportFrom):
            home = "." * node.level + (node.module or "")
            for alias in node.names:
                if alias.name == "*":
                    stars.append(home)
                else:
                    imported[alias.asname or alias.name] = (home, alias.name)
    found = frozenset(constants), frozenset(types)
    return Definitions(frozenset(made), imported, tuple(stars), *found)


def _definitions_in(statements: Iterable[ast.stmt]) -> Iterator[ast.stmt]:
    for node in statements:
        if isinstance(node, _DEFINING):
            yield node
        else:
            inner = (child for child in ast.iter_child_nodes(node) if isinstance(child, ast.stmt))
            yield from _definitions_in(inner)
            for handler in getattr(node, "handlers", ()):
                yield from _definitions_in(handler.body)


def reads_of(statements: Iterable[ast.AST]) -> Reads:
    """Return what *statements* read, the functions in them included."""
    names: set[str] = set()
    attributes: set[str] = set()
    for statement in statements:
        for node in ast.walk(statement):
            if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Store):
                names.add(node.id)
            elif isinstance(node, ast.AugAssign) and isinstance(node.target, ast.Name):
                names.add(node.target.id)
            elif isinstance(node, ast.Attribute):
                attributes.add(node.attr)
            elif isinstance(node, (ast.Global, ast.Nonlocal)):
                names.update(node.names)
            elif isinstance(node, (ast.Import, ast.ImportFrom)):
                attributes.update(alias.name for alias in node.names)
    return Reads(frozenset(names), frozenset(attributes), sees_all=not names.isdisjoint(_SEES_ALL))


def bound_below(statements: Iterable[ast.AST]) -> frozenset[str]:
    """Return all names that *statements* bind, whatever stands in them included."""
    inside = (node for statement in statements for node in ast.walk(statement))
    return frozenset(name for node in inside for name in names_bound_by(node))


def managers_around(body: Iterable[ast.stmt], position: int) -> dict[str, frozenset[str]]:
    """Return the hidden names of the context managers whose blocks hold a position.

    Returns:
        By name: the variables that entering it binds (`with e as x`).
    """
    found: dict[str, frozenset[str]] = {}
    for node in (part for statement in body for part in _below(statement, position)):
        if not isinstance(node, ast.With) or not any(is_in(each, position) for each in node.body):
            continue
        item = node.items[0]
        if isinstance(item.context_expr, ast.NamedExpr):
            bound = () if item.optional_vars is None else ast.walk(item.optional_vars)
            found[item.context_expr.target.id] = frozenset(
                part.id for part in bound if isinstance(part, ast.Name)
            )
    return found


def _below(statement: ast.stmt, position: int) -> Iterator[ast.stmt]:
    if not is_in(statement, position):
        return
    yield statement
    if isinstance(statement, SCOPES):
        return
    for _, value in ast.iter_fields(statement):
        for child in value if isinstance(value, list) else ():
            if isinstance(child, ast.stmt):
                yield from _below(child, position)
            elif isinstance(child, (ast.ExceptHandler, ast.match_case)):
                for inner in child.body:
                    yield from _below(inner, position)
