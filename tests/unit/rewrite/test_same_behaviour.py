"""The rewritten program behaves as the plain one, to all that can look at it."""

from __future__ import annotations

import dis
import inspect
import sys
import types

import pytest
from resumable_programs import PROGRAMS, SLOW
from rewriting import both, make_helpers, note_into, plain_log, run_code

from resume.rewrite import rewrite
from resume.rewrite.relocate import codes_in

INLINED = sys.version_info >= (3, 12)
"""Comprehensions have no frames of their own; those that may be suspended get one here."""


def events(code: types.CodeType, filename: str) -> list[object]:
    """What a tracer sees of the program."""
    seen: list[object] = []

    def trace(frame, event, arg):
        if frame.f_code.co_filename != filename:
            return None
        seen.append((event, frame.f_lineno, frame.f_code.co_name))
        return trace

    names = {"__name__": "program", "note": note_into([])}
    before = sys.gettrace()  # the coverage of all tests that follow hangs on it
    sys.settrace(trace)
    try:
        exec(code, names)
    except Exception as raised:
        seen.append(repr(raised))
    finally:
        sys.settrace(before)
    return seen


def both_events(source: str) -> tuple[list[object], list[object]]:
    plain = compile(source, "<program>", "exec", dont_inherit=True)
    ours = rewrite(source, "<program>", make_helpers()).code
    return events(plain, "<program>"), events(ours, "<program>")


@pytest.mark.parametrize("name", PROGRAMS)
def test_same_notes_in_the_same_order(name):
    """Output, order of evaluation and errors."""
    log: list[object] = []
    code = rewrite(PROGRAMS[name], "<program>", make_helpers()).code

    exec(code, {"__name__": "program", "log": log, "note": note_into(log)})

    assert plain_log(PROGRAMS[name]) == log


@pytest.mark.parametrize("name", PROGRAMS)
def test_same_events_for_a_tracer(name):
    """Calls, lines and returns, each with its line."""
    if INLINED and "omprehension" in PROGRAMS[name] + name:
        pytest.skip("what may be suspended in there needs a frame of its own")
    plain, ours = both_events(PROGRAMS[name])
    if INLINED and "[slow(i)]" in PROGRAMS[name]:
        plain, ours = ([e for e in each if "comp>" not in str(e)] for each in (plain, ours))

    assert plain == ours


MANY_LINES = (
    SLOW
    + """
def f(a):
    with open("/dev/null") as x, open(
        "/dev/null"
    ) as y:
        slow(1)
    for q in slow(
        [1,
         2]
    ):
        if q == 1:
            continue
        slow(q)
    for z in slow([1]): pass
    while a and slow(
        a):
        a -= 1
        if (slow(1) and
            slow(2) or
            slow(3)):
            break
    try:
        for i in slow([1, 2]):
            break
    finally:
        slow(2)
    r = (slow(1)
        + slow(2)
        + slow(3))
    d = {slow(1): slow(2),
         slow(3):
            slow(4)}
    d[slow(
      5)] = slow(
      6)
    d[slow(5)] += slow(
       7)
    if a:
        for i in slow([3]):
            slow(i)
    else:
        with open("/dev/null"):
            slow(3)
def last_is_a_loop():
    for i in slow([1, 2]):
        if i == 2: break
def returns_inside():
    with open("/dev/null"):
        return slow(1)
def leaves_a_with():
    for i in slow([1, 2]):
        with open("/dev/null"):
            if i == 1: continue
            break
def handles():
    try:
        slow(1)
        raise ValueError
    except ValueError:
        slow(2)
    match slow((1, 2)):
        case (1, b) if b:
            slow(b)
f(2); last_is_a_loop(); returns_inside(); leaves_a_with(); handles()
"""
)


def test_same_events_over_many_lines():
    """Statements over several lines, and several ends of loops and `with`."""
    plain, ours = both_events(MANY_LINES)

    assert plain == ours


