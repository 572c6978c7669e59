"""One module, rewritten: its code, the positions in it, and the rest from any of them on."""

from __future__ import annotations
import __future__

import ast
import contextlib
import copy
import dis
import warnings
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from types import CodeType, MappingProxyType
from typing import Any

from resume.rewrite.blocks import Block, blocks_of
from resume.rewrite.definitions import definitions_before
from resume.rewrite.evaluated import Called, Evaluated, evaluated_before, functions_by_name
from resume.rewrite.handled import look_of, put_back
from resume.rewrite.liveness import (
    NOWHERE,
    Definitions,
    Reads,
    bound_below,
    definitions_of,
    managers_around,
    reads_of,
)
from resume.rewrite.lower import lower_module
from resume.rewrite.positions import Numbering, Position
from resume.rewrite.quiet import Calls, Outside
from resume.rewrite.recreation import assignments, only_assignment
from resume.rewrite.relocate import Relocation, Table, codes_in
from resume.rewrite.residual import (
    Rest,
    SuperWithArguments,
    Suspension,
    residual_function,
)
from resume.rewrite.rest import Entry
from resume.rewrite.safety import Place, places_of
from resume.rewrite.scopes import scopes_of
from resume.rewrite.starts import nesting_of, starts_in
from resume.rewrite.unit import Unit

_CALLS = frozenset({"CALL", "CALL_KW", "CALL_FUNCTION_EX"})


@dataclass(frozen=True, slots=True)
class Helpers:
    """What rewritten code calls; it holds them as constants, so no namespace shows them."""

    types: frozenset[type]
    """Types whose iterators can be saved as they are."""
    iterate: Callable[[Any], Any]
    """Makes an iterator that can be saved, of anything else; what has none it returns as it is, so
    that the error is the program's own."""
    hide: Callable[[Any], Any]
    """Takes the hidden names out of what `locals()`, `vars()` or `dir()` gave, but for `.0`, which
    a comprehension shows in plain Python, too."""
    following: Callable[[], Callable[[], Any]]
    """Residuals only: returns what goes on with the next saved frame."""
    entered: Callable[[Any], Any]
    """Residuals only: a context manager that exits the given one and enters nothing."""
    again: Callable[[Any, Any], Any]
    """Residuals only: the saved iterator's successor, from its iterable evaluated again."""
    delegate: Callable[[Any], Any]
    """Residuals only: a generator that yields once (to be asked), and then is the given one."""

    def named(self) -> dict[str, Any]:
        """Return them by their names, with ours, and builtins that the program may have rebound."""
        own = {field.name: getattr(self, field.name) for field in fields(self)}
        builtin = {"type": type, "slice": slice, "super": super, "BaseException": BaseException}
        return own | builtin | {"look_of": look_of, "put_back": put_back}


