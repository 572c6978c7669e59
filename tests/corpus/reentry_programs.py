r"""The programs that must go on in their middle: whole scripts, each about one thing.

A program is a file in `programs/`, or a folder there with a `main.py` and its modules. It prints as
it goes, and prints the same in every run and on every Python. Its work is scaled by a constant,
`SCALE`, at its top: as written it runs long enough to be killed, with 1 it is over at once.

Comments behind its docstring say what a runner must know, all of them optional:

    # needs: numpy                  libraries without which it is skipped
    # arguments: --size 3 in.txt    the rest of its command line
    # stdin: one line, \n is a newline
    # writes: a.txt b.csv           files it leaves in its folder
    # exits: 3                      its exit status
    # postponed: why                no save is possible while it does its work
    # lifetimes: why                it shows when objects end: not stopped with live objects
"""

from __future__ import annotations

import ast
import importlib.util
import re
import shlex
import shutil
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).parent / "programs"
_SCALE = re.compile(r"^SCALE = (\d+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Program:
    """One of them, and what must be known to run it."""

    name: str
    path: Path
    """The script; of a package its `main.py`."""
    needs: tuple[str, ...]
    arguments: tuple[str, ...]
    stdin: str
    writes: tuple[str, ...]
    exits: int
    postponed: str
    """Why it cannot be stopped anywhere; empty where it can."""
    lifetimes: str
    """Why it is not for a machine whose left frames stay alive; empty where it is."""

    @property
    def docstring(self) -> str:
        """What it is about."""
        return ast.get_docstring(ast.parse(self.path.read_text(encoding="utf-8"))) or ""

    @property
    def is_package(self) -> bool:
        """It has modules of its own beside it."""
        return self.path.name == "main.py"

    @property
    def scale(self) -> int:
        """How much work it does as it is written."""
        found = _SCALE.search(self.path.read_text(encoding="utf-8"))
        assert found, f"{self.name} has no line SCALE = number"
        return int(found[1])

    def missing(self) -> str:
        """Name a library that it needs and that is not here; empty where all are."""
        return next((name for name in self.needs if not importlib.util.find_spec(name)), "")

    def copied(self, folder: Path, scale: int | None = None) -> Path:
        """Copy it into *folder*, with another amount of work, and return the copied script."""
        if self.is_package:
            shutil.copytree(self.path.parent, folder / self.name)
            script = folder / self.name / "main.py"
        else:
            script = Path(shutil.copy(self.path, folder))
        if scale is not None:
            text = script.read_text(encoding="utf-8")
            script.write_text(_SCALE.sub(f"SCALE = {scale}", text, count=1), encoding="utf-8")
        return script


def program_at(path: Path) -> Program:
    """Return the program of that script."""
    text = path.read_text(encoding="utf-8")

    def said(what: str) -> str:
        found = re.search(rf"^# {what}: (.+)$", text, re.MULTILINE)
        return found[1] if found else ""

    return Program(
        name=path.parent.name if path.name == "main.py" else path.stem,
        path=path,
        needs=tuple(said("needs").split()),
        arguments=tuple(shlex.split(said("arguments"))),
        stdin=said("stdin").replace("\\n", "\n"),
        writes=tuple(said("writes").split()),
        exits=int(said("exits") or 0),
        postponed=said("postponed"),
        lifetimes=said("lifetimes"),
    )


def programs() -> list[Program]:
    """Return all of them, by name."""
    paths = [*FOLDER.glob("*.py"), *FOLDER.glob("*/main.py")]
    return sorted(map(program_at, paths), key=lambda program: program.name)


def program(name: str) -> Program:
    """Return the one of that name."""
    return next(each for each in programs() if each.name == name)
