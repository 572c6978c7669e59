"""Which calls may last: only those get a hidden name for what is pending around them.

A call is *quiet* when its callee is C code or a *tiny* function: one without loop, `with`, nested
definition, `yield` or recursion, all of whose calls are quiet. While a quiet call runs a save waits
for its return, which is near; so tiny functions stay as they are. A wrong guess (`setattr`, a
callback) only postpones a save.

Names decide, so all modules that are rewritten must be known together: see `Outside`.
"""

from __future__ import annotations

import array
import ast
import builtins
import collections
import datetime as dt
import decimal
import fractions
import io
import random
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from resume.rewrite.operands import root
from resume.rewrite.positions import YIELDS, id_of
from resume.rewrite.scopes import DEFINITIONS, FUNCTIONS, Scope, walk_frame

_COMMON_TYPES: tuple[type, ...] = (
    *(list, dict, str, bytes, bytearray, set, frozenset, int, float, complex, tuple, range),
    *(memoryview, type(iter([])), type({}.items()), io.TextIOWrapper, io.BufferedReader),
    *(io.BufferedWriter, io.StringIO, io.BytesIO, collections.deque, collections.Counter),
    *(collections.OrderedDict, collections.defaultdict, re.Pattern, re.Match, random.Random),
    *(array.array, fractions.Fraction, decimal.Decimal, dt.datetime, dt.timedelta),
)
QUIET_METHODS = frozenset(
    name for kind in _COMMON_TYPES for name in dir(kind) if not name.startswith("__")
)
"""Methods that no function of the program answers, unless one has the name."""

CONSUMERS = frozenset(
    {"any", "all", "sum", "min", "max", "sorted", "list", "tuple", "set", "frozenset", "dict"}
)
"""They use a generator expression up before they return, below C code: never saved in there."""

_SEES_THE_FRAME = frozenset({"locals", "vars", "exec", "eval", "save", "sync"})
_TRANSPARENT = frozenset({"staticmethod", "classmethod", "property"})
_NEVER_TINY = (
    *(ast.For, ast.While, ast.With, ast.Yield, ast.YieldFrom, ast.Await, ast.Lambda),
    *(ast.AsyncFor, ast.AsyncWith, ast.ClassDef, *FUNCTIONS),
)


@dataclass(frozen=True, slots=True)
class Outside:
    """What must be known of the other modules that are rewritten."""

    modules: frozenset[str] = frozenset()
    """Their names: what is imported from them may suspend."""
    functions: frozenset[str] = frozenset()
    """Names of all their functions, methods and classes."""
    tiny: frozenset[str] = frozenset()
    """Those of `functions` that are tiny wherever they are defined."""
    stored: frozenset[str] = frozenset()
    """Attributes that they assign: a method of that name may be anything."""
    has_generators: bool = False

    def merged(self, other: Outside) -> Outside:
        """Return what is known of both."""
        loud = (self.functions - self.tiny) | (other.functions - other.tiny)
        return Outside(
            self.modules | other.modules,
            self.functions | other.functions,
            (self.tiny | other.tiny) - loud,
            self.stored | other.stored,
            self.has_generators or other.has_generators,
        )


