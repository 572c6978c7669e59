"""Names decide which calls may last."""

from __future__ import annotations

import array
import ast
import datetime as dt
import decimal
import fractions
import random

import pytest
from rewriting import make_helpers

from resume.rewrite import Outside, rewrite, survey
from resume.rewrite.positions import Numbering
from resume.rewrite.quiet import QUIET_METHODS, Calls
from resume.rewrite.relocate import codes_in
from resume.rewrite.scopes import scopes_of


def calls_of(source: str, outside: Outside | None = None) -> tuple[ast.Module, Calls]:
    tree = ast.parse(source)
    Numbering().number(tree)
    return tree, Calls(tree, scopes_of(tree), outside or Outside()).survey()


def test_methods_of_common_types_are_quiet():
    """Those of types that are not imported for it are told by name."""
    kinds = (random.Random, array.array, fractions.Fraction, decimal.Decimal)
    kinds += (dt.datetime, dt.timedelta)
    methods = {
        name
        for kind in kinds
        for name in dir(kind)
        if not name.startswith("_") and callable(getattr(kind, name))
    }

    assert methods <= QUIET_METHODS | {"max", "min", "resolution"}
    assert {"append", "randint", "quantize"} <= QUIET_METHODS


TINY = {
    "arithmetic": "def f(x): return x + 1",
    "C code": "def f(x): return len(x.strip())",
    "another tiny one": "def g(x): return x\ndef f(x): return g(x)",
    "used up": "def f(x): return sum(i for i in x)",
    "method": "class A:\n    def f(self): return self.g()\n    def g(self): return 1",
    "property": "class A:\n    @property\n    def f(self): return 1",
    "quiet class": "class A:\n    def __init__(self): self.x = 1\ndef f(): return A()",
}
LONG = {
    "loop": "def f(x):\n    for i in x: pass",
    "while": "def f(x):\n    while x: x -= 1",
    "with": "def f(x):\n    with x: pass",
    "yield": "def f(x): yield x",
    "recursion": "def f(x): return f(x)",
    "mutual recursion": "def f(x): return g(x)\ndef g(x): return f(x)",
    "unknown callee": "def f(x): return x()",
    "lambda": "def f(x): return lambda: x",
    "escaping generator": "def f(x): return (i for i in x)",
    "sees its frame": "def f(x): return locals()",
    "decorated": "import functools\n@functools.cache\ndef f(x): return 1",
    "long method": "class A:\n    def go(self):\n        for i in []: pass\n"
    "def f(x): return x.go()",
    "rebound": "def g(x): return 1\ng = 2\ndef f(x): return g(x)",
    "attribute that is assigned": "def f(x): return x.append(1)\nclass A: append = None",
    "long class": (
        "class A:\n    def __init__(self):\n        for i in []: pass\ndef f(x): return A()"
    ),
}


@pytest.mark.parametrize("name", TINY)
def test_tiny(name):
    """Without loops, and all of its calls quiet."""
    tree, calls = calls_of(TINY[name])

    assert all(calls.is_tiny(node) for node in ast.walk(tree) if getattr(node, "name", "") == "f")


@pytest.mark.parametrize("name", LONG)
def test_not_tiny(name):
    """It may last, or its frame is looked at."""
    tree, calls = calls_of(LONG[name])

    assert not any(
        calls.is_tiny(node) for node in ast.walk(tree) if getattr(node, "name", "") == "f"
    )


def lowered(source: str) -> str:
    module = rewrite(source, "<p>", make_helpers())
    return ast.unparse(module.blocks[0].node)


SLOW = "def slow(x):\n    for _ in x: pass\n    return x\n"


@pytest.mark.parametrize(
    "statement",
    [
        "x = slow(y)",
        "return slow(y)",
        "return slow(y) + 1",
        "slow(slow(y))",
        "return y.append(len(y))",
        "return [len(i) for i in y]",
        "return any(slow(i) for i in y)",
        "y += slow(y)",
        "return f(1, y, slow(y))",
    ],
)
def test_usual_statements_need_no_hidden_name(statement):
    """Nothing waits, or what waits cannot change."""
    source = f"{SLOW}def f(x, y, z):\n    {statement}\n"

    assert ".t" not in lowered(source).split("def f")[1]


@pytest.mark.parametrize(
    ("statement", "hidden"),
    [
        ("return next(y) + slow(y)", ".t1 := next(y)"),
        ("return y.a + slow(y)", ".t1 := y.a"),
        ("return y[0](1)", ".t1 := y[0]"),
        ("return [slow(i) for i in y]", "def .<listcomp>1"),
        ("y.a += slow(y)", ".t1 = y"),
    ],
)
def test_what_waits_gets_a_hidden_name(statement, hidden):
    """So that it can be saved."""
    source = f"{SLOW}def f(x, y, z):\n    {statement}\n"

    assert hidden in lowered(source)


