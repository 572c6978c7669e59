"""What is decided before a script starts: its words, its modules, their code."""

from __future__ import annotations

import ast
import gc
import os
import sys
from pathlib import Path

import pytest

from resume.errors import ConfigError, UnsupportedCodeError
from resume.rewrite import Helpers, rewrite
from resume.rewrite.relocate import codes_in
from resume.script.command import OPTIONS, READ, SWITCHES, read_words, with_environment
from resume.script.kept import Kept, digest, packed, unpacked
from resume.script.modules import Modules
from resume.script.options import BUILTINS, NoSaving, RunOptions
from resume.script.parsing import imports_of, refuse_async
from resume.script.reach import file_of, is_beside
from resume.script.rewriting import Rewriting, read_source

HELPERS = NoSaving(RunOptions("script.py")).helpers()

SCRIPT = """
import near, json
from pkg import inner

class Stack:
    def __init__(self, items):
        self.items = [near.double(item) for item in items]
    def __iter__(self):
        yield from self.items

def main(path, *rest, depth=3):
    total = 0
    for line in open(path):
        with open(path) as file:
            total += inner.measure(file.readline(), lambda text: near.double(len(text)))
    return total, [x for x in Stack([1, 2])], sorted(rest, key=near.double), depth

result = main(__file__)
"""
NEAR = "def double(x):\n    for _ in range(1):\n        x = x + x\n    return x\n"
INNER = "def measure(text, key):\n    return sum([key(word) for word in text.split()])\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A script with modules beside it, and a cache of its own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / ".cache"))
    (tmp_path / "pkg").mkdir()
    (tmp_path / "script.py").write_text(SCRIPT)
    (tmp_path / "near.py").write_text(NEAR)
    (tmp_path / "pkg" / "__init__.py").write_text("from . import inner\n")
    (tmp_path / "pkg" / "inner.py").write_text(INNER)
    return tmp_path


def rewriting_of(folder: Path) -> Rewriting:
    return Rewriting(str(folder / "script.py"), str(folder), HELPERS)


# -- words


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("a.py", RunOptions("a.py")),
        ("a.py --rate 5 -m x", RunOptions("a.py", ("--rate", "5", "-m", "x"))),
        ("--rate 5m a.py", RunOptions("a.py", rate="5m")),
        ("--rate=90 --name n -- -a.py -x", RunOptions("-a.py", ("-x",), rate="90", name="n")),
        ("--fresh --keep 7 a.py", RunOptions("a.py", fresh=True, keep=7)),
        ("--on-change restart a.py", RunOptions("a.py", on_change="restart")),
        ("--dir f/g a.py", RunOptions("a.py", folder="f/g")),
        ("--rate auto --max-loss 1h a.py", RunOptions("a.py", rate="auto", max_loss="1h")),
        ("--max-overhead=.05 a.py", RunOptions("a.py", max_overhead=0.05)),
        ("--iterations 5 --at-start a.py", RunOptions("a.py", iterations=5, at_start=True)),
        ("--on-save-error raise a.py", RunOptions("a.py", on_save_error="raise")),
        ("--signals TERM,USR1 a.py", RunOptions("a.py", signals="TERM,USR1")),
        ("--signals none --exit-code 0 a.py", RunOptions("a.py", signals="none", exit_code=0)),
        ("--watch gcp --requeue slurm a.py", RunOptions("a.py", watch="gcp", requeue="slurm")),
        ("--deadline 2h --before-end 1m a.py", RunOptions("a.py", deadline="2h", before_end="1m")),
        ("--fresh -m p.q -m x", RunOptions("p.q", ("-m", "x"), is_module=True, fresh=True)),
        ("-mp.q x", RunOptions("p.q", ("x",), is_module=True)),
    ],
)
def test_words_before_the_script_are_ours_and_the_others_its_own(words, expected):
    assert read_words(words.split()) == expected


@pytest.mark.parametrize(
    "words",
    ["", "-", "--", "-m", "--fresh", "--rate", "--rate x a.py", "--keep -1 a.py", "-x a.py"],
)
def test_words_that_make_no_sense_are_refused(words):
    with pytest.raises(ConfigError):
        read_words(words.split())


@pytest.mark.parametrize(
    "option",
    [
        "--rate=x",
        "--max-loss=auto",
        "--max-overhead=2",
        "--max-overhead=much",
        "--iterations=0",
        "--iterations=x",
        "--on-save-error=ignore",
        "--on-change=continue",
        "--keep=0",
        "--signals=KILL",
        "--signals=NONE,OF,THESE",
        "--exit-code=256",
        "--exit-code=-1",
        "--requeue=pbs",
        "--watch=ibm",
        "--deadline=soon",
        "--before-end=soon",
    ],
)
def test_a_value_that_makes_no_sense_is_named(option):
    with pytest.raises(ConfigError) as refused:
        read_words([option, "a.py"])

    name, _, value = option.partition("=")
    assert str(refused.value).startswith(f"{name}")
    assert repr(value) in str(refused.value) or value in str(refused.value)


