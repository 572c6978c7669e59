"""Whether the source of a program is that of a saved state, and what differs."""

from __future__ import annotations

import ast
import difflib
import hashlib
import sys
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from resume.errors import CodeChangedError, RestoreError
from resume.types import Manifest

Fact: TypeAlias = "dict[str, Any]"
"""`file`, `digest` of what the source means, and `source`: its text, None where it is too long.
`first`, where the text is a part of the file: its first line there."""

MOST_SOURCE = 1 << 18
"""Bytes of a source that a manifest keeps, to show what has changed."""
_MOST_LINES = 40


def python_version() -> str:
    """The version that code and positions in it belong to."""
    return f"{sys.version_info.major}.{sys.version_info.minor}"


def meaning(tree: ast.AST) -> str:
    """A digest of what a tree says: comments, blank lines and docstrings do not count.

    The tree is changed.
    """
    for node in ast.walk(tree):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
            first = node.body[0] if node.body else None
            is_text = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)
            if is_text and isinstance(first.value.value, str):  # type: ignore[union-attr]
                first.value.value = ""  # type: ignore[union-attr]
    return hashlib.sha256(ast.dump(tree).encode("utf-8", "surrogatepass")).hexdigest()


def why_restart(
    manifest: Manifest,
    now: Callable[[str, Fact], Fact | None],
    *,
    may_restart: bool,
    remedy: str,
    remedy_of_python: str,
) -> str | None:
    """Tell whether the source is that of a saved state.

    Args:
        manifest: Of the state.
        now: Gives the fact of a part of the program by its name and its saved fact; None: it is
            gone.
        may_restart: The user has said that what changed starts anew.
        remedy: How to start anew, as the user would say it.
        remedy_of_python: The same, where another Python saved it.

    Returns:
        Why to start anew instead; None: it is the same.

    Raises:
        CodeChangedError: It is another.
        RestoreError: Another Python saved it.
    """
    saved, name = manifest.draft.code, manifest.name
    if saved.get("python") != python_version():
        if may_restart:
            return f"it was saved by Python {saved.get('python')}"
        raise RestoreError(
            f"{name!r} was saved by Python {saved.get('python')}, and this is {python_version()}. "
            f"Nothing was changed. Run it with that one, or start anew with {remedy_of_python}"
        )
    changed = _changed(saved.get("modules", {}), now)
    if not changed:
        return None
    if may_restart:
        return f"{changed[0][0]} has changed"
    shown = "\n".join(_diff(fact, here) for _, fact, here in changed)
    raise CodeChangedError(
        f"the source has changed since generation {manifest.number} of {name!r}:\n"
        f"{shown}\nNothing was changed on disk. Put the source back, or start anew: {remedy}"
    )


def _changed(
    saved: Mapping[str, Fact], now: Callable[[str, Fact], Fact | None]
) -> list[tuple[str, Fact, Fact | None]]:
    found = []
    for part, fact in saved.items():
        here = now(part, fact)
        if here is None or here["digest"] != fact["digest"]:
            found.append((part, fact, here))
    return found


def _diff(saved: Fact, now: Fact | None) -> str:
    if now is None:
        return f"  {saved['file']} is gone, or is no Python any more"
    if not saved["source"] or not now["source"]:
        return f"  {saved['file']}"
    old, new = saved["source"].splitlines(), now["source"].splitlines()
    lines = difflib.unified_diff(old, new, saved["file"], now["file"], lineterm="", n=1)
    return "\n".join(f"  {line}" for line in list(lines)[:_MOST_LINES])
