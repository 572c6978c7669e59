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
]


def results(name: str, *, rewritten: bool) -> tuple[int, set[str]]:
    """How many tests of the module ran, and which of them failed."""
    spec = importlib.util.find_spec(f"test.test_{name}")
    assert spec is not None
    assert spec.origin is not None
    with open(spec.origin, "rb") as file:
        source = file.read()
    module = types.ModuleType(spec.name)
    module.__file__, module.__spec__, module.__package__ = spec.origin, spec, "test"
    before = sys.modules.get(spec.name)
    sys.modules[spec.name] = module
    try:
        if rewritten:
            code = rewrite(source, spec.origin, make_helpers()).code
        else:
            code = compile(source, spec.origin, "exec", dont_inherit=True)
        exec(code, module.__dict__)
        found = unittest.TestResult()
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            unittest.defaultTestLoader.loadTestsFromModule(module).run(found)
    finally:
        sys.modules.pop(spec.name)
        if before is not None:
            sys.modules[spec.name] = before
    return found.testsRun, {test.id() for test, _ in found.failures + found.errors}


def assert_same(name: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ran, failed = results(name, rewritten=False)
        ran_ours, failed_ours = results(name, rewritten=True)

    assert ran == ran_ours > 0
    assert failed == failed_ours


@pytest.mark.parametrize("name", QUICK)
def test_same_results(name):
    """Every test of the module passes or fails as it does without the rewriting."""
    assert_same(name)


@pytest.mark.slow
@pytest.mark.parametrize("name", LONG)
def test_same_results_of_longer_ones(name):
    """The same, of modules that take their time."""
    assert_same(name)
