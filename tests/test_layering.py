"""The layers of the package, told from the source text: who may import whom.

Every import statement counts, wherever it stands: inside functions, under `TYPE_CHECKING`, relative
or absolute. A *room* is a file or folder directly below `resume/`.
"""

from __future__ import annotations

import ast
import functools
from collections.abc import Iterator
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parent.parent
PACKAGE = CHECKOUT / "resume"

ROWS: tuple[frozenset[str], ...] = (
    frozenset({"errors", "types", "units", "interpreter", "notices", "place", "item"}),
    frozenset({"frames", "rewrite", "pickling", "rng", "triggers", "store", "tracked"})
    | {"call", "custom", "generators", "position", "registry", "results", "settings"}
    | {"sources", "file_hooks"},
    # a whole state: what it is, whose it is, and where in its loops
    frozenset({"snapshot", "owner", "loops", "replay", "reentry", "points"}),
    frozenset({"progress", "losses", "standing"}),
    frozenset({"application"}),
    # one save and one restore
    frozenset({"engine", "course", "asking"}),
    frozenset({"validation", "departing", "askers", "preempting"}),
    frozenset({"restoring", "saving", "listening"}),
    frozenset({"run", "null", "loading", "execution"}),
    # the user's handles
    frozenset({"checkpoint", "decorated", "script"}),
    frozenset({"sweep", "proving"}),
    frozenset({"cli", "integrations"}),
)
"""Low to high. An import points to a lower row, or stays in its own room."""

LEAVES = frozenset({"errors", "types"})
"""These import nothing of ours; their neighbours in the lowest row may import them."""

DOORS = frozenset({"__init__", "__main__"})
"""`resume/__init__.py` gathers the public names; `resume/__main__.py` starts the command line."""

OWNED = {
    "click": ("cli/",),
    "rich": ("cli/",),
    "ctypes": ("frames/",),
    "torch": ("pickling/tensors.py", "rng.py"),
    "cupy": ("rng.py",),
    "fsspec": ("store/",),
    "h5py": ("sweep/",),
    "distributed": ("sweep/",),
    "ray": ("sweep/",),
    "IPython": ("integrations/",),
}
"""Library -> the only places that may import it, or look it up in `sys.modules` by its name."""

UNPICKLERS = frozenset({"pickle", "_pickle", "dill", "cloudpickle", "marshal", "shelve", "copyreg"})


def sources() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def room_of(path: Path) -> str:
    first = path.relative_to(PACKAGE).parts[0]
    return first.removesuffix(".py")


@functools.cache
def nodes_of(path: Path) -> list[ast.AST]:
    return list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))


@functools.cache
def imported(path: Path) -> list[tuple[int, str]]:
    """Line and full dotted name of everything that *path* imports, statically or by name."""
    return list(_imported(path))


def _imported(path: Path) -> Iterator[tuple[int, str]]:
    inside = ["resume", *path.relative_to(PACKAGE).parts[:-1]]
    for node in nodes_of(path):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = [*inside[: len(inside) - node.level + 1]] if node.level else []
            module = ".".join([*base, *filter(None, [node.module])])
            # `from resume import store` names a room by its second half.
            yield from ((node.lineno, f"{module}.{alias.name}") for alias in node.names)
        else:
            yield from by_name(node)


def by_name(node: ast.AST) -> Iterator[tuple[int, str]]:
    """`sys.modules["x"]`, `sys.modules.get("x")`, `import_module("x")`, `__import__("x")`."""
    if isinstance(node, ast.Subscript) and ast.unparse(node.value) == "sys.modules":
        argument: ast.AST = node.slice
    elif isinstance(node, ast.Call) and node.args and looks_up(ast.unparse(node.func)):
        argument = node.args[0]
    else:
        return
    if isinstance(argument, ast.Constant) and isinstance(argument.value, str):
        yield node.lineno, argument.value  # type: ignore[attr-defined]


def looks_up(function: str) -> bool:
    return function == "sys.modules.get" or function.rsplit(".", maxsplit=1)[-1] in {
        "import_module",
        "__import__",
    }


