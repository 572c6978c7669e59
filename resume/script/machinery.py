"""The parts that save a script: imported when the first save is due, or something is saved."""

from __future__ import annotations

import ast
import functools
import os
from typing import Any

from resume import notices
from resume.asking import Asking
from resume.call import Call, rank, record_call
from resume.engine import Engine, Origin
from resume.execution import Execution
from resume.points import save, sync
from resume.script.options import Running, RunOptions
from resume.script.reach import Source
from resume.script.rewriting import read_source
from resume.settings import DEFAULTS, Settings, check_settings
from resume.sources import MOST_SOURCE, Fact, meaning, python_version, why_restart
from resume.standing import Generation
from resume.store import find_folder
from resume.tracked import UndoLog


def line_of(name: str, options: RunOptions) -> Engine:
    """Open the line of generations that belongs to the script and its arguments."""
    engine = _engine(name, options)
    engine.choose_line(_call(options))
    return engine


def execution_of(name: str, options: RunOptions, running: Running, asking: Asking) -> Execution:
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
        asking=asking,
        undo=_undo_log(engine) if options.undo_files else None,
    )


def _undo_log(engine: Engine) -> UndoLog:
    return UndoLog(engine.store.place / "undo", without=engine.store.folder)


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
        iterations=options.iterations,
        max_overhead=options.max_overhead or DEFAULTS["max_overhead"],
        max_loss=options.max_loss or DEFAULTS["max_loss"],
        at_start=options.at_start,
        on_save_error=options.on_save_error,
        at_finish=False,
        keep=options.keep or DEFAULTS["keep"],
        expire=None,
        on_change=options.on_change,
    )


# -- the source


def _facts(running: Running) -> dict[str, Any]:
    modules = {name: _fact(source) for name, source in running.sources().items()}
    return {"python": python_version(), "modules": modules}


@functools.lru_cache(maxsize=1000)
def _fact(source: Source) -> Fact:
    data = source.data
    kept = data.decode("utf-8", "replace") if len(data) <= MOST_SOURCE else None
    return {"file": source.path, "digest": meaning(ast.parse(data)), "source": kept}


def check_sources(generation: Generation, running: Running, options: RunOptions) -> str | None:
    """Tell whether the source is that of the saved state.

    Returns:
        Why to start anew instead, as the user has said; None: it is the same.

    Raises:
        CodeChangedError: It is another.
        RestoreError: Another Python saved it.
    """
    now = _facts(running)["modules"]
    return why_restart(
        generation.manifest,
        lambda module, saved: now.get(module) or _fact_or_none(module, saved["file"]),
        may_restart=options.on_change == "restart",
        remedy="--on-change=restart, or --fresh",
        remedy_of_python="--fresh",
    )


def _fact_or_none(module: str, filename: str) -> Fact | None:
    try:
        return _fact(read_source(module, filename))
    except (OSError, SyntaxError, ValueError):
        return None
