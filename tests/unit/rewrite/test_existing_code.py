"""Large bodies of existing code: the interpreter's own tests have the results they have plain."""

from __future__ import annotations

import contextlib
import importlib.util
import io
import sys
import types
import unittest
import warnings

import pytest
from rewriting import make_helpers

from resume.rewrite import rewrite

pytest.importorskip("test.test_grammar", reason="the interpreter comes without its tests")

QUICK = ["grammar", "scope", "with", "patma", "contextlib", "yield_from", "augassign", "super"]
LONG = [
    *("generators", "exceptions", "named_expressions", "fstring", "class", "raise", "descr"),
    *("dataclasses", "functools", "traceback", "exception_group", "except_star", "decorators"),
    *("keywordonlyarg", "positional_only_arg", "weakref", "typing", "enum", "unpack_ex"),
    *("listcomps", "setcomps", "dictcomps", "genexps", "unpack", "iter", "extcall"),
    *("ordered_dict", "defaultdict", "userdict", "userlist", "userstring"),
    *("heapq", "bisect", "fractions", "textwrap", "string", "copy", "pprint"),
    *("list", "dict", "set", "range", "slice", "sort", "enumerate", "richcmp", "compare"),
    *("property", "isinstance", "funcattrs", "baseexception", "binop", "operator", "contains"),
    *("generator_stop", "global", "string_literals", "format", "abc"),
    *("subclassinit", "typechecks", "weakset", "dynamicclassattribute", "reprlib", "sched"),
]
LIBRARIES = [
    *("textwrap", "fractions", "statistics", "string", "shlex", "pprint", "graphlib", "reprlib"),
    *("difflib", "configparser", "copy", "ipaddress", "argparse", "optparse", "getopt", "fnmatch"),
    *("calendar", "csv", "gettext", "cmd", "plistlib", "sched", "glob", "netrc", "colorsys"),
    "random",
]
"""Modules of the library that are rewritten themselves, below their tests."""


def loaded(name: str, *, rewritten: bool) -> types.ModuleType:
    """Execute the module anew, plain or rewritten, and leave it in `sys.modules`."""
    spec = importlib.util.find_spec(name)
    assert spec is not None
    assert spec.origin is not None
    with open(spec.origin, "rb") as file:
        source = file.read()
    module = types.ModuleType(spec.name)
    module.__file__, module.__spec__, module.__loader__ = spec.origin, spec, spec.loader
    module.__package__ = spec.parent
    if spec.submodule_search_locations is not None:
        module.__path__ = list(spec.submodule_search_locations)
    sys.modules[name] = module
    if rewritten:
        code = rewrite(source, spec.origin, make_helpers()).code
    else:
        code = compile(source, spec.origin, "exec", dont_inherit=True)
    exec(code, module.__dict__)
    return module


def results(*names: str, rewritten: bool) -> tuple[int, set[str]]:
    """How many tests of the last module ran, and which of them failed; all are loaded anew."""
    before = {name: sys.modules.get(name) for name in names}
    found = unittest.TestResult()
    try:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            modules = [loaded(name, rewritten=rewritten) for name in names]
            unittest.defaultTestLoader.loadTestsFromModule(modules[-1]).run(found)
    finally:
        for name, module in before.items():
            del sys.modules[name]
            if module is not None:
                sys.modules[name] = module
    return found.testsRun, {test.id() for test, _ in found.failures + found.errors}


def assert_same(*names: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ran, failed = results(*names, rewritten=False)
        ran_ours, failed_ours = results(*names, rewritten=True)

    assert failed_ours - failed == set()
    assert (ran, failed) == (ran_ours, failed_ours)
    assert ran > 0


@pytest.mark.shared
@pytest.mark.parametrize("name", QUICK)
def test_same_results(name):
    """Every test of the module passes or fails as it does without the rewriting."""
    assert_same(f"test.test_{name}")


@pytest.mark.slow
@pytest.mark.parametrize("name", LONG)
def test_same_results_of_longer_ones(name):
    """The same, of modules that take their time."""
    assert_same(f"test.test_{name}")


@pytest.mark.slow
@pytest.mark.parametrize("name", LIBRARIES)
def test_same_results_of_a_library(name):
    """The module itself is rewritten, too, and its tests say what they say of the plain one."""
    assert_same(name, f"test.test_{name}")
