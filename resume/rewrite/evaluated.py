"""What the definitions of a program evaluate when they run again, and what that reads.

A class body, a base, an `if` around functions, an annotation: they read globals, some of which a
statement has computed that does not run again. Those must be there before.

What is read by the definition itself is told from its tree. What is read by the functions that it
may call (a metaclass, `__init_subclass__`, `__set_name__`, a decorator) is told from all functions
of the program that have the name of something that it mentions: rather too many than too few.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from resume.rewrite.definitions import (
    definition_of,
    hints_are_texts,
    makes_type,
    statements_before,
)
from resume.rewrite.positions import COMPREHENSIONS, id_of
from resume.rewrite.scopes import FUNCTIONS, names_bound_by, walk_frame


@dataclass(frozen=True, slots=True)
class Evaluated:
    """One statement that runs again, and what it evaluates on its way."""

    number: int
    """Its id."""
    what: str
    """It, in the program's words."""
    made: str
    """Name of the class that it makes, if it is one."""
    needs: frozenset[str]
    """Globals without which it raises."""
    reads: frozenset[str]
    """Globals that it may read; those that it needs with them."""
    mentions: frozenset[str]
    """Names and attributes that may be functions it calls."""
    computed: frozenset[str]
    """Globals that a statement which does not run again was the last to bind above it."""


@dataclass(slots=True)
class _Seen:
    reads_hints: bool = True
    """Annotations are evaluated."""
    needs: set[str] = field(default_factory=set)
    reads: set[str] = field(default_factory=set)
    mentions: set[str] = field(default_factory=set)


def evaluated_before(body: Sequence[ast.stmt], number: int) -> Iterator[Evaluated]:
    """Yield what the definitions above the position *number* evaluate, in their order.

    Args:
        body: The statements of a module.
        number: Id of the position.
    """
    computed: set[str] = set()
    reads_hints = not hints_are_texts(body)
    for statement in statements_before(body, number):
        bound = {name for part in walk_frame(statement) for name in names_bound_by(part)}
        if not definition_of(statement):
            computed |= bound
            continue
        seen = _Seen(reads_hints)
        _look(statement, seen)
        if seen.reads or seen.mentions:
            yield Evaluated(
                id_of(statement),
                _shown(statement),
                statement.name if isinstance(statement, ast.ClassDef) else "",
                frozenset(seen.needs),
                frozenset(seen.reads),
                frozenset(seen.mentions),
                frozenset(computed),
            )
        computed -= bound


def _shown(statement: ast.stmt) -> str:
    match statement:
        case ast.ClassDef(name=name):
            return f"the class {name}"
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
            return f"the function {name}"
        case ast.If():
            return "the `if` around definitions"
        case _:
            return "a definition"


def _look(statement: ast.stmt, seen: _Seen) -> None:
    match statement:
        case ast.ClassDef():
            for decorator in statement.decorator_list:
                _take([decorator], seen, is_needed=False)
            _class(statement, seen)
        case ast.FunctionDef() | ast.AsyncFunctionDef():
            _take(statement.decorator_list, seen, is_needed=False)
            if statement.decorator_list:
                _take(_defaults(statement), seen, is_needed=False)
            _signature(statement, seen, set())
        case ast.If():
            _take([statement.test], seen)
            inner = _Seen(seen.reads_hints)
            for each in [*statement.body, *statement.orelse]:
                _look(each, inner)
            _soften(inner, seen)
        case ast.Try():
            _take([statement], seen, is_needed=False)
        case ast.Assign() if makes_type(statement):
            _take([statement.value], seen)
        case _:
            return


def _soften(inner: _Seen, seen: _Seen) -> None:
    seen.reads |= inner.reads
    seen.mentions |= inner.mentions


