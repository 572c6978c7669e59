"""Variables that cannot be saved, and are made again: by the one assignment that they have.

`connection = connect(path)` runs again where nothing else in its scope binds the name: then the
variable held what that call gave, whenever it was read.
"""

from __future__ import annotations

import ast
import copy
from collections.abc import Iterable, Sequence

from resume.errors import RestoreError
from resume.rewrite.blocks import HIDDEN_FUNCTION, Block
from resume.rewrite.positions import SILENT, STRIDE, Numbering, id_of
from resume.rewrite.scopes import Scope, names_bound_by, walk_frame
from resume.rewrite.unit import Unit


def assignments(block: Block, unit: Unit, names: Iterable[str]) -> list[ast.stmt]:
    """Return the only assignments of some variables of a block, to be run again.

    Raises:
        RestoreError: A variable has none.
    """
    found = []
    for name in names:
        statement = only_assignment(block.body, block.scope, name)
        if statement is None:
            raise RestoreError(
                f"the program has no single assignment of {name} any more: its source is not that "
                "of the save. The saved state is untouched; restart, or put the source back."
            )
        found.append(statement)
    found.sort(key=id_of)
    return [to_run_again(statement, unit.numbers) for statement in found]


def only_assignment(body: Sequence[ast.stmt], scope: Scope, name: str) -> ast.stmt | None:
    """Return `name = call(...)` where nothing else in the scope binds the name; else None."""
    if name in scope.rebound or name in _arguments(scope.node):
        return None
    inside = [part for statement in body for part in walk_frame(statement)]
    binding = [part for part in inside if name in names_bound_by(part)]
    if len(binding) != 1:
        return None
    return next((part for part in inside if _assigns_call(part, binding[0])), None)  # type: ignore[return-value]


def _arguments(function: ast.AST) -> set[str]:
    if not isinstance(function, (ast.FunctionDef, ast.Lambda)):
        return set()
    args = function.args
    every = [*args.posonlyargs, *args.args, *args.kwonlyargs, args.vararg, args.kwarg]
    return {argument.arg for argument in every if argument is not None}


def _assigns_call(node: ast.AST, target: ast.AST) -> bool:
    match node:
        case ast.Assign(targets=[only], value=value) | ast.AnnAssign(target=only, value=value):
            pass
        case _:
            return False
    if isinstance(value, ast.BinOp) and isinstance(value.right, ast.NamedExpr):
        value = value.left  # what it had pending is dropped behind it
    if only is not target or not isinstance(value, ast.Call):
        return False
    # The function that a comprehension became is made by another statement.
    names = (part.id for part in ast.walk(value) if isinstance(part, ast.Name))
    return not any(each.startswith(HIDDEN_FUNCTION) for each in names)


def to_run_again(statement: ast.stmt, numbers: Numbering) -> ast.stmt:
    """Return a copy of an assignment that runs at its old lines, and holds no positions.

    What it calls could not be told from the rest of the block otherwise, and a frame that was saved
    in it would go on behind the assignment's first place.
    """
    copied = copy.deepcopy(statement)
    fresh: dict[int, int] = {}
    for node in walk_frame(copied):
        number = id_of(node) if hasattr(node, "lineno") else SILENT
        if number == SILENT or number in numbers.marks or isinstance(node, ast.Lambda):
            continue
        if number not in fresh:
            fresh[number] = numbers.new_id(numbers.lines[number])
            numbers.meanings[fresh[number]] = 0
        moved = fresh[number] - number
        node.lineno += moved  # type: ignore[attr-defined]
        if node.end_lineno % STRIDE == number:  # type: ignore[attr-defined]
            node.end_lineno += moved  # type: ignore[attr-defined]
    return copied
