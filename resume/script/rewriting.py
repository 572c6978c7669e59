"""All modules of one program, rewritten with what is known of each other.

Imports the rewriter only where something is to be rewritten.
"""

from __future__ import annotations

import gc
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import CodeType
from typing import TYPE_CHECKING, Any

from resume.errors import UnsupportedCodeError
from resume.script.kept import Facts, Kept, Outline, digest, packed, unpacked
from resume.script.options import BUILTINS
from resume.script.reach import Source, file_of

if TYPE_CHECKING:
    import ast

    from resume.rewrite import RewrittenModule


class Rewriting:
    """Gives the code of the modules of a program that lies in one folder."""

    def __init__(self, program: str, root: str, helpers: Mapping[str, Any]) -> None:
        self.root = root
        self._helpers = helpers
        self._names = {**helpers, **BUILTINS}
        self._kept = Kept(program)
        self._facts: dict[Source, Facts] = {}
        self._made: dict[Source, tuple[bytes, tuple[Outline, ...]]] = {}
        """Packed code, and what was known of the other modules when it was made."""
        self._trees: dict[Source, ast.Module] = {}
        """Of sources that were looked at, and are rewritten next."""

    def reach(self, main: Source) -> None:
        """Rewrite *main*, and all that it imports of the folder, or fetch what is kept.

        Raises:
            UnsupportedCodeError: *main* cannot be rewritten.
            SyntaxError: *main* is not Python.
            ValueError: The same, for a source with null bytes.
        """
        gc.disable()  # trees are large, and hold no garbage: a sixth of the time
        try:
            self._reach(main)
        finally:
            gc.enable()

    def _reach(self, main: Source) -> None:
        waiting, seen = [main], {main.path}
        while waiting:
            source = waiting.pop()
            try:
                facts = self._look(source, is_main=source is main)
            except (SyntaxError, ValueError):
                if source is main:
                    raise
                continue  # its import tells
            self._facts[source] = facts
            for name in facts.imports:
                path = file_of(name, self.root)
                if path is not None and path not in seen:
                    seen.add(path)
                    waiting.append(read_source(name, path))
        for source in self._facts:
            self._code(source, required=source is main)

    def speaks(self, source: Source) -> bool:
        """Whether compiling a module gives warnings."""
        return self._facts[source].speaks

    def code(self, source: Source) -> CodeType | None:
        """Return new code of a module; None: it stays as it is."""
        if source not in self._facts:
            try:
                self._facts[source] = self._look(source, is_main=False)
            except (SyntaxError, ValueError):
                return None
        data = self._code(source, required=False)
        return unpacked(data, self._names) if data else None

    def again(self, source: Source, code: CodeType) -> RewrittenModule:
        """Return the rewritten module that *code* is the code of."""
        from dataclasses import replace  # noqa: PLC0415 - half the start-up time

        from resume.rewrite.relocate import codes_in  # noqa: PLC0415

        made = self._rewritten(source, self._made[source][1])
        for mine, running in zip(list(codes_in(made.code)), codes_in(code), strict=True):
            table = made.tables.pop(id(mine))
            made.tables[id(running)] = replace(table, code=running)
            if made.codes.get(table.block) is mine:
                made.codes[table.block] = running
        made.code = code
        return made

    def _look(self, source: Source, *, is_main: bool) -> Facts:
        """Read a source: what it imports, and what compiling it says."""
        kept = self._kept.load(source.path, source.data)
        if kept is not None:
            return kept
        import ast  # noqa: PLC0415 - not for what is kept

        from resume.script.parsing import imports_of, refuse_async  # noqa: PLC0415

        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            tree = ast.parse(source.data, source.path)
            compile(tree, source.path, "exec", dont_inherit=True)
        if is_main:
            refuse_async(tree, source.path)
            self._trees[source] = tree
        imports = tuple(dict.fromkeys(imports_of(tree, source.package)))
        return Facts(None, imports, bool(told), b"", b"")

    def _outline(self, source: Source) -> Outline:
        """Return what others must know of a module; a program of one module needs none."""
        facts = self._facts[source]
        if facts.outline is None:
            from resume.rewrite import survey  # noqa: PLC0415

            with _quietly(facts.speaks):
                found = survey(source.data, source.path, source.name)
            names = (found.modules, found.functions, found.tiny, found.stored)
            modules, functions, tiny, stored = (tuple(sorted(each)) for each in names)
            outline: Outline = (modules, functions, tiny, stored, found.has_generators)
            self._facts[source] = facts = facts._replace(outline=outline)
            self._kept.store(source.path, source.data, facts)
        assert facts.outline is not None
        return facts.outline

    def _code(self, source: Source, *, required: bool) -> bytes:
        """Return the packed code of a module, made for what was known when it was met."""
        if source in self._made:
            return self._made[source][0]
        others = tuple(sorted(self._outline(each) for each in self._facts if each != source))
        facts = self._facts[source]
        known = digest(repr(others).encode("utf-8", "surrogatepass"))
        if facts.code_for != known:
            code = self._pack(source, others, required=required)
            self._facts[source] = facts = facts._replace(code_for=known, code=code)
            self._kept.store(source.path, source.data, facts)
        self._made[source] = facts.code, others
        return facts.code

    def _pack(self, source: Source, others: tuple[Outline, ...], *, required: bool) -> bytes:
        try:
            return packed(self._rewritten(source, others).code, self._names)
        except UnsupportedCodeError:
            if required:
                raise
            return b""  # it stays as it is: a save waits until its functions return

    def _rewritten(self, source: Source, others: tuple[Outline, ...]) -> RewrittenModule:
        from resume.rewrite import Helpers, Outside, rewrite  # noqa: PLC0415

        outside = Outside()
        for modules, functions, tiny, stored, has_generators in others:
            known = Outside(
                frozenset(modules),
                frozenset(functions),
                frozenset(tiny),
                frozenset(stored),
                has_generators,
            )
            outside = outside.merged(known)
        with _quietly(self._facts[source].speaks):
            text = self._trees.pop(source, source.data)  # a tree is changed: once only
            return rewrite(text, source.path, Helpers(**self._helpers), outside)


def read_source(name: str, path: str) -> Source:
    """Read the file of a module."""
    with open(path, "rb") as file:  # noqa: PTH123
        return Source(name, path, file.read())


@contextmanager
def _quietly(speaks: bool) -> Iterator[None]:  # noqa: FBT001
    """Keep back the warnings that the plain source gives once more, where it gives any."""
    if not speaks:
        yield
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