class RewrittenModule:
    """The source of one module, lowered and compiled."""

    def __init__(
        self, filename: str, tree: ast.Module, unit: Unit, flags: int, helpers: Helpers
    ) -> None:
        self.filename = filename
        self.blocks: dict[int, Block] = blocks_of(tree, unit)
        """By id."""
        self.codes: dict[int, CodeType] = {}
        """By id of the block: the code that runs in a program that was not resumed."""
        self._unit, self._tree, self._flags = unit, tree, flags
        self._relocation = Relocation(unit.numbers, unit.hoisted, helpers.named())
        self._places: dict[int, dict[int, Place]] = {}
        self._starts: dict[int, dict[int, int]] = {}
        self._suspensions: dict[int, Suspension] = {}
        self._defined: dict[int | None, Definitions] = {}
        self._evaluated: dict[int | None, Sequence[Evaluated]] = {}
        self._bound: dict[int, frozenset[str]] = {}
        self._functions: Mapping[str, Sequence[Called]] | None = None
        self._needs: dict[tuple[int, str], frozenset[str] | None] = {}

    def compiled(self) -> RewrittenModule:
        """Compile the whole module."""
        self.code = self._relocation.relocate(self._compile(self._tree))
        for code in codes_in(self.code):
            number = self._relocation.tables[id(code)].block
            if number in self.blocks:
                self.codes.setdefault(number, code)
        return self

    @property
    def tables(self) -> dict[int, Table]:
        """By `id(code)`: which id each instruction has. Residuals are entered as they are made."""
        return self._relocation.tables

    def places(self, block: int) -> dict[int, Place]:
        """Return all positions of a block by their ids, with what may be done there."""
        if block not in self._places:
            self._places[block] = places_of(self.blocks[block], self._unit)
        return self._places[block]

    def starts(self, code: CodeType) -> dict[int, int]:
        """Return code unit -> id of the statement that begins there; of blocks only."""
        table = self.tables[id(code)]
        if table.block not in self.blocks:
            return {}
        if id(code) not in self._starts:
            nesting = nesting_of(self.blocks[table.block], self._unit.numbers)
            self._starts[id(code)] = starts_in(table, nesting)
        return self._starts[id(code)]

    def residual(self, block: int, where: Suspension) -> CodeType:
        """Return the code that goes on from *where*.

        For the module it is executed in its globals, the bound names in place. For a function it
        takes one argument, a dict with the values of the bound names that are not in cells; its
        free names are the cells of the frame, made there or not.

        Raises:
            RestoreError: The block has no such position, or nothing can be entered again there.
        """
        if block:
            code = self._residual_function(self.blocks[block], where)
        else:
            tree = ast.Module(Rest(self.blocks[0], self._unit, where).statements(), [])
            made = self._compile(copy.deepcopy(tree))
            code = self._relocation.relocate(made, call=self._place_of_call(0, where))
        self._suspensions[id(code)] = where
        return code

    def suspension(self, code: CodeType) -> Suspension | None:
        """Return where a residual goes on from; None: the code is none."""
        return self._suspensions.get(id(code))

    def definitions(
        self,
        position: int | None,
        own: Collection[str] = (),
        given: Mapping[int, Collection[str]] = MappingProxyType({}),
    ) -> CodeType:
        """Return the code that defines again what the module had defined before a position.

        Args:
            position: None stands for the end of the module.
            own: The names of the program's modules.
            given: By `Evaluated.number`: globals that the code gets by a call of the global `GIVE`.
        """
        number = NOWHERE if position is None else position
        body = list(definitions_before(self._tree.body, number, own, given))
        return self._relocation.relocate(self._compile(ast.Module(body, [])))

    def recreation(self, names: Iterable[str]) -> CodeType:
        """Return the code that makes variables of the module again, by their only assignments.

        Raises:
            RestoreError: One of them has no single assignment.
        """
        body = assignments(self.blocks[0], self._unit, names)
        return self._relocation.relocate(self._compile(ast.Module(body, [])))

    def defined(self, position: int | None) -> Definitions:
        """Tell what `definitions` binds; None stands for the end of the module."""
        if position not in self._defined:
            self._defined[position] = definitions_of(self._tree.body, position)
        return self._defined[position]

    def evaluated(self, position: int | None) -> Sequence[Evaluated]:
        """Tell what `definitions` evaluates; None stands for the end of the module."""
        if position not in self._evaluated:
            number = NOWHERE if position is None else position
            self._evaluated[position] = tuple(evaluated_before(self._tree.body, number))
        return self._evaluated[position]

    def functions(self) -> Mapping[str, Sequence[Called]]:
        """Tell what the functions of the module read, by their names."""
        if self._functions is None:
            self._functions = functions_by_name(self._tree.body)
        return self._functions

    def reads(self, block: int, where: Suspension) -> Reads:
        """Tell what the rest of a block reads, with the functions that are made in the block."""
        return reads_of(Rest(self.blocks[block], self._unit, where).statements())

    def reads_anywhere(self) -> Reads:
        """Tell what the module reads, wherever in it."""
        return reads_of(self._tree.body)

    def reads_in_functions(self) -> Reads:
        """Tell what the functions of the module read."""
        return reads_of(block.node for block in self.blocks.values() if block.number)

    def bound_in(self, block: int) -> frozenset[str]:
        """Tell what the statements of a block bind, and all that stands in them."""
        if block not in self._bound:
            self._bound[block] = bound_below(self.blocks[block].body)
        return self._bound[block]

    def needs(self, block: int, name: str) -> frozenset[str] | None:
        """Tell what the only assignment of a variable reads; None where it has not just one.

        It must be one of what a call gives: `Suspension.recreated` and `recreation` run it again.
        """
        if (block, name) not in self._needs:
            found = self.blocks[block]
            assignment = only_assignment(found.body, found.scope, name)
            needed = None if assignment is None else reads_of([assignment]).names - {name}
            self._needs[block, name] = needed
        return self._needs[block, name]

    def managers(self, block: int, position: int) -> dict[str, frozenset[str]]:
        """Return the hidden names of the `with` blocks around a position, and what they bind."""
        return managers_around(self.blocks[block].body, position)

    def _residual_function(self, block: Block, where: Suspension) -> CodeType:
        plain = self.codes[block.number]
        own = {*plain.co_varnames, *plain.co_cellvars}
        variables = {name for name in own if name.startswith(".") or block.scope.is_local(name)}
        cells = [name for name in plain.co_cellvars if name in variables]
        outer = [*cells, *plain.co_freevars]
        tree = residual_function(block, self._unit, where, sorted(variables - set(outer)), outer)
        tree = copy.deepcopy(tree)
        if block.first_argument is not None and "__class__" in plain.co_freevars:
            tree = SuperWithArguments(block.first_argument).visit(tree)
        made = self._relocation.relocate(
            self._compile(tree),
            within=(plain.co_name, plain.co_qualname),
            call=self._place_of_call(block.number, where),
        )
        tables = self._relocation.tables
        return next(
            code
            for code in codes_in(made)
            if tables[id(code)].is_residual and tables[id(code)].block == block.number
        )

    def _place_of_call(self, block: int, where: Suspension) -> tuple[int, Position] | None:
        """Return where tracebacks say that the suspended call is."""
        if where.entry not in {Entry.CALL, Entry.CONSTRUCTOR}:
            return None
        code = self.codes[block]
        ids = self.tables[id(code)].ids
        for unit, position in enumerate(code.co_positions()):
            name = dis.opname[code.co_code[2 * unit]]
            if ids[unit] == where.position and name in _CALLS:
                return where.position, position
        return None  # it delegates

    def _compile(self, tree: ast.Module) -> CodeType:
        with _no_syntax_warnings():
            code = compile(tree, self.filename, "exec", self._flags, dont_inherit=True)
        assert isinstance(code, CodeType)
        return code


