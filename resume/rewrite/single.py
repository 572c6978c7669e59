"""One function of a module, cut out of it: so that edits elsewhere in the file change nothing.

Goal: rewrite a function alone, with the ids, lines and names that it has whatever stands around it.

What does not work: its text alone. Indentation, private names, `super()`, free variables and the
lines in tracebacks come from what is around it.

What we do: the tree of the module is reduced to the function, in the classes that it stands in. A
function within another is cut out with all of that one, for they share variables. Imports are kept
as far as the function names them, in one order, behind it: they tell which calls are quick, and the
compiler makes other code of calls by the name of a module. Decorators, defaults and annotations of
the function are no part of its code, and go.
"""

from __future__ import annotations

import ast
import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import CodeType
from typing import TypeAlias

from resume.errors import UnsupportedCodeError
from resume.rewrite.blocks import Function
from resume.rewrite.module import Helpers, RewrittenModule, rewrite_tree
from resume.rewrite.quiet import Outside
from resume.rewrite.relocate import codes_in

_FUTURE = 0x1FE0000
"""Flags of code that come from `from __future__ import ...`."""

_Scope: TypeAlias = Function | ast.ClassDef | ast.AsyncFunctionDef
_SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)


@dataclass(frozen=True, slots=True)
class Single:
    """A function that was cut out of its module."""

    tree: ast.Module
    text: str
    """The lines of the source that it was made of."""
    first_line: int
    qualname: str
    """Of the outermost function that was cut out."""
    flags: int
    """For the compiler: what the module imports from `__future__`."""
    own: tuple[str, ...] = ()
    """Modules of the program's that it names."""

    def copied_tree(self) -> ast.Module:
        """A tree for others to use, with all that the rewriting depends on."""
        own = [ast.Expr(ast.Constant(name)) for name in self.own]
        return ast.Module([*copy.deepcopy(self.tree).body, *own], [])

    def rewritten(self, filename: str, helpers: Helpers) -> RewrittenModule:
        """Rewrite it; the tree is used up.

        Raises:
            UnsupportedCodeError: It is too large, or compiled to unknown code.
        """
        outside = Outside(frozenset(self.own))
        return rewrite_tree(self.tree, filename, helpers, self.flags, outside)


class Source:
    """The source of a module, to cut functions out of."""

    def __init__(self, text: str, filename: str) -> None:
        """Parse it.

        Raises:
            SyntaxError: It is no Python.
            ValueError: The same, for a text with null bytes.
        """
        self.text = text
        self.module = ast.parse(text, filename)
        self.chains: dict[tuple[str, int], list[tuple[_Scope, ...]]] = {}
        """By name and first line: functions, with the functions and classes around them."""
        for chain in _chains(self.module, ()):
            key = _name(chain[-1]), _first_line(chain[-1])
            self.chains.setdefault(key, []).append(chain)


def cut_out(
    source: Source, code: CodeType, is_foreign: Callable[[str, int], bool]
) -> Single | None:
    """Cut the function that compiles to *code* out of its module.

    Args:
        source: Of the module; it stays as it is.
        code: What the function runs.
        is_foreign: Tells by its name and its level whether an imported module is none of the
            program's.

    Returns:
        None where no function of the source compiles to that code.

    Raises:
        UnsupportedCodeError: Several do: lambdas on one line.
    """
    chains = source.chains.get((code.co_name, code.co_firstlineno), ())
    outermost = {id(chain[_outermost(chain)]): chain for chain in chains}
    cuts = [_cut(source, chain, code, is_foreign) for chain in outermost.values()]
    found = [cut for cut in cuts if _compiles_to(cut, code)]
    if len(found) > 1:
        raise UnsupportedCodeError(
            f"line {code.co_firstlineno} of {code.co_filename} holds several functions that look "
            "alike: nobody could tell which of them is saved. Give the function a line of its own, "
            "with `def`"
        )
    return found[0] if found else None


def _chains(node: ast.AST, around: tuple[_Scope, ...]) -> Iterator[tuple[_Scope, ...]]:
    """Yield each function of a tree with the functions and classes around it, outermost first."""
    for child in ast.iter_child_nodes(node):
        inner = (*around, child) if isinstance(child, _SCOPES) else around
        if inner is not around and not isinstance(child, ast.ClassDef):
            yield inner
        yield from _chains(child, inner)


