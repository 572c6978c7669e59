"""The functions that were decorated, rewritten: together they are the program that is saved.

Each is a module of its own to all that comes below, named `module:function`, with the namespace of
the module that it stands in.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import inspect
import linecache
import os
import site
import sys
import sysconfig
from collections.abc import Callable
from pathlib import Path
from types import CodeType, FunctionType
from typing import Any

from resume.errors import UnsupportedCodeError
from resume.interpreter import without_hidden
from resume.reentry.contexts import Entered, delegate
from resume.reentry.entering import Entering
from resume.reentry.fields import suspension_of
from resume.reentry.iterators import SAVABLE, Iteration, again
from resume.reentry.program import LoadedModule, Program
from resume.rewrite import Helpers, Single, Source, cut_out
from resume.sources import MOST_SOURCE, Fact, meaning

_CHECKPOINT = "put a resume.Checkpoint around its loop"
_NO_FILE = "<string>"


class Units(Program):
    """All functions that were decorated in this process."""

    def __init__(self) -> None:
        super().__init__()
        self.facts: dict[str, Fact] = {}
        """What the source of each unit is."""

    def is_own(self, module: str) -> bool:
        """Whether a module is none of an installed library."""
        if module in {"__main__", "__mp_main__"}:
            return True
        file = getattr(sys.modules.get(module), "__file__", None)
        return isinstance(file, str) and not _is_installed(file)

    def unit_of(self, code: CodeType) -> LoadedModule | None:
        """Return the unit that has rewritten code; None: it is no such code."""
        found = self.find(code)
        return None if found is None else found.module

    def rewritten(self, function: FunctionType) -> FunctionType:
        """Return a function like *function*, whose frames can be entered again.

        Raises:
            UnsupportedCodeError: It has no source, or is not what its source says.
        """
        code = function.__code__
        if self.unit_of(code) is not None:
            return function  # a function within one that is rewritten
        single = _source_of(function)
        fact: Fact = {
            "file": code.co_filename,
            "digest": meaning(single.copied_tree()),
            "source": single.text if len(single.text) <= MOST_SOURCE else None,
            "first": single.first_line,
        }
        name = f"{home_of(function)}:{single.qualname}"
        if not self._has(name, function, fact):
            made = single.rewritten(code.co_filename, HELPERS)
            self.add(name, made, function.__globals__)
            self.facts[name] = fact
        return _with_code(function, self._code(name, code))

    def fact_now(self, name: str) -> Fact | None:
        """Return the fact of a unit; None: no such function was decorated in this process."""
        module = name.partition(":")[0]
        if name not in self.facts and module not in sys.modules:
            with contextlib.suppress(ImportError):
                importlib.import_module(module)
        return self.facts.get(name)

    def _has(self, name: str, function: FunctionType, fact: Fact) -> bool:
        if name not in self or self.facts[name] != fact:
            return False
        return self[name].namespace is function.__globals__

    def _code(self, name: str, plain: CodeType) -> CodeType:
        alike = [
            code
            for code in self[name].rewritten.codes.values()
            if (code.co_qualname, code.co_firstlineno) == (plain.co_qualname, plain.co_firstlineno)
        ]
        # Several of one line: the rewriting may move a column, but not to that of another one.
        away = [abs(_column(code) - _column(plain)) for code in alike]
        if len(alike) == 1 or (_column(plain) >= 0 and away.count(min(away)) == 1):
            return alike[away.index(min(away))]
        raise UnsupportedCodeError(
            f"@resumable cannot save {plain.co_qualname}: line {plain.co_firstlineno} of "
            f"{plain.co_filename} holds several functions that look alike. Give it a line of its "
            "own, with `def`"
        )


def _column(code: CodeType) -> int:
    """Where on its first line a function of one line begins, about; -1: nobody can tell."""
    columns = [column for _, _, column, end in code.co_positions() if end and column is not None]
    return min(columns, default=-1)


UNITS = Units()
ENTERING = Entering(UNITS, where=suspension_of)
HELPERS = Helpers(
    types=SAVABLE,
    iterate=Iteration(UNITS).iterate,
    hide=without_hidden,
    following=ENTERING.following,
    entered=Entered,
    again=again,
    delegate=delegate,
)


def home_of(function: FunctionType) -> str:
    """Name of the module of a function: the same in a child that runs the main module again."""
    module = str(function.__globals__.get("__name__", function.__module__))
    return "__main__" if module == "__mp_main__" else module


def refuse_unsuited(function: Any) -> FunctionType:
    """Return what is a plain function.

    Raises:
        UnsupportedCodeError: It is none; the text says what to do.
    """
    shown = getattr(function, "__qualname__", None) or type(function).__qualname__
    if isinstance(function, type):
        why = "it is a class: decorate its methods, each by itself"
    elif hasattr(function, "__wrapped__") or isinstance(function, property):
        why = "another decorator has wrapped it: write @resumable below that one, above the `def`"
    elif not isinstance(function, FunctionType):
        why = f"it is no function of Python: call it in one that is decorated, or {_CHECKPOINT}"
    elif _is_async(function.__code__):
        why = (
            "it is async, and what waits in an event loop has no place to go on from. Decorate "
            f"the plain functions that it calls, or {_CHECKPOINT}"
        )
    else:
        return function
    raise UnsupportedCodeError(f"@resumable cannot save {shown}: {why}")


def _is_async(code: CodeType) -> bool:
    kinds = inspect.CO_COROUTINE | inspect.CO_ASYNC_GENERATOR | inspect.CO_ITERABLE_COROUTINE
    return bool(code.co_flags & kinds)


def _source_of(function: FunctionType) -> Single:
    code = function.__code__
    what = f"@resumable cannot rewrite {code.co_qualname}"
    linecache.checkcache(code.co_filename)
    source = "".join(linecache.getlines(code.co_filename, function.__globals__))
    found = _found_in(source, function) if source else None
    if found is not None:
        return found
    # `exec` calls its text what 3.13 calls the text of `python -c`: then there is another's source
    if not source or code.co_filename == _NO_FILE:
        raise UnsupportedCodeError(
            f"{what}: its source cannot be had ({code.co_filename}). Define it in a file or a "
            f"notebook cell, or {_CHECKPOINT}"
        )
    raise UnsupportedCodeError(
        f"{what}: it is not what line {code.co_firstlineno} of {code.co_filename} says. The "
        "file was edited since it was imported, or an import hook changes its code. Start the "
        f"program again, or {_CHECKPOINT}"
    )


def _found_in(source: str, function: FunctionType) -> Single | None:
    code = function.__code__
    try:
        parsed = _parsed(source, code.co_filename)
    except (SyntaxError, ValueError):
        return None
    return cut_out(parsed, code, _imports_of(function))


@functools.lru_cache(maxsize=8)
def _parsed(source: str, filename: str) -> Source:
    return Source(source, filename)


def _imports_of(function: FunctionType) -> Callable[[str, int], bool]:
    """Return what tells whether an imported module is a library: told from the folder alone."""
    package = str(function.__globals__.get("__package__") or "")
    top = home_of(function).partition(".")[0]
    here = Path(function.__code__.co_filename).absolute().parent
    depth = len(package.split(".")) if package else 0
    root = here.parents[depth - 1] if 0 < depth <= len(here.parents) else here

    def is_foreign(name: str, level: int) -> bool:
        first = name.partition(".")[0]
        if level or first == top:
            return False
        if _is_installed(str(root)):
            return True
        return not (root / f"{first}.py").is_file() and not (root / first).is_dir()

    return is_foreign


@functools.lru_cache(maxsize=1)
def _libraries() -> tuple[str, ...]:
    paths = {sysconfig.get_path(each) for each in ("stdlib", "platstdlib", "purelib", "platlib")}
    paths |= {*site.getsitepackages(), os.path.dirname(os.path.dirname(__file__))}  # noqa: PTH120
    return tuple(sorted(os.path.join(os.path.realpath(path), "") for path in paths))  # noqa: PTH118


def _is_installed(path: str) -> bool:
    real = os.path.realpath(path)
    return real.startswith(_libraries()) or "site-packages" in real.split(os.sep)  # noqa: PTH206


def _with_code(function: FunctionType, code: CodeType) -> FunctionType:
    made = FunctionType(
        code, function.__globals__, function.__name__, function.__defaults__, function.__closure__
    )
    made.__kwdefaults__ = function.__kwdefaults__
    functools.update_wrapper(made, function)
    del made.__wrapped__  # type: ignore[attr-defined]
    return made
