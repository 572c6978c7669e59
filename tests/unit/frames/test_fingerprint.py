"""Digests of code change when it does something else, and only then."""

from __future__ import annotations

import linecache
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from resume.frames import fingerprint, source_digest, source_of

BASE = """
def f(xs, *, k=2):
    total = 0
    for x in xs:
        if x in {"a", "b", "c", "d"}:
            total += x * k
    def inner():
        return total
    return inner
"""


def code_of(source):
    space = {}
    exec(textwrap.dedent(source), space)
    return space["f"].__code__


SAME = {
    "comments": BASE.replace("total = 0", "total = 0  # start\n    # more"),
    "blank lines": BASE.replace("\n    for", "\n\n\n    for"),
    "moved down": "\n\n\n" + BASE,
    "docstring": BASE.replace("    total = 0", '    """What it does."""\n    total = 0'),
    "inner docstring": BASE.replace("        return total", '        "Doc."\n        return total'),
    "layout": BASE.replace("total += x * k", "total += (\n                x *\n                k)"),
}
OTHER = {
    "constant": BASE.replace("total = 0", "total = 1"),
    "type of constant": BASE.replace("total = 0", "total = 0.0"),
    "equal constant": BASE.replace("total = 0", "total = False"),
    "operator": BASE.replace("x * k", "x + k"),
    "name": BASE.replace("total", "result"),
    "argument": BASE.replace("f(xs, *, k=2)", "f(xs, k=2)"),
    "nested code": BASE.replace("return total", "return -total"),
    "set": BASE.replace('"d"', '"e"'),
    "order": BASE.replace("return inner\n", "print()\n    return inner\n"),
}


@pytest.mark.parametrize("digest", [lambda s: fingerprint(code_of(s)), source_digest])
@pytest.mark.parametrize("case", SAME)
def test_what_does_not_matter(case, digest):
    """Comments, layout, line numbers and docstrings do not change a digest."""
    assert digest(SAME[case]) == digest(BASE)


@pytest.mark.parametrize("digest", [lambda s: fingerprint(code_of(s)), source_digest])
@pytest.mark.parametrize("case", OTHER)
def test_what_matters(case, digest):
    """Everything that the code does is in the digest."""
    assert OTHER[case] != BASE
    assert digest(OTHER[case]) != digest(BASE)


def test_defining_a_class_elsewhere_does_not_matter():
    """3.13 stores the line of a class in its body."""
    body = "def f():\n    class C:\n        'doc'\n        a = 1\n    return C"
    moved = "\n\n\n" + body.replace("    class", "\n    class").replace("'doc'", "'other'")

    assert fingerprint(code_of(body)) == fingerprint(code_of(moved))


def test_names_of_keyword_arguments_matter():
    """3.11 and 3.12 keep them in an instruction that `dis` does not resolve."""
    assert fingerprint(code_of("def f(): g(a=1)")) != fingerprint(code_of("def f(): g(b=1)"))


def test_fingerprint_is_the_same_in_every_process(tmp_path):
    """Constant sets iterate in the order of the hash seed; the fingerprint does not show it."""
    program = tmp_path / "program.py"
    program.write_text(
        f"from resume.frames import fingerprint\n{BASE}\nprint(fingerprint(f.__code__))"
    )
    root = Path(__file__).resolve().parents[3]

    digests = {
        subprocess.run(
            [sys.executable, str(program)],
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": str(root), "PYTHONDONTWRITEBYTECODE": "1"},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2", "3")
    }

    assert digests == {fingerprint(code_of(BASE)) + "\n"}


def test_source_of_functions():
    """The text as written, dedented, with its decorators."""

    def plain(a):
        return a  # why

    assert source_of(plain.__code__) == "def plain(a):\n    return a  # why\n"
    assert source_of(SAMPLE) == "SAMPLE = (lambda: 0).__code__\n"


SAMPLE = (lambda: 0).__code__


def test_source_of_a_module(tmp_path):
    """Code of a whole file is the file."""
    path = tmp_path / "program.py"
    path.write_text("a = 1\n")

    assert source_of(compile("a = 1\n", str(path), "exec")) == "a = 1\n"


def test_no_source():
    """`exec` and a prompt leave none."""
    assert source_of(code_of(BASE)) is None
    assert source_of(compile("a = 1", "<stdin>", "exec")) is None


def test_source_that_is_not_this_code(tmp_path):
    """A file edited since it was imported shows other lines: no text is better than wrong text."""
    path = tmp_path / "program.py"
    path.write_text("def f():\n    return 1\n")
    space = {}
    exec(compile(path.read_text(), str(path), "exec"), space)
    assert source_of(space["f"].__code__) == "def f():\n    return 1\n"

    path.write_text("import sys\n\n\ndef g():\n    return 1\n")
    linecache.checkcache(str(path))

    assert source_of(space["f"].__code__) is None


def test_source_that_is_no_statement():
    """The line of a lambda may be half a call: it counts as it stands."""
    assert source_digest("key=lambda x: -x)") == source_digest("  key=lambda x: -x)\n")
    assert source_digest("key=lambda x: -x)") != source_digest("key=lambda x: x)")


def test_source_digest_is_the_same_on_every_version():
    """Known values: a state saved on one Python is recognised by another."""
    assert source_digest(BASE)[:16] == EXPECTED_BASE
    assert source_digest("x = f'{a!r:>{b}} c'; y = b'\\0', 1j, ..., -0.0")[:16] == EXPECTED_MIXED


EXPECTED_BASE = "5434da175fd03479"
EXPECTED_MIXED = "105fffb687264be2"
