"""What a module imports, and whether its script can be continued at all: told from the tree."""

from __future__ import annotations

import ast
import os
import sys
from collections.abc import Iterator

from resume.errors import UnsupportedCodeError
from resume.rewrite.nodes import walk

_LOOPS = frozenset({"asyncio", "trio", "anyio", "curio", "uvloop"})
_STARTERS = frozenset({"run", "run_until_complete", "run_forever"})


def imports_of(tree: ast.Module, package: str) -> Iterator[str]:
    """Yield the dotted names of all that the module may import."""
    for node in walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield from _with_parents(alias.name)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                around = package.split(".")
                around = around[: len(around) - node.level + 1]
                base = ".".join([*around, *filter(None, [node.module])])
            yield from _with_parents(base)
            yield from (f"{base}.{alias.name}" for alias in node.names if base)


def _with_parents(name: str) -> Iterator[str]:
    parts = name.split(".")
    yield from (".".join(parts[: end + 1]) for end in range(len(parts)) if name)


def refuse_async(tree: ast.Module, path: str) -> None:
    """Refuse a script that hands itself over to an event loop.

    Raises:
        UnsupportedCodeError: It does; the text names the line and the remedy.
    """
    nodes = walk(tree)
    if not any(isinstance(node, ast.AsyncFunctionDef) for node in nodes):
        return
    loops = {name.partition(".")[0] for name in imports_of(tree, "")} & _LOOPS
    for node in nodes:
        if isinstance(node, ast.Call) and loops and _name_called(node) in _STARTERS:
            raise UnsupportedCodeError(
                f"{path}, line {node.lineno}: an async script cannot be continued in the middle: "
                f"what waits in its event loop has no place to go on from. It was not started. "
                f"Run it with `{os.path.basename(sys.executable)} {path}`, and put "  # noqa: PTH119
                "a resume.Checkpoint around its long loop"
            )


def _name_called(call: ast.Call) -> str:
    function = call.func
    if isinstance(function, ast.Attribute):
        return function.attr
    return function.id if isinstance(function, ast.Name) else ""
