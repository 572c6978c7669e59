"""Code compiled from a numbered tree becomes the code that runs: true places, real helpers.

Three things happen to each code object, its constants included: the synthetic lines and columns
become those of the source, marked operators become the instructions that they stand for, and the
markers of helpers become the helpers themselves, which so go by no name that a program could see.
Instructions are exchanged, never inserted: jumps and the exception table stay as they are.
"""

from __future__ import annotations

import dis
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import CodeType
from typing import Any

from resume.errors import UnsupportedCodeError
from resume.rewrite.blocks import HIDDEN_FUNCTION
from resume.rewrite.building import MARKER
from resume.rewrite.positions import STRIDE, Numbering, Position, is_resumed, location_table
from resume.rewrite.residual import RESIDUAL

_NOP = dis.opmap["NOP"]
_STORES = {"STORE_FAST": "DELETE_FAST", "STORE_NAME": "DELETE_NAME"}
_OF_PARAMETERS = "<generic parameters of "
_IN_RESIDUAL = re.compile(r"^.*?\.residual(?=\.|$)")
_HIDDEN_COMPREHENSION = re.compile(
    r"\.(?P<name><(?:list|set|dict)comp>|<genexpr>)\d+(?P<inner>\.<locals>\.)?"
)


@dataclass(frozen=True, slots=True)
class Table:
    """Which id the instructions of one code object have."""

    code: CodeType
    block: int
    """Id of the function, lambda or comprehension; 0 for the module, -1 for all else."""
    is_residual: bool
    """It goes on from the middle of the block."""
    ids: tuple[int | None, ...]
    """By code unit (`f_lasti // 2`); caches have the id of the instruction before them."""
    resumed: frozenset[int]
    """Code units of statements that had begun before the residual."""