def _class(node: ast.ClassDef, seen: _Seen, around: Iterable[str] = ()) -> None:
    declared = {*around, *_declared(node)}
    _take([*node.bases, *node.keywords], seen, declared)
    own = {name for each in node.body for part in walk_frame(each) for name in names_bound_by(part)}
    own |= declared
    for statement in node.body:
        if isinstance(statement, FUNCTIONS):
            _take(statement.decorator_list, seen, own)
            if statement.decorator_list:
                _take(_defaults(statement), seen, own)
            _signature(statement, seen, own)
        elif isinstance(statement, ast.ClassDef):
            _take(statement.decorator_list, seen, own)
            _class(statement, seen, declared)
        elif isinstance(statement, ast.AnnAssign) and not seen.reads_hints:
            _take(filter(None, [statement.target, statement.value]), seen, own)
        else:
            _take([statement], seen, own)


def _declared(node: ast.AST) -> set[str]:
    """Return the type parameters of a class or function: `T` of `class Box[T]` (3.12)."""
    return {each.name for each in getattr(node, "type_params", ())}


def _defaults(node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) -> list[ast.expr]:
    return [*node.args.defaults, *(each for each in node.args.kw_defaults if each is not None)]


def _signature(node: ast.FunctionDef | ast.AsyncFunctionDef, seen: _Seen, own: set[str]) -> None:
    if not seen.reads_hints:
        return
    args = node.args
    every = [*args.posonlyargs, *args.args, *args.kwonlyargs, args.vararg, args.kwarg]
    hints = [each.annotation for each in every if each is not None and each.annotation is not None]
    if node.returns is not None:
        hints.append(node.returns)
    _take(hints, seen, own, is_needed=False)


def _take(
    nodes: Iterable[ast.AST],
    seen: _Seen,
    own: Iterable[str] = (),
    *,
    is_needed: bool = True,
) -> None:
    """Note what *nodes* read, but for what they bind themselves, and what the class does."""
    for node in nodes:
        inside = list(_evaluated(node))
        read = {n.id for n in inside if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load)}
        read = {name for name in read if not name.startswith(".")}
        bound = {name for part in inside for name in names_bound_by(part)}
        seen.reads |= read
        seen.mentions |= read | {part.attr for part in inside if isinstance(part, ast.Attribute)}
        if is_needed and not isinstance(node, (ast.Try, ast.If)):
            seen.needs |= read - bound - set(own)


def _evaluated(node: ast.AST) -> Iterator[ast.AST]:
    """Walk what is evaluated with *node*: comprehensions too, but not what functions hold."""
    for part in walk_frame(node):
        yield part
        if isinstance(part, COMPREHENSIONS):
            for child in ast.iter_child_nodes(part):
                yield from _evaluated(child)
        elif isinstance(part, (*FUNCTIONS, ast.Lambda)):
            for child in [*getattr(part, "decorator_list", ()), *_defaults(part)]:
                yield from _evaluated(child)
        elif isinstance(part, ast.ClassDef):
            for child in [*part.decorator_list, *part.bases, *part.keywords, *part.body]:
                yield from _evaluated(child)


# ---------------------------------------------------------------- what functions read


@dataclass(frozen=True, slots=True)
class Called:
    """What a function, or the creation of a class, reads and mentions."""

    names: frozenset[str]
    mentions: frozenset[str]


def functions_by_name(body: Iterable[ast.stmt]) -> Mapping[str, Sequence[Called]]:
    """Return what the functions of a module read, by their names.

    A class stands for all of its methods that the interpreter calls by itself.
    """
    found: dict[str, list[Called]] = {}
    for statement in body:
        for node in ast.walk(statement):
            if isinstance(node, FUNCTIONS):
                found.setdefault(node.name, []).append(_called(node.body))
            elif isinstance(node, ast.ClassDef):
                special = [
                    each
                    for each in node.body
                    if isinstance(each, FUNCTIONS) and each.name.startswith("__")
                ]
                parts = [*node.bases, *node.keywords, *special]
                found.setdefault(node.name, []).append(_called(parts))
    return found


def _called(nodes: Iterable[ast.AST]) -> Called:
    names: set[str] = set()
    attributes: set[str] = set()
    for node in nodes:
        for part in ast.walk(node):
            if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Load):
                names.add(part.id)
            elif isinstance(part, ast.Attribute):
                attributes.add(part.attr)
    return Called(frozenset(names), frozenset(names | attributes))