class Calls:
    """Knows of every call of one module whether it may suspend; made before the tree is lowered."""

    def __init__(self, tree: ast.Module, scopes: dict[ast.AST, Scope], outside: Outside) -> None:
        self._tree, self._scopes, self._outside = tree, scopes, outside
        self._tiny: dict[ast.AST, bool] = {}
        self._functions: dict[str, list[ast.AST]] = {}
        self._classes: dict[str, list[ast.ClassDef]] = {}
        self._stored = set(outside.stored)
        self.has_generators = outside.has_generators
        self.foreign: frozenset[str] = frozenset()
        self.builtins: frozenset[str] = frozenset()
        self.steady: frozenset[str] = frozenset()
        self.suspending: frozenset[int] = frozenset()

    def survey(self) -> Calls:
        """Look at all names, then at all calls."""
        for node in ast.walk(self._tree):
            self._note(node)
        self._sort_names()
        self.suspending = frozenset(
            id_of(node)
            for scope in self._scopes.values()
            for node in _inside(scope.node)
            if isinstance(node, YIELDS)
            or (isinstance(node, ast.Call) and self._may_suspend(node, scope))
        )
        return self

    def outline(self, module: str) -> Outside:
        """Return what other modules must know of this one."""
        functions = frozenset(self._functions)
        tiny = {name for name in functions if self._all_tiny(name)}
        names = functions | frozenset(self._classes)
        return Outside(
            frozenset({module}),
            names,
            frozenset(tiny),
            frozenset(self._stored),
            self.has_generators,
        )

    def is_tiny(self, function: ast.AST) -> bool:
        """The function stays as it is."""
        if function not in self._tiny:
            self._tiny[function] = False  # while we look: recursion is never tiny
            self._tiny[function] = isinstance(function, ast.FunctionDef) and self._look(function)
        return self._tiny[function]

    def consumes(self, call: ast.Call, scope: Scope) -> bool:
        """The call uses up a generator expression that it is given."""
        if isinstance(call.func, ast.Name):
            return call.func.id in CONSUMERS and self.is_builtin(call.func.id, scope)
        return (
            isinstance(call.func, ast.Attribute)
            and call.func.attr == "join"
            and isinstance(call.func.value, ast.Constant)
        )

    def is_builtin(self, name: str, scope: Scope) -> bool:
        """The name means the builtin, as far as the text tells."""
        return name in self.builtins and scope.is_global(name)

    def is_steady(self, name: str, scope: Scope) -> bool:
        """No call can give the name another value."""
        if scope.is_global(name):
            return name in self.steady or name in self.builtins
        return name == "__class__" or (scope.is_local(name) and name not in scope.rebound)

    # -- names

    def _note(self, node: ast.AST) -> None:
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                self._functions.setdefault(node.name, []).append(node)
            case ast.GeneratorExp() | ast.Yield() | ast.YieldFrom():
                self.has_generators = True
            case ast.Attribute(ctx=ast.Store() | ast.Del()):
                self._stored.add(node.attr)
            case ast.ClassDef():
                self._classes.setdefault(node.name, []).append(node)
                for statement in node.body:
                    if not isinstance(statement, FUNCTIONS):
                        inner = list(ast.walk(statement))
                        self._stored.update(_stores(inner))
                        self._stored.update(
                            each.name for each in inner if isinstance(each, DEFINITIONS)
                        )

    def _sort_names(self) -> None:
        declared = {
            name
            for node in ast.walk(self._tree)
            if isinstance(node, ast.Global)
            for name in node.names
        }
        counts = collections.Counter[str]()
        foreign: set[str] = set()
        self._count(self._tree.body, counts, foreign)
        every_store = set(_stores(ast.walk(self._tree)))
        assigned = {*_stores(walk_frame(self._tree)), *declared}
        self.steady = frozenset(
            name for name, count in counts.items() if count == 1 and name not in assigned
        )
        self.foreign = frozenset(foreign - every_store - declared)
        self.builtins = frozenset(set(dir(builtins)) - every_store - declared - set(counts))

    def _count(
        self, body: Iterable[ast.stmt], counts: collections.Counter[str], foreign: set[str]
    ) -> None:
        for statement in body:
            if isinstance(statement, (*FUNCTIONS, ast.ClassDef)):
                counts[statement.name] += 1
            elif isinstance(statement, (ast.Import, ast.ImportFrom)):
                for alias in statement.names:
                    name = alias.asname or alias.name.split(".")[0]
                    counts[name] += 1
                    if not self._is_ours(statement, alias):
                        foreign.add(name)
            elif isinstance(statement, (ast.If, ast.Try)):
                self._count([*statement.body, *statement.orelse], counts, foreign)
                for handler in getattr(statement, "handlers", ()):
                    self._count(handler.body, counts, foreign)

    def _is_ours(self, statement: ast.Import | ast.ImportFrom, alias: ast.alias) -> bool:
        if isinstance(statement, ast.ImportFrom) and statement.level:
            return True
        module = alias.name
        if isinstance(statement, ast.ImportFrom):
            module = statement.module or ""
        return module in self._outside.modules or module.split(".")[0] in self._outside.modules

    # -- calls

    def _may_suspend(self, call: ast.Call, scope: Scope) -> bool:
        function, first = call.func, root(call.func)
        if isinstance(first, (ast.Constant, ast.JoinedStr)):
            return False
        if not isinstance(first, ast.Name):
            return not self._is_quiet(call, scope)
        if first is function and first.id == "next" and self.is_builtin("next", scope):
            return self.has_generators
        if self._is_quiet(call, scope):
            return False
        name = function.attr if isinstance(function, ast.Attribute) else first.id
        if scope.is_global(first.id) and first.id in self.foreign:
            # the safe points that a program asks for: resume.sync(), resume.save()
            return name == "sync" or (name == "save" and first.id in {"resume", "save"})
        return not (first is function and self.is_builtin(first.id, scope))

    def _is_quiet(self, call: ast.Call, scope: Scope) -> bool:
        function = call.func
        if isinstance(function, ast.Name):
            return scope.is_global(function.id) and self._is_quiet_name(function.id)
        if not isinstance(function, ast.Attribute):
            return False
        name = function.attr
        if name in self._stored or name in self._classes or name in {"send", "throw"}:
            return False
        if name in self._outside.functions and name not in self._outside.tiny:
            return False
        if name in self._functions:
            return self._all_tiny(name)
        return name in QUIET_METHODS or name in self._outside.tiny

    def _is_quiet_name(self, name: str) -> bool:
        if name not in self.steady:
            return False
        if name in self._classes:
            return name not in self._functions and self._is_quiet_class(name, 0)
        return name in self._functions and self._all_tiny(name)

    def _all_tiny(self, name: str) -> bool:
        return all(self.is_tiny(function) for function in self._functions[name])

    def _is_quiet_class(self, name: str, depth: int) -> bool:
        """Making an instance runs only tiny functions."""
        found = self._classes.get(name, ())
        if len(found) != 1 or depth > 9 or found[0].keywords or found[0].decorator_list:
            return False
        for statement in found[0].body:
            if isinstance(statement, FUNCTIONS):
                if statement.name in {"__new__", "__init__"} and not self.is_tiny(statement):
                    return False
                if statement.name == "__init__":
                    return True
        return all(
            isinstance(base, ast.Name)
            and (
                base.id in self.builtins | self.foreign
                or (base.id in self.steady and self._is_quiet_class(base.id, depth + 1))
            )
            for base in found[0].bases
        )

    def _look(self, function: ast.FunctionDef) -> bool:
        """Tell whether one function is tiny."""
        if any(ast.unparse(mark) not in _TRANSPARENT for mark in function.decorator_list):
            return False
        scope = self._scopes[function]
        nodes = [node for statement in function.body for node in ast.walk(statement)]
        used_up = {
            node.args[0]
            for node in nodes
            if isinstance(node, ast.Call) and node.args and self.consumes(node, scope)
        }
        for node in nodes:
            if isinstance(node, _NEVER_TINY):
                return False
            if isinstance(node, ast.GeneratorExp) and node not in used_up:
                return False
            if isinstance(node, ast.Call) and (
                self._may_suspend(node, scope)
                or (isinstance(node.func, ast.Name) and node.func.id in _SEES_THE_FRAME)
            ):
                return False
        return True


def _inside(node: ast.AST) -> Iterator[ast.AST]:
    """Yield what belongs to the scope that *node* opens, or is evaluated on its account."""
    yield node
    for child in ast.iter_child_nodes(node):
        yield from walk_frame(child)


def _stores(nodes: Iterable[ast.AST]) -> Iterator[str]:
    for found in nodes:
        if isinstance(found, ast.Name) and not isinstance(found.ctx, ast.Load):
            yield found.id