def _name(node: _Scope) -> str:
    return "<lambda>" if isinstance(node, ast.Lambda) else node.name


def _first_line(node: _Scope) -> int:
    marks = [] if isinstance(node, ast.Lambda) else node.decorator_list
    return marks[0].lineno if marks else node.lineno


def _outermost(chain: tuple[_Scope, ...]) -> int:
    """Return which of a chain is its first function."""
    return next(n for n, node in enumerate(chain) if not isinstance(node, ast.ClassDef))


def _cut(
    source: Source,
    chain: tuple[_Scope, ...],
    code: CodeType,
    is_foreign: Callable[[str, int], bool],
) -> Single:
    at = _outermost(chain)
    top = copy.deepcopy(chain[at])
    _strip(top)
    body: ast.stmt = ast.copy_location(ast.Expr(top), top) if isinstance(top, ast.Lambda) else top
    for around in reversed(chain[:at]):
        assert isinstance(around, ast.ClassDef)
        body = _class_around(around, body)
    imports, own = _named_imports(source.module, top, is_foreign)
    first, last = _first_line(chain[at]), chain[at].end_lineno or 0
    return Single(
        ast.Module([body, *imports], []),
        "\n".join(source.text.splitlines()[first - 1 : last]) + "\n",
        first,
        ".".join(map(_name, chain[: at + 1])),
        code.co_flags & _FUTURE,
        own,
    )


def _strip(top: _Scope) -> None:
    """Take away what is evaluated where the function is defined."""
    assert not isinstance(top, ast.ClassDef)
    args = top.args
    args.defaults = [_nothing(value) for value in args.defaults]
    args.kw_defaults = [value and _nothing(value) for value in args.kw_defaults]
    for argument in [*args.posonlyargs, *args.args, *args.kwonlyargs, args.vararg, args.kwarg]:
        if argument is not None:
            argument.annotation = None
    if isinstance(top, ast.Lambda):
        return
    top.returns = None
    if top.decorator_list:  # one is left: the code begins at its line
        mark = ast.Name("resumable", ast.Load())
        top.decorator_list = [ast.copy_location(mark, top.decorator_list[0])]


def _nothing(value: ast.expr) -> ast.expr:
    return ast.copy_location(ast.Constant(None), value)


def _class_around(node: ast.ClassDef, body: ast.stmt) -> ast.ClassDef:
    fields = dict(ast.iter_fields(node))
    fields |= {"bases": [], "keywords": [], "decorator_list": [], "body": [body]}
    return ast.copy_location(ast.ClassDef(**fields), node)


def _named_imports(
    module: ast.Module, top: _Scope, is_foreign: Callable[[str, int], bool]
) -> tuple[list[ast.stmt], tuple[str, ...]]:
    """Return the imports that bind names of a function, and which modules are the program's."""
    wanted = {part.id for part in ast.walk(top) if isinstance(part, ast.Name)}
    found: dict[str, ast.stmt] = {}
    own: set[str] = set()
    for statement, alias in _imports(module.body):
        bound = alias.asname or alias.name.partition(".")[0]
        if bound not in wanted:
            continue
        one = ast.copy_location(ast.alias(alias.name, alias.asname), top)
        if isinstance(statement, ast.ImportFrom):
            home, level = statement.module or "", statement.level
            made: ast.stmt = ast.ImportFrom(statement.module, [one], level)
        else:
            home, level = alias.name, 0
            made = ast.Import([one])
        found[bound] = ast.copy_location(made, top)
        if not is_foreign(home, level):
            own.add(home.partition(".")[0])
    return [found[name] for name in sorted(found)], tuple(sorted(own))


def _imports(body: list[ast.stmt]) -> Iterator[tuple[ast.Import | ast.ImportFrom, ast.alias]]:
    for statement in body:
        if isinstance(statement, (ast.Import, ast.ImportFrom)):
            yield from ((statement, alias) for alias in statement.names)
        elif isinstance(statement, (ast.If, ast.Try)):
            yield from _imports([*statement.body, *statement.orelse])
            for handler in getattr(statement, "handlers", ()):
                yield from _imports(handler.body)


def _compiles_to(cut: Single, code: CodeType) -> bool:
    """Whether the source is what the code was made of: it may have changed on the disk."""
    plain = compile(cut.tree, code.co_filename, "exec", cut.flags, dont_inherit=True)
    return any(each == code for each in codes_in(plain))
