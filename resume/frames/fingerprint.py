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
from types import CodeType
from typing import Any

from resume.frames.flow import Op, flow_of

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

    Indexes of constants shift when a docstring comes or goes, and offsets with them; NOPs stand
    where a line number needs an instruction. None of it is in here.
    """
    yield repr((code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount))
    yield repr((code.co_varnames, code.co_cellvars, code.co_freevars))
    # The docstring flag of 3.13 is not what the code does.
    yield str(code.co_flags & ~0x4000000)
    flow = flow_of(code)
    dropped = set(_dropped(flow.ops))
    places, count = [], 0
    for index in range(len(flow.ops)):
        places.append(count)
        count += index not in dropped
    places.append(count)
    for index, op in enumerate(flow.ops):
        if index in dropped:
            continue
        if op.target is not None:
            yield f"{op.name} to {places[op.target]}"
        elif op.name in {"LOAD_CONST", "RETURN_CONST", "KW_NAMES"}:
            yield f"{op.name} {_constant(op.value)}"
        else:
            yield f"{op.name} {op.arg if _is_number(op) else op.value!r}"
    for row in flow.guards:
        at = tuple(places[index] for index in (row.first, row.behind, row.handler))
        yield repr((*at, row.depth, row.pushes))


def _is_number(op: Op) -> bool:
    return op.value is None or isinstance(op.value, CodeType)


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
        text = textwrap.dedent(inspect.getsource(code))
        tree = ast.parse(text)
    except (OSError, TypeError, SyntaxError, IndexError, ValueError):
        return None
    first = tree.body[0] if tree.body else None
    is_named = isinstance(first, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
    if not code.co_name.startswith("<") and not (is_named and _name(first) == code.co_name):
        return None
    return text


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
    if isinstance(node, ast.AST):
        fields = ((name, getattr(node, name, None)) for name in node._fields)
        said = (f"{name}={_spell(value)}" for name, value in fields if value not in (None, []))
        return f"{type(node).__name__}({', '.join(said)})"
    if isinstance(node, list):
        return f"[{', '.join(map(_spell, node))}]"
    return _constant(node)
