"""Ids are told by the source alone, and true lines and columns come back from them."""

from __future__ import annotations

import ast
import collections
import contextlib
import difflib
import dis
import json
import os
import subprocess
import sys
import textwrap
import types
from pathlib import Path

import pytest
from resumable_programs import PROGRAMS
from rewriting import make_helpers

from resume.errors import UnsupportedCodeError
from resume.rewrite import Entry, Kind, Suspension, positions, rewrite
from resume.rewrite.positions import SILENT, STRIDE, Numbering, location_table
from resume.rewrite.relocate import codes_in


@pytest.mark.parametrize("module", [ast, collections, contextlib, difflib, textwrap])
def test_places_are_where_the_compiler_would_put_them(module):
    """Numbered, compiled and read back: the lines and columns of the plain code."""
    with open(module.__file__, "rb") as file:
        source = file.read()
    plain = compile(source, module.__file__, "exec", dont_inherit=True)
    tree, numbers = ast.parse(source), Numbering()
    numbers.number(tree)
    ours = compile(tree, module.__file__, "exec", dont_inherit=True)

    for expected, found in zip(codes_in(plain), codes_in(ours), strict=True):
        there = set(map(numbers.true_position, found.co_positions()))
        # Their order and number may differ: fewer instructions are merged than in one line.
        assert set() == set(failing_places(expected)) - there, expected.co_qualname


FAILING = ("CALL", "LOAD_ATTR", "LOAD_METHOD", "BINARY", "COMPARE", "GET_ITER", "RAISE", "UNPACK")


def failing_places(code):
    """Places of the instructions that a traceback may point at."""
    for unit, place in enumerate(code.co_positions()):
        if dis.opname[code.co_code[2 * unit]].startswith(FAILING):
            yield place


CHAIN = (
    "def f(x):\n    return (x\n        .upper()\n        .join([\n          'a'])\n        .real)\n"
)


def test_a_method_call_over_lines_stands_at_its_attribute():
    """As the compiler has it: the line of the name that is called."""
    code = rewrite(CHAIN, "<chain>", make_helpers()).code
    plain = compile(CHAIN, "<chain>", "exec")

    inner, expected = (
        next(c for c in codes_in(each) if c.co_name == "f") for each in (code, plain)
    )

    assert list(expected.co_positions()) == list(inner.co_positions())


def test_first_lines_are_those_of_the_source():
    """Of decorated functions, of classes, of lambdas, and of the value that 3.13 keeps."""
    source = (
        "def d(x): return x\n@d\n@d\nclass A:\n    @d\n    def f(self): pass\n"
        "    g = (\n      lambda: 1)\n    one = 1\n    two = 2\n    three = 3\n"
    )
    names: dict[str, object] = {"__name__": "m"}
    module = rewrite(source, "<p>", make_helpers())
    plain = compile(source, "<p>", "exec")

    exec(module.code, names)

    lines = [[code.co_firstlineno for code in codes_in(each)] for each in (plain, module.code)]
    assert lines[0] == lines[1]
    assert getattr(names["A"], "__firstlineno__", 2) == 2
    assert (names["A"].one, names["A"].two, names["A"].three) == (1, 2, 3)


def test_a_class_with_many_constants_keeps_its_line():
    """The number of constants does not fit into a byte."""
    source = "\n\nclass A:\n" + "".join(f"    x{n} = {n + 1000}\n" for n in range(300))
    names: dict[str, object] = {"__name__": "m"}

    exec(rewrite(source, "<p>", make_helpers()).code, names)

    assert names["A"].x299 == 1299
    assert getattr(names["A"], "__firstlineno__", 3) == 3


SMALL = "def f(x):\n    for i in g(x):\n        y = [h(j) for j in i]\n    return y\nf(1)\n"


def test_ids_are_the_same_on_every_python():
    """They follow from the tree alone, in the order of the source."""
    module = rewrite(SMALL, "<p>", make_helpers())

    found = {
        block: {number: place.kind.name for number, place in module.places(block).items()}
        for block in module.blocks
    }

    assert found == {
        0: {1: "STATEMENT", 9: "STATEMENT", 10: "CALL"},
        1: {2: "LOOP", 3: "CALL", 4: "STATEMENT", 5: "CALL", 8: "STATEMENT"},
        5: {7: "LOOP", 6: "CALL"},
    }


