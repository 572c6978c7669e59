"""The modules of a program that were rewritten, and where in them a code object belongs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from types import CodeType
from typing import Any

from resume.rewrite import Block, RewrittenModule, Table


@dataclass(frozen=True, slots=True, eq=False)
class LoadedModule:
    """A rewritten module with the namespace that it runs in."""

    name: str
    rewritten: RewrittenModule
    namespace: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Site:
    """What a code object is in the program."""

    module: LoadedModule
    table: Table

    @property
    def block(self) -> Block:
        """The block that the code runs."""
        return self.module.rewritten.blocks[self.table.block]


class Program:
    """All rewritten modules of one run, by name."""

    def __init__(self) -> None:
        self._modules: dict[str, LoadedModule] = {}

    def add(self, name: str, rewritten: RewrittenModule, namespace: dict[str, Any]) -> None:
        """Take in a module, before its code runs."""
        self._modules[name] = LoadedModule(name, rewritten, namespace)

    def __iter__(self) -> Iterator[LoadedModule]:
        return iter(self._modules.values())

    def __getitem__(self, name: str) -> LoadedModule:
        return self._modules[name]

    def __contains__(self, name: object) -> bool:
        return name in self._modules

    def is_own(self, module: str) -> bool:
        """Whether the classes of a module are the program's, and none of a library."""
        return module in self._modules

    def find(self, code: CodeType) -> Site | None:
        """What *code* is; None where it is no block of a rewritten module (also: a tiny one's)."""
        for module in self._modules.values():
            table = module.rewritten.tables.get(id(code))
            if table is not None and table.code is code and table.block in module.rewritten.blocks:
                return Site(module, table)
        return None
