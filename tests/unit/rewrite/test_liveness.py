"""What the rest of a program reads, what it defines again, and what can be made again."""

from __future__ import annotations

import sys
import types

import pytest
from rewriting import make_helpers

from resume.errors import RestoreError
from resume.rewrite import Entry, Kind, RewrittenModule, Suspension, rewrite


def module_of(source: str) -> RewrittenModule:
    return rewrite(source, "<program>", make_helpers())


def position(module: RewrittenModule, block: int, line: int) -> int:
    """The innermost statement of a line."""
    found = [p for p in module.places(block).values() if p.line == line]
    return [p.number for p in found if p.kind is Kind.STATEMENT][-1]


def function(module: RewrittenModule, name: str) -> int:
    return next(
        number
        for number, block in module.blocks.items()
        if getattr(block.node, "name", None) == name
    )


LOOP = """
def work(data, spare):
    log = open(data)
    old = note(log)
    for item in data:
        note(item)
        total = item
    return total

def note(x):
    for _ in range(3):
        print(x)
    return x
"""


def test_the_rest_reads_what_is_behind_the_position_and_in_the_loops_around_it():
    module = module_of(LOOP)
    work = function(module, "work")

    at_start = module.reads(work, Suspension(position(module, work, 3), Entry.BEFORE))
    in_loop = module.reads(work, Suspension(position(module, work, 7), Entry.BEFORE))
    at_end = module.reads(work, Suspension(position(module, work, 8), Entry.BEFORE))

    assert at_start.may_read("data")
    assert at_start.may_read("log")
    assert {"note", "item", "total"} <= in_loop.names
    assert not in_loop.may_read("log")
    assert not in_loop.may_read("spare")
    assert {"total"} == {name for name in at_end.names if not name.startswith(".")}


@pytest.mark.parametrize("call", ["locals()", "eval('x')", "exec('y = x')", "vars()"])
def test_code_that_may_see_all_names_reads_all(call):
    module = module_of(f"x = open('f')\nfor i in range(3):\n    print({call})\n")

    reads = module.reads(0, Suspension(position(module, 0, 3), Entry.BEFORE))

    assert reads.may_read("whatever")


def test_deleting_and_changing_in_place_are_reads_too():
    module = module_of("def f(a, b, c):\n    a += 1\n    del b\n    while f(): pass\n")
    f = function(module, "f")

    reads = module.reads(f, Suspension(position(module, f, 2), Entry.BEFORE))

    assert reads.may_read("a")
    assert reads.may_read("b")
    assert not reads.may_read("c")


def test_functions_read_globals_and_other_modules_by_attribute():
    module = module_of("import other\ndef f():\n    global g\n    return other.pool, a\nb\n")

    assert {"g", "a", "other"} <= module.reads_in_functions().names
    assert "b" not in module.reads_in_functions().names
    assert "b" in module.reads_anywhere().names
    assert {"pool", "other"} == module.reads_anywhere().attributes


DEFINITIONS = """
import os.path
import numpy as np
from math import pi, tau as turn
from . import sibling
from string import *
try:
    import json
except ImportError:
    import nothing as json
if pi:
    def f(): pass
class C:
    def method(self): pass
total = 0
def later(): pass
"""


def test_what_definitions_bind_is_known_with_where_it_comes_from():
    module = module_of(DEFINITIONS)
    before = module.defined(position(module, 0, 15))

    assert {"f", "C"} == before.made
    assert {"f", "C", "later"} == module.defined(None).made
    assert ("string",) == before.star_imports
    assert {
        "os": ("os", None),
        "np": ("numpy", None),
        "pi": ("math", "pi"),
        "turn": ("math", "tau"),
        "sibling": (".", "sibling"),
        "json": ("nothing", None),
    } == before.imported


def test_definitions_of_a_whole_module_are_all_it_defines():
    module = module_of("x = int(1)\ndef f(a=x): return a\nprint(f())\nclass C: pass\n")
    names = {}

    exec(module.definitions(None), names)

    assert {"f", "C"} == {name for name in names if not name.startswith("__")}
    assert (None,) == names["f"].__defaults__