def test_every_option_is_read_and_told():
    """None that is told is unknown, none that is known is not told."""
    assert set(OPTIONS) == {*READ, *SWITCHES}
    assert {field for field, _ in READ.values()} <= set(RunOptions._fields)


def test_the_environment_stands_in_for_an_option_that_is_not_there(monkeypatch):
    monkeypatch.setenv("RESUME_SIGNALS", "USR1")
    monkeypatch.setenv("RESUME_EXIT_CODE", "85")
    found = with_environment(read_words(["--exit-code", "0", "a.py"]))
    assert found == RunOptions("a.py", signals="USR1", exit_code=0)
    assert with_environment(RunOptions("a.py")).exit_code == 85

    monkeypatch.setenv("RESUME_EXIT_CODE", "a lot")
    with pytest.raises(ConfigError, match="RESUME_EXIT_CODE cannot be 'a lot'"):
        with_environment(RunOptions("a.py"))
    monkeypatch.setenv("RESUME_SIGNALS", "KILL")
    with pytest.raises(ConfigError, match="RESUME_SIGNALS='KILL': SIGKILL cannot be answered"):
        with_environment(RunOptions("a.py"))


# -- which files


def test_only_files_of_the_folder_are_beside(tmp_path):
    """Not the standard library's, ours, or those of an environment, even below the folder."""
    inside = ["a.py", "deep/down/a.py"]
    outside = ["env/lib/site-packages/a.py", "dist-packages/a.py", "../a.py"]

    assert all(is_beside(str(tmp_path / name), str(tmp_path)) for name in inside)
    assert not any(is_beside(str(tmp_path / name), str(tmp_path)) for name in outside)
    assert not is_beside(ast.__file__, "/")
    assert not is_beside(sys.modules["resume.errors"].__file__ or "", "/")
    assert is_beside("/somewhere/a.py", "/")


def test_a_module_is_found_as_the_importer_finds_it(tmp_path):
    """A package wins over a module of its name; a folder without `__init__` is no file."""
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "__init__.py").touch()
    (tmp_path / "a.py").touch()
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "c.py").touch()

    assert file_of("a", str(tmp_path)) == str(tmp_path / "a" / "__init__.py")
    assert file_of("b.c", str(tmp_path)) == str(tmp_path / "b" / "c.py")
    assert file_of("b", str(tmp_path)) is None


def test_imports_are_found_wherever_they_stand():
    """In functions and conditions, relative to the package, with the packages on the way."""
    text = """
import a, b.c as d
from e import f
def g():
    from . import h
    from ..i import j
"""
    found = set(imports_of(ast.parse(text), "top.middle"))

    assert {"a", "b", "b.c", "e", "e.f", "top.middle.h", "top.i", "top.i.j"} <= found


@pytest.mark.parametrize(
    ("text", "is_refused"),
    [
        ("import asyncio\nasync def f(): pass\nasyncio.run(f())", True),
        ("from asyncio import run as go, run\nasync def f(): pass\nrun(f())", True),
        ("import asyncio as a\nasync def f(): pass\na.get_event_loop().run_forever()", True),
        ("import trio\nasync def f(): pass\nif __name__: trio.run(f)", True),
        ("import subprocess\nasync def f(): pass\nsubprocess.run([])", False),
        ("import asyncio\nasyncio.run", False),
        ("import asyncio\nasync def f(): pass\ndef run(): pass", False),
    ],
)
def test_an_async_script_is_one_that_starts_an_event_loop(text, is_refused):
    tree = ast.parse(text)
    if is_refused:
        with pytest.raises(UnsupportedCodeError, match=r"line 3: an async script .*Checkpoint"):
            refuse_async(tree, "script.py")
    else:
        refuse_async(tree, "script.py")


# -- their code


def test_code_comes_back_from_bytes_with_its_helpers():
    """New objects each time, equal to what the rewriter made, holding the very same helpers."""
    made = rewrite(SCRIPT, "script.py", Helpers(**HELPERS)).code
    names = {**HELPERS, **BUILTINS}
    one, other = (unpacked(packed(made, names), names) for _ in range(2))

    assert one == made
    assert one is not other
    held = [value for code in codes_in(one) for value in code.co_consts]
    assert any(value is HELPERS["iterate"] for value in held)
    assert any(value is HELPERS["types"] for value in held)


