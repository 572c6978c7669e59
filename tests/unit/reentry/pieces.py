"""A small program, rewritten and run as a module; and the same one in what may be another process.

The second one has run its definitions only, as on a restore.
"""

from __future__ import annotations

import sys
import types
from dataclasses import dataclass
from typing import Any

from resume.pickling import decode, encode
from resume.reentry.contexts import Entered, delegate
from resume.reentry.iterators import SAVABLE, Iteration, again
from resume.reentry.program import Program
from resume.rewrite import Helpers, RewrittenModule, rewrite

NAME = "piece"
READY: list[Any] = []
"""Calls of frames that are still to go on, outermost first."""
STOP: list[Any] = []
"""What `sync` does: the last one."""


def sync() -> None:
    """Where programs stop: the rewriting knows the name, and takes the call for a position."""
    STOP[-1]()


def helpers_of(program: Program) -> Helpers:
    return Helpers(
        types=SAVABLE,
        iterate=Iteration(program).iterate,
        hide=lambda names: names,
        following=lambda: READY.pop(0),
        entered=Entered,
        again=again,
        delegate=delegate,
    )


@dataclass
class Piece:
    program: Program
    module: types.ModuleType

    @property
    def names(self) -> dict[str, Any]:
        return vars(self.module)

    @property
    def rewritten(self) -> RewrittenModule:
        return self.program[self.module.__name__].rewritten

    def __getattr__(self, name: str) -> Any:
        return self.names[name]


def load(
    source: str,
    name: str = NAME,
    *,
    definitions: int | None = None,
    into: Program | None = None,
) -> Piece:
    """Run *source* as the module *name*; or only what it defines before a position.

    A position below -1 runs nothing at all.
    """
    program = Program() if into is None else into
    module = types.ModuleType(name)
    rewritten = rewrite(source, f"<{name}>", helpers_of(program))
    program.add(name, rewritten, vars(module))
    sys.modules[name] = module
    if definitions is not None and definitions < -1:
        return Piece(program, module)
    code = rewritten.code if definitions is None else rewritten.definitions(definitions)
    exec(code, vars(module))
    return Piece(program, module)


def carried(roots: dict[str, Any], *, look: Any = None, own: Any = None) -> dict[str, Any]:
    """Encode and decode *roots*; nothing may be left out."""
    encoded = encode(roots, look=look)
    assert () == encoded.skipped
    buffers = [memoryview(bytearray(buffer.view)) for buffer in encoded.buffers]
    return decode(encoded.stream, buffers, own=own or {}).values
