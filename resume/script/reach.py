"""Which files are modules of the program: those that lie beside it, and that it imports by name.

What does not work: all files of the folder. It may be a home, with hundreds of scripts that have
nothing to do with each other; and names of their functions would make calls look as if they lasted.

What we do: follow the import statements, wherever they stand, from the script on. Modules that are
imported by computed names are met later, and join then: what was rewritten before knows nothing of
their functions, so a call of one may count as quiet, and a save waits until it returns.
"""

from __future__ import annotations

import os
from typing import NamedTuple

_FOREIGN = frozenset({"site-packages", "dist-packages", "__pycache__"})
_OWN = os.path.dirname(os.path.dirname(os.path.realpath(__file__))) + os.sep  # noqa: PTH120
_STANDARD = os.path.dirname(os.path.realpath(os.__file__)) + os.sep  # noqa: PTH120


class Source(NamedTuple):
    """The text of one module, as it was when the program met it."""

    name: str
    """As it is imported; `__main__` for a script."""
    path: str
    """As its code and tracebacks show it."""
    data: bytes

    @property
    def package(self) -> str:
        """What its relative imports start from."""
        is_package = os.path.basename(self.path) == "__init__.py"  # noqa: PTH119
        return self.name if is_package else self.name.rpartition(".")[0]


def is_beside(path: str, root: str) -> bool:
    """Whether the file is one of the program's own below the folder *root*.

    Not those of the standard library, of an environment, or ours, wherever *root* is.
    """
    real = os.path.realpath(path)
    base = root if root.endswith(os.sep) else root + os.sep
    if not real.startswith(base) or real.startswith((_OWN, _STANDARD)):
        return False
    return not _FOREIGN.intersection(real.removeprefix(base).split(os.sep))  # noqa: PTH206


def file_of(name: str, root: str) -> str | None:
    """Return the file of the module *name* below *root*, None where there is none."""
    base = os.path.join(root, *name.split("."))  # noqa: PTH118 - half the time of a Path
    for path in (os.path.join(base, "__init__.py"), base + ".py"):  # noqa: PTH118
        if os.path.isfile(path):  # noqa: PTH113
            return path
    return None