class Relocation:
    """Relocates the code objects of one module."""

    def __init__(
        self, numbers: Numbering, hoisted: Mapping[int, str], helpers: Mapping[str, Any]
    ) -> None:
        self._numbers, self._hoisted, self._helpers = numbers, hoisted, helpers
        self._within: tuple[str, str] | None = None
        self._call: tuple[int, Position] | None = None
        self._lazy = list[CodeType]()
        self.tables: dict[int, Table] = {}
        """By `id(code)`: hashing a code object is slow."""

    def relocate(
        self,
        code: CodeType,
        *,
        within: tuple[str, str] | None = None,
        call: tuple[int, Position] | None = None,
    ) -> CodeType:
        """Return the code that runs, and note its table and those of all code in it.

        Args:
            code: As it was compiled from a numbered tree.
            within: Name and qualified name that the code of a residual shows.
            call: Of a residual: the id of the call that goes on first, and its true place. The
                compiler has a place of its own for a method call of several lines, and what stands
                for the call here is none.
        """
        self._within, self._call = within, call
        return self._relocated(code)

    def _relocated(self, code: CodeType) -> CodeType:
        positions = list(code.co_positions())
        raw = bytearray(code.co_code)
        self._note_lazy(code)
        consts = [self._constant(value) for value in code.co_consts]
        self._exchange(code, raw, positions)
        self._class_line(code, raw, consts)
        first = code.co_firstlineno
        is_module = code.co_name == "<module>"
        true_first = 1 if is_module else self._numbers.true_line(first) or 1
        known = {position: self._true_position(position) for position in set(positions)}
        true = [known[position] for position in positions]
        made = code.replace(
            co_code=bytes(raw),
            co_consts=tuple(consts),
            co_firstlineno=true_first,
            co_linetable=location_table(true, true_first),
            co_name=self._name(code),
            co_qualname=self._qualname(code),
        )
        meanings = {line: self._numbers.meaning(line) for line, *_ in known}
        ids = tuple(meanings[line] for line, *_ in positions)
        block = 0 if is_module else self._block(code)
        begun = {line for line in meanings if is_resumed(line)}
        resumed = frozenset(i for i, (line, *_) in enumerate(positions) if line in begun)
        self.tables[id(made)] = Table(made, block, code.co_name == RESIDUAL, ids, resumed)
        return made

    def _note_lazy(self, code: CodeType) -> None:
        """Note the bounds of type parameters: code that runs when somebody asks for one."""
        if code.co_name.startswith(_OF_PARAMETERS):
            declared = code.co_name.removeprefix(_OF_PARAMETERS).removesuffix(">")
            inner = [each for each in code.co_consts if isinstance(each, CodeType)]
            self._lazy.extend(each for each in inner if each.co_name != declared)

    def _true_position(self, found: Position) -> Position:
        if self._call and is_resumed(found[0]) and self._numbers.meaning(found[0]) == self._call[0]:
            return self._call[1]
        return self._numbers.true_position(found)

    def _name(self, code: CodeType) -> str:
        if code.co_name == RESIDUAL and self._within:
            return self._within[0]
        if code.co_name.startswith(HIDDEN_FUNCTION):
            return self._hoisted[code.co_firstlineno % STRIDE]
        return code.co_name

    def _qualname(self, code: CodeType) -> str:
        name = code.co_qualname
        if self._within:
            name = _IN_RESIDUAL.sub(lambda _: self._within[1] if self._within else "", name)
        return plain_qualname(name)

    def _block(self, code: CodeType) -> int:
        if code.co_name.startswith(_OF_PARAMETERS) or any(each is code for each in self._lazy):
            return -1  # it begins at the line of what it declares, and is none of the program's
        return self._numbers.meaning(code.co_firstlineno) or -1

    def _constant(self, value: Any) -> Any:
        if isinstance(value, CodeType):
            return self._relocated(value)
        if isinstance(value, str) and value.startswith(MARKER):
            return self._helpers[value.removeprefix(MARKER)]
        return value

    # -- instructions

    def _exchange(self, code: CodeType, raw: bytearray, positions: list[Position]) -> None:
        marks = self._numbers.marks
        for unit in range(len(raw) // 2):
            line = positions[unit][0]
            mark = marks.get(line % STRIDE) if line else None
            name = dis.opname[raw[2 * unit]]
            if mark in {"iter", "delegate"} and name == "UNARY_INVERT":
                self._iterate(mark, raw, unit, positions)
            elif mark in {"drop", "forget"} and name == "BINARY_OP":
                self._drop(code, mark, raw, unit)

    @staticmethod
    def _iterate(mark: str, raw: bytearray, unit: int, positions: list[Position]) -> None:
        """Make the iterator here; what would make one of the hidden name's value does nothing."""
        wanted = dis.opmap["GET_ITER" if mark == "iter" else "GET_YIELD_FROM_ITER"]
        raw[2 * unit] = wanted
        behind = unit + 1
        while dis.opname[raw[2 * behind]] in {"COPY", "EXTENDED_ARG"} or dis.opname[
            raw[2 * behind]
        ].startswith("STORE_"):
            behind += 1
        if behind > unit + 1 and raw[2 * behind] == wanted:
            raw[2 * behind] = _NOP
            positions[unit:behind] = [positions[behind]] * (behind - unit)

    @staticmethod
    def _drop(code: CodeType, mark: str, raw: bytearray, unit: int) -> None:
        """`value ^ (.t1 := None)`: leave the value, and delete the names or let them be None."""
        behind = unit + 1
        while behind < len(raw) // 2 and dis.opname[raw[2 * behind]] == "CACHE":
            raw[2 * behind : 2 * behind + 2] = bytes([_NOP, 0])
            behind += 1
        if mark == "forget":
            raw[2 * unit : 2 * unit + 2] = bytes([dis.opmap["POP_TOP"], 0])
            return
        deletes = bytearray()
        for before in range(unit - 1, -1, -1):
            name = dis.opname[raw[2 * before]]
            if name in _STORES:
                deletes[:0] = bytes([dis.opmap[_STORES[name]], raw[2 * before + 1]])
            elif name == "EXTENDED_ARG":
                deletes[:0] = raw[2 * before : 2 * before + 2]
            elif name == "LOAD_CONST":
                while before and dis.opname[raw[2 * before - 2]] == "EXTENDED_ARG":
                    before -= 1  # noqa: PLW2901 - it is the constant's
                _fill(raw, 2 * before, 2 * behind, deletes)
                return
            elif name != "COPY":
                break
        raise UnsupportedCodeError(
            f"{code.co_qualname} compiles to instructions that are not known here "
            f"(Python {sys.version.split()[0]}): run it without re-entry"
        )

    def _class_line(self, code: CodeType, raw: bytearray, consts: list[Any]) -> None:
        """3.13 keeps the first line of a class as a value in its body, too."""
        if "__firstlineno__" not in code.co_names:
            return
        wanted = code.co_names.index("__firstlineno__")
        load, store = dis.opmap["LOAD_CONST"], dis.opmap["STORE_NAME"]
        long = dis.opmap["EXTENDED_ARG"]
        loads = [
            unit
            for unit in range(1, len(raw) // 2)
            if raw[2 * unit] == load and raw[2 * unit - 2] != long
        ]
        for unit in loads:
            index = raw[2 * unit + 1]
            follows = raw[2 * unit + 2 : 2 * unit + 4] == bytes([store, wanted])
            if not follows or consts[index] != code.co_firstlineno:
                continue
            line = self._numbers.true_line(code.co_firstlineno)
            if sum(raw[2 * other + 1] == index for other in loads) == 1:
                consts[index] = line
            elif len(consts) < 256:  # the program has that number, too
                raw[2 * unit + 1] = len(consts)
                consts.append(line)
            return


def _fill(raw: bytearray, start: int, end: int, work: bytearray) -> None:
    """Put *work* between two places, and jump over what is left: less than to do nothing often."""
    rest = (end - start - len(work)) // 2
    jump = bytes([dis.opmap["JUMP_FORWARD"], rest - 1]) if rest > 1 else b""
    raw[start:end] = work + jump + bytes([_NOP, 0]) * (rest - len(jump) // 2)


def plain_qualname(name: str) -> str:
    """Return what a qualified name would be had comprehensions stayed what they are."""

    def plain(found: re.Match[str]) -> str:
        shown = found["name"]
        if not found["inner"]:
            return shown
        has_frame = sys.version_info < (3, 12) or shown == "<genexpr>"
        return f"{shown}." if has_frame else ""

    return _HIDDEN_COMPREHENSION.sub(plain, name)


def codes_in(code: CodeType) -> Iterator[CodeType]:
    """Yield a code object and all that it holds."""
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from codes_in(constant)