def test_tables_are_made_again_for_the_code_that_runs(folder):
    """Each piece of the running code, kept or new, has the table that the rewriter gives it."""
    for _ in range(2):
        rewriting = rewriting_of(folder)
        source = read_source("__main__", str(folder / "script.py"))
        rewriting.reach(source)
        code = rewriting.code(source)
        assert code is not None
        made = rewriting.again(source, code)
        fresh = rewriting._rewritten(source, rewriting._made[source][1])

        running = list(codes_in(code))
        assert made.code is code
        assert set(made.tables) == {id(each) for each in running}
        for each, twin in zip(running, codes_in(fresh.code), strict=True):
            table, expected = made.tables[id(each)], fresh.tables[id(twin)]
            assert table.code is each
            assert (table.block, table.ids) == (expected.block, expected.ids)
            assert made.starts(each) == fresh.starts(twin)
        assert {number: id(each) for number, each in made.codes.items()} == {
            number: id(running[list(codes_in(fresh.code)).index(each)])
            for number, each in fresh.codes.items()
        }


def test_calls_into_modules_that_are_met_are_no_quiet_ones(folder):
    """`near.double` has a loop: a call of it is a place where the program can be gone on from."""
    source = read_source("__main__", str(folder / "script.py"))
    together = rewriting_of(folder)
    together.reach(source)
    code = together.code(source)
    assert code is not None
    made = together.again(source, code)
    calls = {
        (place.callee.root, *place.callee.attributes)
        for block in made.blocks
        for place in made.places(block).values()
        if place.callee is not None
    }

    assert ("near", "double") in calls
    assert ("inner", "measure") in calls


def test_the_collector_is_on_again_behind_the_rewriting(folder):
    """Also where the source cannot be rewritten."""
    rewriting_of(folder).reach(read_source("__main__", str(folder / "script.py")))
    assert gc.isenabled()

    (folder / "script.py").write_text("x = (")
    with pytest.raises(SyntaxError):
        rewriting_of(folder).reach(read_source("__main__", str(folder / "script.py")))
    assert gc.isenabled()


def test_a_module_that_is_met_late_joins_and_can_be_loaded_again(folder):
    """Its code is made for what is known by then; a reload gets the code whose frames may live."""
    modules = Modules(rewriting_of(folder))
    main = read_source("__main__", str(folder / "script.py"))
    modules.rewriting.reach(main)
    names: dict[str, object] = {}
    modules.take("__main__", main, names)
    (folder / "late.py").write_text(NEAR)
    late = read_source("late", str(folder / "late.py"))
    program = modules.program()
    code = modules.take("late", late, names)
    again = modules.take("late", late, names)

    assert code is again
    assert code is not None
    assert {module.name for module in program} == {"__main__", "late"}
    assert program.find(next(iter(codes_in(code)))) is not None
    assert modules.program() is program


@pytest.mark.parametrize("text", ["x = (", "x = 1\0"])
def test_a_module_that_is_none_stays_what_it_is(folder, text):
    """Its import says what is wrong with it."""
    (folder / "late.py").write_text(text)
    rewriting = rewriting_of(folder)

    assert rewriting.code(read_source("late", str(folder / "late.py"))) is None


def test_a_module_too_large_stays_plain_and_a_script_is_refused(folder, monkeypatch):
    """Half a million calls: the module runs as it is, the script is told so before it starts."""
    from resume.rewrite import positions

    monkeypatch.setattr(positions, "SILENT", 40)
    rewriting = rewriting_of(folder)
    (folder / "late.py").write_text("def f(x): return f(x)\n" * 30)
    assert rewriting.code(read_source("late", str(folder / "late.py"))) is None
    with pytest.raises(UnsupportedCodeError, match="split it into modules"):
        rewriting.reach(read_source("__main__", str(folder / "late.py")))


def test_what_is_kept_is_found_only_for_the_same_text_and_program(folder):
    """Another text, another program, another rewriter: nothing is found."""
    rewriting_of(folder).reach(read_source("__main__", str(folder / "script.py")))
    path, data = str(folder / "near.py"), NEAR.encode()
    kept = Kept(str(folder / "script.py"))
    found = kept.load(path, data)

    assert found is not None
    assert found.code
    assert kept.load(path, data + b"#") is None
    assert Kept("other").load(path, data) is None
    kept._tag = (*kept._tag, "newer")
    assert kept.load(path, data) is None
    assert len(digest(data)) == 16


def test_files_of_the_cache_are_the_users_alone(folder):
    """Nobody else can read or write what will run."""
    rewriting_of(folder).reach(read_source("__main__", str(folder / "script.py")))
    cache = folder / ".cache" / "resume" / "code"

    assert len(list(cache.iterdir())) == 4
    assert cache.stat().st_mode & 0o077 == 0
    assert all(os.stat(path).st_mode & 0o077 == 0 for path in cache.iterdir())
