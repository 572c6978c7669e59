"""The parts that save a script: imported when the first save is due, or something is saved."""

from __future__ import annotations

import ast
import difflib
import functools
import hashlib
import os
import sys
from typing import Any

from resume import notices
from resume.call import Call, rank, record_call
from resume.engine import Engine, Origin
from resume.errors import CodeChangedError, RestoreError
from resume.execution import Execution, Generation
from resume.points import save, sync
from resume.script.options import Running, RunOptions
from resume.script.reach import Source
from resume.script.rewriting import read_source
from resume.settings import DEFAULTS, Settings, check_settings
from resume.store import find_folder

_MOST_SOURCE = 1 << 18
"""Bytes of a module's source that a manifest keeps, to show what has changed."""


def line_of(name: str, options: RunOptions) -> Engine:
    """Open the line of generations that belongs to the script and its arguments."""
    engine = _engine(name, options)
    engine.choose_line(_call(options))
    return engine


def execution_of(name: str, options: RunOptions, running: Running) -> Execution:
    """Make what saves a script, and brings it back."""
    notices.install(apart=True)
    engine = _engine(name, options)
    engine.choose_line(_call(options))
    return Execution(
        running.program(),
        engine,
        _settings(options),
        _call(options),
        code=lambda: _facts(running),
        safe_points=(sync, save),
    )


def _engine(name: str, options: RunOptions) -> Engine:
    folder, _ = find_folder(options.folder)
    if rank():
        name = f"{name}-rank{rank()}"
    file = None if options.is_module else os.path.realpath(options.target)
    return Engine(folder, name, _settings(options), Origin("<module>", file, 1, {}))


def _call(options: RunOptions) -> Call:
    return record_call({"argv": tuple(options.argv)})


def _settings(options: RunOptions) -> Settings:
    return check_settings(
        clean=options.fresh,
        rate=options.rate,
        at_finish=False,
        keep=options.keep or DEFAULTS["keep"],
        expire=None,
        on_change=options.on_change,
    )


# -- the source


def _facts(running: Running) -> dict[str, Any]:
    modules = {name: _fact(source) for name, source in running.sources().items()}
    return {"python": f"{sys.version_info.major}.{sys.version_info.minor}", "modules": modules}


@functools.lru_cache(maxsize=1000)
def _fact(source: Source) -> dict[str, Any]:
    data = source.data
    kept = data.decode("utf-8", "replace") if len(data) <= _MOST_SOURCE else None
    return {"file": source.path, "digest": _meaning(data), "source": kept}


def _meaning(source: bytes) -> str:
    """A digest of what the source says: comments, blank lines and docstrings do not count."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
            first = node.body[0] if node.body else None
            is_text = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)
            if is_text and isinstance(first.value.value, str):  # type: ignore[union-attr]
                first.value.value = ""  # type: ignore[union-attr]
    return hashlib.sha256(ast.dump(tree).encode("utf-8", "surrogatepass")).hexdigest()


def check_sources(generation: Generation, running: Running, options: RunOptions) -> str | None:
    """Tell whether the source is that of the saved state.

    Returns:
        Why to start anew instead, as the user has said; None: it is the same.

    Raises:
        CodeChangedError: It is another.
        RestoreError: Another Python saved it.
    """
    saved = generation.manifest.draft.code
    now = _facts(running)
    name = generation.manifest.name
    if saved.get("python") != now["python"]:
        if options.on_change == "restart":
            return f"it was saved by Python {saved.get('python')}"
        raise RestoreError(
            f"{name!r} was saved by Python {saved.get('python')}, and this is {now['python']}. "
            "Nothing was changed. Run it with that one, or start anew with --fresh"
        )
    changed = []
    for module, fact in saved.get("modules", {}).items():
        here = now["modules"].get(module) or _fact_or_none(module, fact["file"])
        if here is None or here["digest"] != fact["digest"]:
            changed.append((module, fact, here))
    if not changed:
        return None
    if options.on_change == "restart":
        return f"{changed[0][0]} has changed"
    shown = "\n".join(_diff(fact, here) for _, fact, here in changed)
    raise CodeChangedError(
        f"the source has changed since generation {generation.manifest.number} of {name!r}:\n"
        f"{shown}\nNothing was changed on disk. Put the source back, or start anew: "
        "--on-change=restart, or --fresh"
    )


def _fact_or_none(module: str, filename: str) -> dict[str, Any] | None:
    try:
        return _fact(read_source(module, filename))
    except (OSError, SyntaxError, ValueError):
        return None


def _diff(saved: dict[str, Any], now: dict[str, Any] | None) -> str:
    if now is None:
        return f"  {saved['file']} is gone, or is no Python any more"
    if not saved["source"] or not now["source"]:
        return f"  {saved['file']}"
    old, new = saved["source"].splitlines(), now["source"].splitlines()
    lines = difflib.unified_diff(old, new, saved["file"], now["file"], lineterm="", n=1)
    return "\n".join(f"  {line}" for line in list(lines)[:40])