DUMP = """
import json, sys
sys.path.insert(0, sys.argv[1])
from rewriting import make_helpers
from resumable_programs import PROGRAMS
from resume.rewrite import rewrite
found = []
for source in PROGRAMS.values():
    module = rewrite(source, "<p>", make_helpers())
    for block in sorted(module.blocks):
        places = module.places(block).values()
        found.append([block, [[p.number, p.kind.name, p.line, p.iterator] for p in places]])
        if block in module.codes:
            found.append([module.codes[block].co_code.hex(), *module.codes[block].co_varnames])
print(json.dumps(found))
"""


def test_ids_and_code_are_the_same_in_any_process(tmp_path):
    """Hashes of strings differ between processes: nothing may hang on the order of a set."""
    found = set()
    for seed in ("1", "2"):
        done = subprocess.run(
            [sys.executable, "-c", DUMP, str(Path(__file__).parent)],
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": os.environ["PYTHONPATH"]},
            capture_output=True,
            text=True,
            check=True,
        )
        found.add(done.stdout)

    assert len(found) == 1
    assert len(json.loads(found.pop())) > 50


def test_residuals_keep_the_ids():
    """The instructions of a residual have ids of the block that it is the rest of."""
    module = rewrite(PROGRAMS["for, while, else, break, continue"], "<p>", make_helpers())
    block = next(n for n, b in module.blocks.items() if getattr(b.node, "name", "") == "main")
    call = next(p for p in module.places(block).values() if p.kind is Kind.CALL)
    code = module.residual(block, Suspension(call.number, Entry.CALL, ("n", "total", ".i1", "k")))

    there = {number for number in module.tables[id(code)].ids if number}
    whole = {number for number in module.tables[id(module.codes[block])].ids if number}
    assert there <= whole | {block}


@pytest.mark.parametrize("first", [1, 7])
def test_location_tables_are_read_back(first):
    """What is encoded is what `co_positions()` says."""
    wanted = [(7, 9, 0, 300), (7, 9, 0, 300), (3, 3, None, None), (None, None, None, None)]
    wanted += [(5000, 5000, 3, 4)] * 20
    code = compile("x = " + " + ".join("x" * 40), "<p>", "exec")
    count = len(code.co_code) // 2
    wanted = (wanted * count)[:count]

    made = code.replace(co_linetable=location_table(wanted, first), co_firstlineno=first)

    assert wanted == list(made.co_positions())


def test_a_file_with_too_many_statements_is_refused(monkeypatch):
    """The error says what to do."""
    monkeypatch.setattr(positions, "SILENT", 5)

    with pytest.raises(UnsupportedCodeError, match="split it"):
        rewrite("x = 1\n" * 10, "<p>", make_helpers())


def test_a_very_long_statement_keeps_its_first_lines():
    """Beyond the limit, lines are shown as the last one that fits."""
    source = "x = [\n" + "0,\n" * 5000 + "1/0]\n"
    module = rewrite(source, "<p>", make_helpers())

    lines = {line for *_, line in module.code.co_lines() if line}

    assert max(lines) <= 5003


def test_silent_code_has_no_line():
    """It raises no line events."""
    numbers = Numbering()

    assert numbers.meaning(SILENT) is None
    assert numbers.true_position((SILENT, SILENT, 0, 0)) == (None, None, None, None)
    assert SILENT < STRIDE


def test_code_objects_hold_helpers_as_constants():
    """No namespace shows them."""
    code = rewrite("def f(x):\n    for i in x: print(i)\n", "<p>", make_helpers()).code
    inner = next(c for c in code.co_consts if isinstance(c, types.CodeType))

    assert type in inner.co_consts
    assert [] == [name for name in inner.co_names if name.startswith(".")]


WITHOUT_COLUMNS = """
import sys
sys.path.insert(0, sys.argv[1])
from rewriting import every_stop, make_helpers
from resumable_programs import PROGRAMS
print(every_stop(PROGRAMS["closures"], stride=5)[0])
"""


def test_columns_may_be_switched_off():
    """Ids are lines: marks and positions work where the interpreter keeps no columns."""
    done = subprocess.run(
        [
            sys.executable,
            "-X",
            "no_debug_ranges",
            "-c",
            WITHOUT_COLUMNS,
            str(Path(__file__).parent),
        ],
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.stderr == ""
    assert int(done.stdout) > 20
