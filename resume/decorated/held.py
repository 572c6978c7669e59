"""What a call shares with the program around it, which runs again and brings it by itself.

Goal: what the caller holds, too, is changed by a resumed call as it was by the first one.

What does not work: a copy. The caller would look at an object that nobody has trained.

What we do: what the function was given, and what its closure held, are roots of the state by those
names, however the function has named them since. A restore fills the objects that the rerun brings.
What cannot be copied at all (a connection) is only referred to, and so is what the module holds:
the rerun has both.

What can still go wrong: objects that the caller shares with the call in another way, deeper than
anchors go (`pickling/anchors.py`).
"""

from __future__ import annotations

import builtins
import collections
import sys
from collections.abc import Collection, Iterator, Mapping
from types import FunctionType, ModuleType
from typing import Any

from resume.call import is_simple
from resume.decorated.arguments import digest
from resume.errors import RestoreError, UnpicklableError
from resume.owner import reachable_mutables
from resume.pickling.anchors import parts
from resume.reentry.fates import has_place
from resume.reentry.wrappers import behind
from resume.types import Skipped

_NEVER = (type, FunctionType, ModuleType)
_DEEPEST = 6
"""Steps from a global to a part of it that is known to be one."""
_MOST_PARTS = 5_000
_MOST = 200_000
"""Objects to look at, when a global is told from what the call was given."""


class Held:
    """What one call shares with its caller."""

    def __init__(self, function: FunctionType, arguments: Mapping[str, Any]) -> None:
        """Note what is there at the beginning of the call."""
        self.shared: dict[str, Any] = {}
        """Cells and functions that the caller holds, by what leads to them."""
        self._given: dict[str, Any] = {}
        """By root: what else it holds."""
        self._seen: set[int] = set()
        for name, value in arguments.items():
            self._note(f"argument {name}", value)
        self._note_cells("outer variable ", function)
        self._brought: set[str] = set()
        """Those that cannot be saved at all: the rerun brings its own."""

    def _note(self, path: str, value: Any) -> None:
        if isinstance(value, FunctionType) and id(value) not in self._seen:
            self._seen.add(id(value))
            self.shared[path] = value
            self._note_cells(f"{path}: ", behind(value))
        elif not is_simple(value) and not isinstance(value, _NEVER):
            self._given[f".{path}"] = value

    def _note_cells(self, path: str, function: FunctionType) -> None:
        cells = zip(function.__code__.co_freevars, function.__closure__ or (), strict=True)
        for name, cell in cells:
            if id(cell) in self._seen:
                continue
            self._seen.add(id(cell))
            self.shared[f"cell of {path}{name}"] = cell
            try:
                self._note(f"{path}{name}", cell.cell_contents)
            except ValueError:  # the variable is not bound yet
                continue

    def by_id(self) -> dict[int, str]:
        """What leads to each cell and function that the caller holds."""
        return {id(thing): path for path, thing in self.shared.items()}

    # -- a save

    def roots(self) -> dict[str, Any]:
        """What is saved to be put back into the caller's objects.

        Raises:
            UnpicklableError: An argument stands somewhere, and the caller's own would not.
        """
        found = {root: value for root, value in self._given.items() if root not in self._brought}
        for root, value in found.items():
            if has_place(value):
                raise UnpicklableError(
                    f"cannot save {_shown(root)} (a {type(value).__qualname__}): it stands at some "
                    "place, and the caller's own would stand at another after a resume. Nothing "
                    "was written, and the program runs on. Open or make it inside the function"
                )
        return found

    def beside(
        self, namespaces: Collection[Mapping[str, Any]], *, everything: bool = False
    ) -> dict[str, Any]:
        """What the rerun brings: arguments without a copy, and what modules hold.

        Args:
            namespaces: Of the modules.
            everything: All that it may bring, whatever of it is saved.
        """
        brought = self._given if everything else self._brought
        found = {_shown(root): self._given[root] for root in brought}
        own = {id(vars(builtins)), id(sys.modules), *map(id, namespaces)}
        if not everything:
            own |= {id(value) for value in self._given.values()}
            own |= reachable_mutables(list(self._given.values()), limit=_MOST).keys()
        return found | dict(_of_modules(namespaces, own))

    def leave_out(self, skip: Skipped) -> bool:
        """Let the rerun bring an object that cannot be saved; False: it is none of the caller's.

        Raises:
            UnpicklableError: Only a part of it cannot.
        """
        if skip.name not in self._given:
            return False
        if skip.path != skip.name:
            part = _shown(skip.name) + skip.path.removeprefix(skip.name)
            raise UnpicklableError(
                f"cannot save {part} (a {skip.type}): {skip.why}. Nothing was written, and the "
                "program runs on. Give the class a __getstate__ that leaves it out, or make it "
                "inside the function"
            )
        self._brought.add(skip.name)
        return True

    # -- a restore

    def live(self) -> dict[str, Any]:
        """The objects to be filled."""
        return dict(self._given)

    def refuse_stale(self, values: Mapping[str, Any]) -> None:
        """Make sure that the caller's objects are as they were saved.

        Raises:
            RestoreError: One could not be changed in place, and is another now.
        """
        for root, value in self._given.items():
            saved = values.get(root, value)
            if saved is not value and digest(saved) != digest(value):
                raise RestoreError(
                    f"the function has changed {_shown(root)} (a {type(value).__qualname__}), and "
                    "the caller's own cannot be changed in place. The saved state is whole and "
                    "stays. Let the function return it, and change a copy; or start anew with "
                    "clean=True"
                )


def _of_modules(
    namespaces: Collection[Mapping[str, Any]], own: set[int]
) -> Iterator[tuple[str, Any]]:
    """Yield what modules hold, with the parts of it, by how one would write it."""
    waiting = collections.deque(
        (f"the global {name}", value, 0)
        for space in namespaces
        for name, value in list(space.items())
        if not name.startswith("__")
    )
    seen = set(own)
    left = _MOST_PARTS
    while waiting and left:
        path, value, depth = waiting.popleft()
        if id(value) in seen or is_simple(value) or isinstance(value, _NEVER):
            continue
        seen.add(id(value))
        left -= 1
        yield path, value
        if depth < _DEEPEST:
            waiting += [(path + label, part, depth + 1) for _, label, part in parts(value)]


def _shown(root: str) -> str:
    return f"the {root[1:]}"
