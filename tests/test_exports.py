"""What `import resume` shows and costs."""

from __future__ import annotations

import ast
import inspect
import json
import os
import pickle
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import resume
from resume import errors

CHECKOUT = Path(__file__).resolve().parent.parent
SOURCES = sorted((CHECKOUT / "resume").rglob("*.py"))
ERRORS = [
    kind
    for kind in vars(errors).values()
    if inspect.isclass(kind) and issubclass(kind, BaseException)
]
NOT_FOR_ITS_OWN_SAKE = ("click", "rich", "dill", "torch", "pandas", "scipy", "platformdirs")


def test_the_public_names_fit_on_one_page():
    """`resume.__all__` lists at most 20 names, and each of them exists."""
    assert len(resume.__all__) <= 20
    assert sorted(set(resume.__all__)) == sorted(resume.__all__)
    assert [] == [name for name in resume.__all__ if not hasattr(resume, name)]


@pytest.mark.parametrize("name", [n for n in getattr(resume, "__all__", []) if n != "__version__"])
def test_public_names_are_documented(name):
    """Each public class and function has a docstring of its own, not one it inherits."""
    thing = getattr(resume, name)

    assert thing.__dict__.get("__doc__") if inspect.isclass(thing) else thing.__doc__, name


def undocumented(path: Path) -> Iterator[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    if not ast.get_docstring(tree):
        yield f"{path.relative_to(CHECKOUT)}: the module"
    yield from undocumented_in(tree, str(path.relative_to(CHECKOUT)))


def undocumented_in(node: ast.Module | ast.ClassDef, where: str) -> Iterator[str]:
    for child in node.body:
        if not isinstance(child, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        if child.name.startswith("_"):
            continue
        if not ast.get_docstring(child) and not is_overload(child):
            yield f"{where}:{child.lineno} {child.name}"
        if isinstance(child, ast.ClassDef):
            yield from undocumented_in(child, where)


def is_overload(node: ast.AST) -> bool:
    return any("overload" in ast.unparse(d) for d in getattr(node, "decorator_list", []))


def test_every_public_function_class_and_method_has_a_docstring():
    """Nothing public in the package goes without a sentence on what it promises."""
    assert SOURCES
    missing = [each for path in SOURCES for each in undocumented(path)]

    assert not missing, "\n".join(missing)


@pytest.mark.parametrize("kind", ERRORS, ids=lambda kind: kind.__name__)
def test_errors_survive_a_pickle_round_trip(kind):
    """An error raised in a pool's worker reaches the parent as it was, arguments included."""
    error = kind(143) if kind is errors.Preempted else kind("cannot save x")

    copy = pickle.loads(pickle.dumps(error))

    assert type(copy) is kind
    assert copy.args == error.args
    assert str(copy) == str(error)


def test_each_family_of_errors_has_its_exit_code():
    """Scripts tell failures apart by the exit code; the numbers are fixed."""
    codes = {kind.__name__: kind.exit_code for kind in ERRORS if hasattr(kind, "exit_code")}

    assert codes == {
        "ResumeError": 1,
        "ConfigError": 2,
        "CaptureError": 10,
        "UnpicklableError": 10,
        "UnsupportedCodeError": 10,
        "StoreError": 30,
        "CheckpointBusyError": 31,
        "IntegrityError": 32,
        "SchemaVersionError": 33,
        "TrustError": 40,
        "RestoreError": 50,
        "CodeChangedError": 50,
        "ConfigChangedError": 50,
        "SweepError": 60,
    }


def fresh_import(compiled: Path | None = None) -> dict[str, object]:
    """What `import resume` adds to a process that has numpy: modules, and seconds."""
    environment = dict(os.environ)
    if compiled is not None:
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        environment["PYTHONPYCACHEPREFIX"] = str(compiled)
    program = """
import json, sys, time
start = time.perf_counter()
import numpy
between = time.perf_counter()
before = set(sys.modules)
from resume import Checkpoint, NullCheckpoint, load
end = time.perf_counter()
added = sorted(set(sys.modules) - before)
print(json.dumps({"added": added, "numpy_s": between - start, "resume_s": end - between}))
"""
    out = subprocess.run(
        [sys.executable, "-c", program],
        cwd=CHECKOUT,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(out.stdout)


def test_import_resume_brings_no_heavy_library():
    """`import resume` imports neither the command line's libraries nor dill, torch or pandas."""
    added = fresh_import()["added"]

    roots = {name.split(".")[0] for name in added}
    assert not roots & set(NOT_FOR_ITS_OWN_SAKE)
    assert "resume.cli" not in added


def test_import_resume_brings_few_libraries_of_others():
    """Beside the standard library and numpy, only what the store's digests and extents need."""
    added = fresh_import()["added"]

    roots = {name.split(".")[0] for name in added} - set(sys.stdlib_module_names)
    # numpy.random, which numpy itself imports late, comes with modules of its compiler
    of_numpy = {root for root in roots if root == "numpy" or "cython" in root}
    assert roots - of_numpy <= {"resume", "xxhash", "zstandard", "__mp_main__"}


def test_import_resume_costs_about_what_numpy_costs(tmp_path):
    """The bound is 60 ms beyond numpy on a quiet machine; a ratio of best times holds on any."""
    fresh_import(tmp_path)  # compiles
    runs = [fresh_import(tmp_path) for _ in range(5)]

    ours = min(run["resume_s"] for run in runs)
    numpys = min(run["numpy_s"] for run in runs)
    assert ours <= 3 * numpys, f"import resume: {ours * 1000:.0f} ms, numpy {numpys * 1000:.0f} ms"