def row_of(room: str) -> int:
    rows = [number for number, rooms in enumerate(ROWS) if room in rooms]
    assert rows, f"resume/{room} stands in no row: give it one in the table of layers"
    return rows[0]


def rooms_imported(path: Path) -> Iterator[tuple[int, str]]:
    for line, name in imported(path):
        parts = name.split(".")
        if parts[0] == "resume" and len(parts) > 1 and (PACKAGE / parts[1]).with_suffix("").name:
            if (PACKAGE / parts[1]).is_dir() or (PACKAGE / f"{parts[1]}.py").is_file():
                yield line, parts[1]


def test_imports_point_down():
    """A file imports only from lower rows and from its own room."""
    wrong = [
        f"{path.relative_to(CHECKOUT)}:{line} imports resume.{other}"
        for path in sources()
        if room_of(path) not in DOORS
        for line, other in rooms_imported(path)
        if other != room_of(path) and not may_import(room_of(path), other)
    ]

    assert not wrong, "\n".join(wrong)


def may_import(room: str, other: str) -> bool:
    if room in LEAVES or other in DOORS:
        return False
    if row_of(room) == 0:
        return other in LEAVES
    return row_of(other) < row_of(room)


def test_import_resume_reaches_no_command_line():
    """`resume/__init__.py` imports nothing of the highest row, lazily or not."""
    reached = {other for _, other in rooms_imported(PACKAGE / "__init__.py")}

    assert not reached & {"cli", "integrations"}


@pytest.mark.parametrize("library", OWNED)
def test_a_library_lives_in_one_place(library):
    """An optional or heavy library is imported, or looked up by name, only where it belongs."""
    wrong = [
        f"{path.relative_to(CHECKOUT)}:{line} reaches for {name}"
        for path in sources()
        for line, name in imported(path)
        if name.split(".")[0] == library
        and not str(path.relative_to(PACKAGE)).startswith(OWNED[library])
    ]

    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("room", ["store", "cli"])
def test_store_and_command_line_cannot_unpickle(room):
    """The store sees bytes only, and the command line sees manifests only."""
    wrong = [
        f"{path.relative_to(CHECKOUT)}:{line} imports {name}"
        for path in sources()
        if room_of(path) == room
        for line, name in imported(path)
        if name.split(".")[0] in UNPICKLERS or name.startswith("resume.pickling")
    ]

    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize(
    ("attributes", "rooms"),
    [
        # a warning looks for the line of the user's that it is about; whose code has called
        ({"_getframe", "currentframe"}, {"frames", "interpreter", "notices"}),
        # an error's traceback holds frames, too, but none that runs
        ({"f_locals"}, {"frames", "pickling"}),
    ],
    ids=["_getframe", "f_locals"],
)
def test_running_frames_are_touched_in_few_places(attributes, rooms):
    """What the variables of a running frame are is the matter of `frames/` alone."""
    wrong = [
        f"{path.relative_to(CHECKOUT)}:{node.lineno}"
        for path in sources()
        if room_of(path) not in rooms
        for node in nodes_of(path)
        if isinstance(node, ast.Attribute) and node.attr in attributes
    ]

    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("def f():\n    from resume.store import Store", ["resume.store.Store"]),
        ("from resume import store", ["resume.store"]),
        ("if TYPE_CHECKING:\n    import torch.nn", ["torch.nn"]),
        ("from . import layout", ["resume.store.layout"]),
        ("from ..engine import save", ["resume.engine.save"]),
        ("sys.modules.get('torch')", ["torch"]),
        ("sys.modules['torch']", ["torch"]),
        ("importlib.import_module('torch')", ["torch"]),
    ],
)
def test_the_rule_sees_every_kind_of_import(text, names, tmp_path, monkeypatch):
    """What the rules above are built on: no spelling of an import escapes."""
    monkeypatch.setitem(globals(), "PACKAGE", tmp_path)
    (tmp_path / "store").mkdir()
    path = tmp_path / "store" / "sample.py"
    path.write_text(text)

    assert names == [name for _, name in imported(path)]