def test_modules_know_each_other():
    """A method that is long in another module may last here."""
    here = "def f(x): return x.strip()\n"
    there = "class A:\n    def strip(self):\n        for i in []: pass\n"
    outside = survey(there, "there.py", "there")

    tree, alone = calls_of(here)
    assert alone.is_tiny(tree.body[0])
    tree, together = calls_of(here, outside)

    assert not together.is_tiny(tree.body[0])
    assert "strip" in outside.functions
    assert "strip" not in outside.tiny


def test_what_is_known_of_modules_is_merged():
    """A name is tiny where it is tiny in all modules that define it."""
    tiny = survey("def f(): return 1\ndef g(): return 1\n", "a.py", "a")
    long = survey("def f():\n    for i in []: pass\nx.y = 1\n", "b.py", "b")

    both = tiny.merged(long)

    assert both == long.merged(tiny)
    assert (both.tiny, both.stored) == ({"g"}, {"y"})
    assert both.modules == {"a", "b"}


def test_imports_of_rewritten_modules_may_suspend():
    """Those of others may not: they run in code that is not ours."""
    source = "import there\nimport math\nthere.go(1)\nmath.sin(1)\nfrom . import near\nnear()\n"
    _, calls = calls_of(source, Outside(modules=frozenset({"there"})))

    assert len(calls.suspending) == 2
    assert calls.foreign == {"math"}


def test_sync_of_any_module_is_a_place():
    """The safe point that a program asks for."""
    _, calls = calls_of("import resume\nresume.sync()\nresume.other()\n")

    assert len(calls.suspending) == 1


KNOWN = {
    "a generator": "def g(n):\n    while n: yield n\ndef f(): return [x for x in g(3)]",
    "one that delegates": "def g(n): yield from n\ndef f():\n    for x in g(()): print(x)",
    "a method that returns displays": "class A:\n    def f(self):\n"
    "        for x in self.g(): pass\n"
    "    def g(self):\n        return [1]\nclass B(A):\n    def g(self):\n        return (1, 2)",
    "builtins around it": "def g(n): yield n\ndef f():\n    for x in enumerate(g(3)): pass",
}
UNKNOWN = {
    "a function that may give anything": "def g(n): return open(n)\ndef f():\n"
    "    for x in g(3): pass",
    "a function that may end without a value": "def g(n):\n    if n: return [1]\n"
    "def f():\n    for x in g(3): pass",
    "a decorated generator": "@wrapped\ndef g(n): yield n\ndef f():\n    for x in g(3): pass",
    "a coroutine": "async def g(n): return [1]\ndef f():\n    for x in g(3): pass",
    "a name that is bound again": "def g(n): yield n\ng = open\ndef f():\n    for x in g(3): pass",
    "a local of that name": "def g(n): yield n\ndef f(g):\n    for x in g(3): pass",
    "a class of that name": "def g(n): yield n\ndef h():\n    class g: pass\n"
    "def f():\n    for x in g(3): pass",
    "a method of another object": "class A:\n    def f(self, a):\n        for x in a.g(): pass\n"
    "    def g(self): yield 1",
    "a method of another class": "class A:\n    def f(self):\n        for x in self.g(): pass\n"
    "class B:\n    def g(self): yield 1",
    "a method that another class overrides": "class A:\n    def f(self):\n"
    "        for x in self.g(): pass\n    def g(self): yield 1\n"
    "class B(A):\n    def g(self): return open('x')",
    "a method that is assigned": "class A:\n    def f(self):\n        for x in self.g(): pass\n"
    "    def g(self): yield 1\nA().g = open",
    "a static method": "class A:\n    def f():\n        for x in self.g(): pass\n"
    "    def g(self): yield 1",
    "an iterable of its own": "def f(a):\n    for x in enumerate(a): pass",
}


def asks_for_a_type(source: str, outside: Outside | None = None) -> bool:
    """Whether `f` looks at what it is given before it makes an iterator."""
    made = rewrite(source, "file.py", make_helpers(), outside)
    of_f = [code for code in codes_in(made.code) if code.co_qualname.endswith("f")]
    assert of_f
    return any(type in code.co_consts for code in of_f)


@pytest.mark.parametrize("name", KNOWN)
def test_iterables_that_are_known(name):
    """No time is spent on what their type may be."""
    assert not asks_for_a_type(KNOWN[name])


@pytest.mark.parametrize("name", UNKNOWN)
def test_iterables_that_are_not_known(name):
    """Files and iterators of others are told from what can be saved, when the loop begins."""
    assert asks_for_a_type(UNKNOWN[name])


def test_a_method_of_another_module_may_override():
    source = KNOWN["a method that returns displays"]

    assert asks_for_a_type(source, Outside(functions=frozenset({"g"})))