@contextlib.contextmanager
def _no_syntax_warnings() -> Iterator[None]:
    """The plain source has given them, with its own lines; `catch_warnings` would forget that."""
    filters: Any = warnings.filters
    ignored = ("ignore", None, SyntaxWarning, None, 0)
    filters.insert(0, ignored)
    try:
        yield
    finally:
        filters.remove(ignored)


def _future_flags(body: Iterable[ast.stmt]) -> int:
    flags = 0
    for statement in body:
        if isinstance(statement, ast.ImportFrom) and statement.module == "__future__":
            for alias in statement.names:
                flags |= getattr(__future__, alias.name).compiler_flag
    return flags


def _prepared(tree: ast.Module, outside: Outside) -> Unit:
    numbers = Numbering()
    numbers.number(tree)
    scopes = scopes_of(tree)
    calls = Calls(tree, scopes, outside).survey()
    return Unit(numbers, scopes, calls, set(calls.suspending))


def survey(source: str | bytes, filename: str, module: str) -> Outside:
    """Tell what the other modules must know of one before they are rewritten."""
    return _prepared(ast.parse(source, filename), Outside()).calls.outline(module)


def rewrite(
    source: str | bytes | ast.Module,
    filename: str,
    helpers: Helpers,
    outside: Outside | None = None,
) -> RewrittenModule:
    """Rewrite the source of a module: it behaves as before, and can be entered again.

    Args:
        source: The text of the module, or its tree, which is changed.
        filename: What its code and tracebacks say.
        helpers: What the rewritten code calls.
        outside: What is known of the other modules that are rewritten; None: there are none.

    Raises:
        SyntaxError: The source is none.
        UnsupportedCodeError: It is too large, or the interpreter compiles it to unknown code.
    """
    tree = ast.parse(source, filename)
    return rewrite_tree(tree, filename, helpers, _future_flags(tree.body), outside)


def rewrite_tree(
    tree: ast.Module,
    filename: str,
    helpers: Helpers,
    flags: int,
    outside: Outside | None = None,
) -> RewrittenModule:
    """Rewrite a tree, which is used up; *flags* are those of its `__future__` imports.

    Raises:
        UnsupportedCodeError: It is too large, or the interpreter compiles it to unknown code.
    """
    unit = _prepared(tree, outside or Outside())
    lower_module(tree, unit)
    return RewrittenModule(filename, tree, unit, flags, helpers).compiled()