FAILING = {
    "call": "def f(x):\n    return slow(1) + slow(2) * x.missing\nf(slow(3))\n",
    "argument": "def f(x):\n    return slow(slow(1), 1 / x)\nf(0)\n",
    "method over lines": (
        "def f(x):\n    return (slow(x)\n        .upper()\n        .nothing(slow(1),\n"
        "        2))\nf('a')\n"
    ),
    "not iterable": "def f(x):\n    for i in slow(x):\n        pass\nf(5)\n",
    "module loop": "for i in slow(5):\n    pass\n",
    "not iterable, over lines": "def f(x):\n    for i in (\n      slow(x)):\n        pass\nf(5)\n",
    "no context manager": "def f(x):\n    with slow(x) as y:\n        pass\nf(5)\n",
    "augmented": "def f(x):\n    x.a += slow(1)\nf(slow)\n",
    "augmented item": "def f(x):\n    x['k'] += slow(1)\nf({'k': 'a'})\n",
    "item": "def f(x):\n    x[slow(1)] = slow(2)\nf(())\n",
    "handler": (
        "def f(x):\n    try:\n        slow(1 / x)\n    except ZeroDivisionError:\n"
        "        raise KeyError(slow(2))\nf(0)\n"
    ),
    "bare handler": "def f(x):\n    try:\n        slow(1 / x)\n    except:\n        raise\nf(0)\n",
    "generator": "def f(x):\n    yield slow(x)\n    yield from slow(x)\nlist(f(1))\n",
    "generator expression": "def f(x):\n    g = (1 / slow(i) for i in [1, x])\n    list(g)\nf(0)\n",
    "super": (
        "class A:\n    def f(self):\n        return super().missing(slow(1))\nA().f()\n"
    ),
    "super without self": "class A:\n    def f():\n        return super().x(slow(1))\nA.f()\n",
    "unbound": "def f():\n    slow(x)\n    x = 1\nf()\n",
    "assert": "def f(x):\n    assert slow(x), slow('text')\nf(0)\n",
    "unpack": "def f(x):\n    a, b = slow(x)\nf([1])\n",
    "chain": "def f(x):\n    return 1 < slow(2) < slow(x) < slow(4)\nf('a')\n",
    "f-string": "def f(x):\n    return f'{slow(1)} {slow(x):d}'\nf('a')\n",
    "recursion": "def f(x):\n    return slow(x) + f(x - 1) if x else 1 / x\nf(3)\n",
    "context": (
        "def f(x):\n    try:\n        try:\n            1 / x\n        finally:\n"
        "            slow(1)\n            [][x]\n    except IndexError as e:\n"
        "        raise TypeError(slow(1)) from e\nf(0)\n"
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", FAILING)
def test_same_traceback(name, tmp_path):
    """Lines, carets and text of errors."""
    source = "def slow(x, *more):\n    for _ in range(1):\n        pass\n    return x\n"

    plain, ours = both(source + FAILING[name], tmp_path / "failing.py")

    assert plain.error is not None
    assert plain.error == ours.error


@pytest.mark.skipif(INLINED, reason="a comprehension that may be suspended has a frame here")
def test_same_traceback_of_a_comprehension(tmp_path):
    """A hidden function shows the name that CPython gives it."""
    source = (
        "def f(x):\n    for i in x: pass\n    return 1 / x[0]\nr = [f(i) for i in [[1], [0]]]\n"
    )

    plain, ours = both(source, tmp_path / "failing.py")

    assert "<listcomp>" in (ours.error or "")
    assert plain.error == ours.error


LOOKS = (
    SLOW
    + '''
import inspect, sys
class A:
    """Doc."""
    def m(self, x):
        """Method's doc."""
        for i in slow([x]):
            yield i
    @staticmethod
    def s():
        return [c.cell_contents for c in A.closure.__closure__]
def f(a, *, b=2):
    "doc"
    here = [n for n in locals()]
    note(sorted(here), sorted(vars()), dir())
    for i in slow([1]):
        note(sorted(locals()), sorted(vars()), dir(), sorted(locals()) == sorted(locals()))
        there = [[n for n in locals()], sorted(n for n in vars()), {n: 1 for n in dir()}]
        note(there, [sorted(locals()) for _ in [1]])
    inner = lambda q: slow(q)
    note(inner.__name__, inner.__qualname__, inner.__code__.co_qualname)
    gen = (slow(i) for i in [1])
    note(gen.__name__, gen.__qualname__, gen.gi_code.co_name, gen.gi_code.co_qualname)
    comp = [(lambda: slow(i)) for i in slow([1])]
    note(comp[0].__qualname__, sys._getframe().f_code.co_qualname)
    return slow(a)
f(1)
for each in (f, A.m, A.s, A, slow):
    note(inspect.getsource(each), each.__name__, each.__qualname__, each.__doc__)
note(inspect.signature(f), f.__code__.co_argcount, f.__code__.co_firstlineno)
note(sorted(n for n in globals() if n != "__builtins__"))
for k in slow([1]):
    note(k, [n for n in dir() if n != "__builtins__"])
note(sorted(n for n in dir() if n != "__builtins__"))
'''
)


def test_same_looks(tmp_path):
    """Source, names, docstrings, signatures, and what `locals()`, `vars()` and `dir()` give."""
    logs = ([], [])
    path = tmp_path / "looks.py"
    path.write_text(LOOKS)
    codes = (
        compile(LOOKS, str(path), "exec", dont_inherit=True),
        rewrite(LOOKS, str(path), make_helpers()).code,
    )
    for code, log in zip(codes, logs, strict=True):
        module = types.ModuleType("looks")
        module.__dict__.update(__file__=str(path), note=note_into(log))
        sys.modules["looks"] = module
        exec(code, module.__dict__)
    sys.modules.pop("looks")

    assert len(logs[0]) > 10
    assert [str(line) for line in logs[0]] == [str(line) for line in logs[1]]


def test_no_name_of_ours_is_left():
    """Behind a statement its hidden names are gone; the module's namespace is the program's."""
    code = rewrite(PROGRAMS["operands"], "<program>", make_helpers()).code

    outcome = run_code(code, __import__("pathlib").Path("x"), note=lambda *values: None)

    assert [] == [name for name in outcome.names if name.startswith(".")]


def test_an_iterator_goes_when_its_loop_ends():
    """A generator left by `break` is closed there, and an exhausted one before the `else`."""
    source = (
        "def g(n):\n    try:\n        for i in range(n): yield i\n"
        "    finally:\n        note('closed')\n"
        "def f(n):\n    for i in g(n):\n        if i: break\n    else:\n        note('else')\n"
        "    note('behind')\nf(3)\nf(1)\n"
    )
    log: list[object] = []

    exec(rewrite(source, "<p>", make_helpers()).code, {"note": note_into(log)})

    assert log == plain_log(source) == ["closed", "behind", "closed", "else", "behind"]


def test_an_iterator_goes_when_an_exception_leaves_its_loop():
    """It is closed before the handler's own statements run."""
    source = (
        "def g():\n    try:\n        yield 1\n    finally:\n        note('closed')\n"
        "def f():\n    try:\n        for i in g(): raise KeyError(i)\n"
        "    except KeyError: note('handler')\nf()\n"
    )
    log: list[object] = []

    exec(rewrite(source, "<p>", make_helpers()).code, {"note": note_into(log)})

    assert log == plain_log(source) == ["closed", "handler"]


def test_operands_go_when_the_expression_ends():
    """A temporary object is finalized before the next statement."""
    source = SLOW + (
        "class T:\n    def __init__(self, n): self.n = slow(n)\n"
        "    def __del__(self): note('del')\n"
        "def f():\n    note(T(1).n + slow(2))\n    note('next')\n"
        "    with open('/dev/null') as x:\n        slow(T(2).n, slow(3))\n        note('more')\n"
        "f()\n"
    )
    log: list[object] = []

    exec(rewrite(source, "<p>", make_helpers()).code, {"note": note_into(log)})

    assert log == plain_log(source)


def test_operands_go_without_instructions_that_do_nothing():
    """What is left of dropping them is jumped over: recursion in operators is common."""
    source = "def f(n):\n    return n if n < 2 else f(n - 1) + f(n - 2) * f(n - 3)\n"
    made = rewrite(source, "file.py", make_helpers()).code

    code = next(code for code in codes_in(made) if code.co_name == "f")
    found = [each.opname for each in dis.get_instructions(code)]
    behind = [found[at + 1] for at, name in enumerate(found) if name == "DELETE_FAST"]

    assert set(behind) <= {"DELETE_FAST", "JUMP_FORWARD"}
    assert "JUMP_FORWARD" in behind
    plain, ours = {}, {}
    exec(source, plain)
    exec(made, ours)
    assert ours["f"](9) == plain["f"](9)


def test_operands_go_among_many_constants_and_names():
    """Their instructions, and that of the constant before them, have arguments beyond a byte."""
    lines = [f"v{k} = {k}.5" for k in range(300)]
    long = "def g(a):\n    for _ in a: pass\n    return len(a)\n"
    source = "\n".join([*lines, f"{long}x = g([1]) + g([1, 2]) * g([1, 2, 3])\n"])
    made = rewrite(source, "file.py", make_helpers()).code
    assert made.co_consts.index(None) > 255

    names = {}
    exec(made, names)

    assert (names["x"], names["v7"], names["v299"]) == (7, 7.5, 299.5)
    assert not [name for name in names if name.startswith(".")]


def test_futures_and_docstrings_hold():
    """`from __future__` stays first and in force; the module's docstring too."""
    source = '"Doc."\nfrom __future__ import annotations\ndef f(x: missing) -> int: pass\n'
    names: dict[str, object] = {}

    exec(rewrite(source, "<p>", make_helpers()).code, names)

    assert names["__doc__"] == "Doc."
    assert names["f"].__annotations__ == {"x": "missing", "return": "int"}


def test_frames_show_the_module_and_the_line(tmp_path):
    """What `inspect` says of a caller."""
    source = (
        "import inspect\ndef f():\n    for i in [1]:\n        return inspect.stack()[0]\nr = f()\n"
    )

    plain, ours = both(source, tmp_path / "frames.py")

    assert plain.names["r"][1:] == ours.names["r"][1:]
    assert inspect.isframe(ours.names["r"].frame)