@pytest.mark.parametrize(
    ("body", "answer"),
    [
        ("x = make(1)", True),
        ("x: object = make(1)", True),
        ("if 1:\n    x = make(make(2))", True),
        ("x = 1", False),
        ("x = make(1)\nx = make(2)", False),
        ("x = y = make(1)", False),
        ("x, y = make(1)", False),
        ("x = make(1)\nfor x in []: pass", False),
        ("x = make(1)\nx += 1", False),
        ("x = make(1)\ndel x", False),
        ("x = make(1)\nwith y as x: pass", False),
        ("x = make(1)\nimport x", False),
        ("x = make(1)\ndef x(): pass", False),
        ("try:\n    x = make(1)\nexcept E as x: pass", False),
        ("x = make(1)\nmatch 1:\n    case x: pass", False),
        ("x = make([make(i) for i in make(2)])", False),
        ("print((x := make(1)))", False),
        ("y = make(1)", False),
    ],
)
def test_one_assignment_of_a_call_can_run_again(body, answer):
    made = "def make(n):\n    for _ in [n]:\n        pass\n    return n\n"

    assert answer is (module_of(made + body).needs(0, "x") is not None)


def test_arguments_and_names_of_functions_inside_are_not_the_frames_alone():
    module = module_of(
        "def f(x):\n"
        "    x = open(x)\n"
        "    y = open(x)\n"
        "    z = open(x)\n"
        "    def g():\n"
        "        nonlocal y\n"
        "        z = 1\n"
        "    while x: pass\n"
    )
    f = function(module, "f")

    assert [None, None, {"open", "x"}] == [module.needs(f, name) for name in "xyz"]


def test_a_residual_makes_variables_again_before_all_else():
    """The assignment runs at its own line, and is no position of the frame."""
    source = (
        "def f(path):\n"
        "    line = 0\n"
        "    made = make(path,\n"
        "                lambda: path)\n"
        "    for line in range(3):\n"
        "        look(made)\n"
        "    return made\n"
        "def make(path, more):\n"
        "    for _ in [1]:\n"
        "        lines.append(sys._getframe(1).f_lineno)\n"
        "        ids.append(sys._getframe(1).f_lasti)\n"
        "    return [path, more()]\n"
        "def look(x):\n"
        "    for _ in [1]: pass\n"
    )
    module = module_of(source)
    f = function(module, "f")
    lines, units = [], []
    names = {"sys": sys, "lines": lines, "ids": units}
    exec(module.code, names)
    where = Suspension(position(module, f, 7), Entry.BEFORE, recreated=("made",))

    code = module.residual(f, where)
    assert ("path",) == code.co_freevars
    found = types.FunctionType(code, names, closure=(types.CellType("p"),))({})

    assert ["p", "p"] == found
    assert [3] == lines
    assert module.tables[id(code)].ids[units[0] // 2] is None


def test_variables_of_the_module_are_made_again():
    module = module_of("limit = int(2)\ndef f(a): return a\npool = f(5)\nprint(pool)\n")
    names = {}

    exec(module.definitions(position(module, 0, 4)), names)
    exec(module.recreation(["pool"]), names)

    assert 5 == names["pool"]
    assert "limit" not in names


def test_a_variable_that_cannot_be_made_again_is_told():
    module = module_of("pool = 1\n")

    with pytest.raises(RestoreError, match="no single assignment of pool"):
        module.recreation(["pool"])


def test_managers_around_a_position_tell_what_they_bind():
    module = module_of(
        "with open('a') as a, lock:\n"
        "    try:\n"
        "        for i in range(3):\n"
        "            with pair() as (b, c):\n"
        "                print(a)\n"
        "    except E:\n"
        "        with late: print(1)\n"
        "with other: pass\n"
        "match a:\n"
        "    case 1:\n"
        "        with inner as d: print(2)\n"
    )

    in_first = {".w1": {"a"}, ".w2": set()}
    assert {**in_first, ".w5": {"b", "c"}} == module.managers(0, position(module, 0, 5))
    assert {*in_first, ".w4"} == set(module.managers(0, position(module, 0, 7)))
    assert {".w1": {"d"}} == module.managers(0, position(module, 0, 11))
    assert {} == module.managers(0, position(module, 0, 8) + 10_000)


def test_class_bodies_run_again_without_the_defaults_of_methods():
    """What they read of constants is there; a default may be what another statement computed."""
    module = module_of(
        "START = 5\n"
        "NAMES: tuple = ('a', -1)\n"
        "total = int('3')\n"
        "class C:\n"
        "    first = START\n"
        "    names = NAMES\n"
        "    class D:\n"
        "        def f(self, a=total, *, b=total): return a, b\n"
        "print(C)\n"
    )
    names = {}

    exec(module.definitions(position(module, 0, 9)), names)

    assert (5, ("a", -1)) == (names["C"].first, names["C"].names)
    assert (None, None) == names["C"].D().f()
    assert "total" not in names
