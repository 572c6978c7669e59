"""Which calls may last: only those get a hidden name for what is pending around them.

A call is *quiet* when its callee is C code or a *tiny* function: one without loop, `with`, nested
definition, `yield` or recursion, all of whose calls are quiet. While a quiet call runs a save waits
for its return, which is near; so tiny functions stay as they are. A wrong guess (`setattr`, a
callback) only postpones a save.

Names decide, so all modules that are rewritten must be known together: see `Outside`.
"""

from __future__ import annotations

import ast
import builtins
import collections
import io
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from resume.rewrite.nodes import children, walk
from resume.rewrite.operands import root
from resume.rewrite.positions import YIELDS, id_of
from resume.rewrite.scopes import DEFINITIONS, FUNCTIONS, Scope, walk_frame

_COMMON_TYPES: tuple[type, ...] = (
    *(list, dict, str, bytes, bytearray, set, frozenset, int, float, complex, tuple, range),
    *(memoryview, type(iter([])), type({}.items()), io.TextIOWrapper, io.BufferedReader),
    *(io.BufferedWriter, io.StringIO, io.BytesIO, collections.deque, collections.Counter),
    *(collections.OrderedDict, collections.defaultdict, re.Pattern, re.Match),
)
_OF_OTHERS = """
    betavariate binomialvariate choice choices expovariate gammavariate gauss getrandbits getstate
    lognormvariate normalvariate paretovariate randbytes randint random randrange sample seed
    setstate shuffle triangular uniform vonmisesvariate weibullvariate

    buffer_info byteswap frombytes fromfile fromlist fromunicode tofile tounicode

    from_decimal from_float limit_denominator adjusted as_tuple canonical compare compare_signal
    compare_total compare_total_mag copy_abs copy_negate copy_sign exp fma is_canonical is_finite
    is_infinite is_nan is_normal is_qnan is_signed is_snan is_subnormal is_zero ln log10 logb
    logical_and logical_invert logical_or logical_xor max max_mag min min_mag next_minus next_plus
    next_toward normalize number_class quantize radix remainder_near same_quantum scaleb shift sqrt
    to_eng_string to_integral to_integral_exact to_integral_value

    astimezone combine ctime date dst fromisocalendar fromisoformat fromordinal fromtimestamp
    isocalendar isoformat isoweekday now strftime strptime time timestamp timetuple timetz today
    toordinal total_seconds tzname utcfromtimestamp utcnow utcoffset utctimetuple weekday
"""
"""Methods of random, array, fractions and decimal, datetime, which are not imported for it."""
QUIET_METHODS = frozenset(
    name for kind in _COMMON_TYPES for name in dir(kind) if not name.startswith("__")
) | frozenset(_OF_OTHERS.split())
"""Methods that no function of the program answers, unless one has the name."""

CONSUMERS = frozenset(
    {"any", "all", "sum", "min", "max", "sorted", "list", "tuple", "set", "frozenset", "dict"}
)
"""They use a generator expression up before they return, below C code: never saved in there."""

_MADE_BY_BUILTINS = frozenset(
    {"range", "sorted", "list", "tuple", "set", "frozenset", "dict", "str", "bytes"}
)
"""Over what these return an iterator can be saved as it is."""
_WRAPPERS = frozenset({"enumerate", "zip", "reversed"})
_DISPLAYS = (
    *(ast.List, ast.Tuple, ast.Set, ast.Dict, ast.ListComp, ast.SetComp, ast.DictComp),
    ast.JoinedStr,
)

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
        for node in walk(self._tree):
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

    def gives_known(self, node: ast.expr, scope: Scope) -> bool:
        """What the expression gives is sure to have an iterator that can be saved as it is."""
        if isinstance(node, _DISPLAYS):
            return True
        if isinstance(node, ast.Constant):
            return isinstance(node.value, (str, bytes))
        if not isinstance(node, ast.Call):
            return False
        called = node.func
        if isinstance(called, ast.Name):
            return self._call_gives_known(called.id, node, scope)
        return (
            isinstance(called, ast.Attribute)
            and isinstance(called.value, ast.Name)
            and _has_method(scope, called.value.id, called.attr)
            and called.attr not in self._stored | self._outside.functions
            and self._all_give_known(called.attr)
        )

    def _call_gives_known(self, name: str, call: ast.Call, scope: Scope) -> bool:
        if self.is_builtin(name, scope):
            return name in _MADE_BY_BUILTINS or (
                name in _WRAPPERS and all(self.gives_known(given, scope) for given in call.args)
            )
        return scope.is_global(name) and name in self.steady and self._all_give_known(name)

    def _all_give_known(self, name: str) -> bool:
        """All functions of that name are generators of the program, or return displays."""
        found = self._functions.get(name, ())
        return bool(found) and name not in self._classes and all(map(self._gives_known, found))

    def _gives_known(self, function: ast.AST) -> bool:
        if not isinstance(function, ast.FunctionDef) or function.decorator_list:
            return False
        inside = [part for statement in function.body for part in walk_frame(statement)]
        if any(isinstance(part, YIELDS) for part in inside):
            return True
        returned = [part.value for part in inside if isinstance(part, ast.Return)]
        ends = isinstance(function.body[-1], ast.Return)
        return ends and all(isinstance(value, _DISPLAYS) for value in returned)

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
                        inner = walk(statement)
                        self._stored.update(_stores(inner))
                        self._stored.update(
                            each.name for each in inner if isinstance(each, DEFINITIONS)
                        )

    def _sort_names(self) -> None:
        declared = {
            name for node in walk(self._tree) if isinstance(node, ast.Global) for name in node.names
        }
        counts = collections.Counter[str]()
        foreign: set[str] = set()
        self._count(self._tree.body, counts, foreign)
        every_store = set(_stores(walk(self._tree)))
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
        nodes = [node for statement in function.body for node in walk(statement)]
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


def _has_method(scope: Scope, receiver: str, name: str) -> bool:
    """In a method, *receiver* is `self`, whose class defines *name*."""
    around = scope.parent.node if scope.parent is not None else None
    if not isinstance(around, ast.ClassDef) or not isinstance(scope.node, ast.FunctionDef):
        return False
    arguments = [*scope.node.args.posonlyargs, *scope.node.args.args]
    return (
        bool(arguments)
        and arguments[0].arg == receiver
        and any(isinstance(each, ast.FunctionDef) and each.name == name for each in around.body)
    )


def _inside(node: ast.AST) -> Iterator[ast.AST]:
    """Yield what belongs to the scope that *node* opens, or is evaluated on its account."""
    yield node
    for child in children(node):
        yield from walk_frame(child)


def _stores(nodes: Iterable[ast.AST]) -> Iterator[str]:
    for found in nodes:
        if isinstance(found, ast.Name) and not isinstance(found.ctx, ast.Load):
            yield found.id
