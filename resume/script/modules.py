"""The modules of the program as they are loaded, and the import hook that gives them their code.

What does not work: a loader of ours. Its class shows in `__spec__` and `__loader__`, and its frames
in the tracebacks of imports. So each module has the loader that it would have, an instance of
`SourceFileLoader`, and only what this one instance answers for the code is another. It asks the
true method first: the `.pyc` file, the warnings and the errors are those of a plain import.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from functools import partial
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from types import CodeType, ModuleType
from typing import TYPE_CHECKING, Any, NamedTuple

from resume.interpreter import unseen
from resume.script.reach import Source, is_beside
from resume.script.rewriting import Rewriting, read_source

if TYPE_CHECKING:
    from resume.reentry.program import Program


class _Loaded(NamedTuple):
    source: Source
    code: CodeType
    namespace: dict[str, Any]


class Modules:
    """What is loaded of the program, by name."""

    def __init__(self, rewriting: Rewriting) -> None:
        self.rewriting = rewriting
        self._loaded: dict[str, _Loaded] = {}
        self._program: Program | None = None
        self.only: Callable[[str], CodeType] | None = None
        """Gives what modules run in place of their code; None: they run it."""

    def sources(self) -> dict[str, Source]:
        """Return what each module was loaded from."""
        return {name: loaded.source for name, loaded in self._loaded.copy().items()}

    def take(self, name: str, source: Source, namespace: dict[str, Any]) -> CodeType | None:
        """Return the code of a module that is about to run in *namespace*; None: it stays plain."""
        before = self._loaded.get(name)
        if before and before.source == source and before.namespace is namespace:
            return before.code  # loaded again: frames of it may be live
        code = self.rewriting.code(source)
        if code is not None:
            self._loaded[name] = _Loaded(source, code, namespace)
            if self._program is not None:
                self._program.add(name, self.rewriting.again(source, code), namespace)
        return code

    def program(self) -> Program:
        """Return all loaded modules with their tables, which are made now if they were not yet."""
        from resume.reentry.program import Program  # noqa: PLC0415 - no run without a save needs it

        if self._program is None:
            program, done = Program(), set[str]()
            while missing := self._loaded.keys() - done:
                for name in missing:  # another thread may import meanwhile
                    source, code, namespace = self._loaded[name]
                    program.add(name, self.rewriting.again(source, code), namespace)
                done |= missing
            self._program = program
        return self._program

    def forget(self) -> None:
        """Let go of all namespaces: what is in them is finalized when its module is."""
        self._loaded.clear()
        self._program = None

    # -- importing

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Find a module as `PathFinder` does, right before which this stands in `sys.meta_path`."""
        spec = PathFinder.find_spec(name, path, target)
        if spec is not None and self._is_own(spec):
            loader: Any = spec.loader
            loader.get_code = partial(_get_code, self, loader)
        return spec

    def _is_own(self, spec: ModuleSpec) -> bool:
        return (
            type(spec.loader) is SourceFileLoader
            and spec.origin is not None
            and is_beside(spec.origin, self.rewriting.root)
        )

    def install(self) -> None:
        """Stand before `PathFinder` from now on."""
        finders: list[Any] = sys.meta_path
        place = finders.index(PathFinder) if PathFinder in finders else len(finders)
        finders.insert(place, self)

    def code_to_load(self, loader: SourceFileLoader, name: str) -> CodeType | None:
        """Return the code of a module that *loader* loads; None: plain, or nobody loads it."""
        module = sys.modules.get(name)
        spec = getattr(module, "__spec__", None)
        if module is None or spec is None or spec.loader is not loader:
            return None  # somebody looks at the code, or runs it elsewhere
        try:
            source = read_source(name, loader.get_filename(name))
        except OSError:
            return None
        code = self.take(name, source, vars(module))
        if code is None or self.only is None:
            return code
        self.program()
        return self.only(name)

    def code_of_main(self, spec: ModuleSpec, namespace: dict[str, Any]) -> CodeType | None:
        """Return the code that runs as `__main__`, of a module that was found, if it has some."""
        loader = spec.loader
        if not isinstance(loader, SourceFileLoader) or not self._is_own(spec):
            return None
        source = read_source(spec.name, loader.get_filename(spec.name))
        return self.take("__main__", source, namespace)


@unseen
def _get_code(modules, loader, name):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202 # pragma: no cover
    plain = type(loader).get_code(loader, name)
    return modules.code_to_load(loader, name) or plain
