"""Tell whether code does the same as before: from bytecode, and from source.

The bytecode is there always, but differs between Python versions; the source is the same for all of
them, but may be missing or edited. Neither digest depends on comments, blank lines, line numbers or
docstrings.
"""

from __future__ import annotations

import ast
import hashlib
import inspect
import linecache
import textwrap
from collections.abc import Iterator
from functools import lru_cache
from itertools import accumulate
from types import CodeType
from typing import Any

from resume.frames.flow import Op, flow_of

_JOINED = {
    "LOAD_FAST_LOAD_FAST": ("LOAD_FAST", "LOAD_FAST"),
    "STORE_FAST_LOAD_FAST": ("STORE_FAST", "LOAD_FAST"),
    "STORE_FAST_STORE_FAST": ("STORE_FAST", "STORE_FAST"),
}
_FLAGS = (
    inspect.CO_OPTIMIZED
    | inspect.CO_NEWLOCALS
    | inspect.CO_VARARGS
    | inspect.CO_VARKEYWORDS
    | inspect.CO_GENERATOR
    | inspect.CO_COROUTINE
    | inspect.CO_ITERABLE_COROUTINE
    | inspect.CO_ASYNC_GENERATOR
)
"""Not those of `from __future__` imports, which have done their work, and of docstrings (3.13)."""

_LINE_NAMES = frozenset({"__doc__", "__firstlineno__"})
"""Names that a class body binds to what only says where it stands (3.13) and what it is for."""


@lru_cache(maxsize=512)
def fingerprint(code: CodeType) -> str:
    """Return a hex digest of what *code* does, nested code included; for one Python version."""
    digest = hashlib.sha256()
    for part in _parts(code):
        digest.update(part.encode("utf-8", "surrogatepass"))
        digest.update(b"\0")
    return digest.hexdigest()


def _parts(code: CodeType) -> Iterator[str]:
    """Give all that matters about *code*, with arguments resolved.

    Indexes of constants shift when a docstring comes or goes, and offsets with them. What depends
    on how statements are broken into lines is not in here either: NOPs, which stand where a line
    needs an instruction, and 3.13's joining of two neighbours on one line.
    """
    yield repr((code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount))
    yield repr((code.co_varnames, code.co_cellvars, code.co_freevars, code.co_flags & _FLAGS))
    flow = flow_of(code)
    dropped = set(_dropped(flow.ops))
    said = [[] if index in dropped else _say(op) for index, op in enumerate(flow.ops)]
    places = list(accumulate(map(len, said), initial=0))
    for op, texts in zip(flow.ops, said, strict=True):
        yield from texts
        if op.target is not None:
            yield f"to {places[op.target]}"
    for row in flow.guards:
        at = tuple(places[index] for index in (row.first, row.behind, row.handler))
        yield repr((*at, row.depth, row.pushes))


def _say(op: Op) -> list[str]:
    if op.name in _JOINED:
        pairs = zip(_JOINED[op.name], op.value, strict=True)
        return [f"{name} {value!r}" for name, value in pairs]
    if op.target is not None:
        return [op.name]
    if op.name in {"LOAD_CONST", "RETURN_CONST", "KW_NAMES"}:
        return [f"{op.name} {_constant(op.value)}"]
    return [f"{op.name} {op.arg if op.value is None else op.value!r}"]


def _dropped(ops: tuple[Op, ...]) -> Iterator[int]:
    for index, op in enumerate(ops):
        if op.name == "NOP":
            yield index
        elif op.name == "STORE_NAME" and op.value in _LINE_NAMES and index:
            yield index - 1
            yield index


def _constant(value: Any) -> str:
    """Spell a constant so that equal ones spell equal in every process, and 1, 1.0, True do not."""
    if isinstance(value, CodeType):
        return f"code {value.co_name} {fingerprint(value)}"
    if isinstance(value, tuple):
        return f"({', '.join(map(_constant, value))})"
    if isinstance(value, frozenset):  # iterates in the order of the process's hash seed
        return f"frozenset({', '.join(sorted(map(_constant, value)))})"
    return f"{type(value).__name__} {value!r}"


def source_of(code: CodeType) -> str | None:
    """Return the source text of *code*, dedented; None where there is none (`exec`, a bare prompt).

    A file that was edited since it was imported gives text that is not this code: where the text
    does not parse, or defines something else, it counts as missing.
    """
    try:
        if code.co_name == "<module>":
            return "".join(linecache.getlines(code.co_filename)) or None
        text = textwrap.dedent(_block(code))
        tree = ast.parse(text)
    except (OSError, TypeError, SyntaxError, IndexError, ValueError):
        return None
    first = tree.body[0] if tree.body else None
    is_named = isinstance(first, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
    if not code.co_name.startswith("<") and not (is_named and _name(first) == code.co_name):
        return None
    return text


def _block(code: CodeType) -> str:
    # not inspect.getsource: it looks through every loaded module first, 15 to 25 ms
    linecache.checkcache(code.co_filename)
    lines = linecache.getlines(code.co_filename)
    return "".join(inspect.getblock(lines[code.co_firstlineno - 1 :]))


def _name(node: ast.AST | None) -> str:
    return str(getattr(node, "name", ""))


def source_digest(text: str) -> str:
    """Return a hex digest of what source *text* says; the same on every Python version.

    Text that is no whole statement (a lambda in the middle of a call) counts as it stands.
    """
    try:
        said = _spell(_without_docstrings(ast.parse(textwrap.dedent(text))))
    except (SyntaxError, ValueError):
        said = text.strip()
    return hashlib.sha256(said.encode("utf-8", "surrogatepass")).hexdigest()


def _without_docstrings(tree: ast.Module) -> ast.Module:
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            first = node.body[0] if node.body else None
            if (
                isinstance(first, ast.Expr)
                and isinstance(first.value, ast.Constant)
                and isinstance(first.value.value, str)
            ):
                node.body = node.body[1:]
    return tree


def _spell(node: Any) -> str:
    """Spell a tree. `ast.dump` shows empty fields on 3.11 and 3.12, and fields that came later."""
    if isinstance(node, ast.JoinedStr):  # 3.12.1 puts empty texts between the parts
        parts = [part for part in node.values if getattr(part, "value", None) != ""]
        return f"JoinedStr({_spell(parts)})"
    if isinstance(node, ast.AST):
        fields = ((name, getattr(node, name, None)) for name in node._fields)
        said = (f"{name}={_spell(value)}" for name, value in fields if value not in (None, []))
        return f"{type(node).__name__}({', '.join(said)})"
    if isinstance(node, list):
        return f"[{', '.join(map(_spell, node))}]"
    return _constant(node)
