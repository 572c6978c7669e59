"""A function cut out of its module: what around it counts, and what does not."""

from __future__ import annotations

import ast

import pytest
from rewriting import make_helpers

from resume.rewrite import Source, cut_out
from resume.rewrite.relocate import codes_in

MODULE = """
from __future__ import annotations
import numpy as np, json
try:
    import tools.parts as parts
except ImportError:
    from fallback import parts
from . import near

def other(n):
    return n

class Outer:
    class Inner(dict):
        limit = 3

        @mark(1)
        def work(self, n: int = other(3)) -> str:
            "Works."
            for i in range(n):
                self.__hidden = np.sum(parts.use(i)) + super().size
            return near.told(self.__hidden)

def maker(a, b=2):
    def inner(n):
        return a + n
    return inner
"""


def codes(text, name):
    whole = compile(text, "<m>", "exec", dont_inherit=True)
    return [code for code in codes_in(whole) if code.co_name == name]


def cut(text, name, foreign=("numpy",)):
    source = Source(text, "<m>")
    found = cut_out(source, codes(text, name)[0], lambda module, level: module in foreign)
    assert found is not None
    return found


def dumped(single):
    return ast.dump(single.copied_tree())


def test_a_function_is_cut_out_with_its_classes():
    """And compiles to what it compiled to in its module: names, lines, private names."""
    found = cut(MODULE, "work")

    assert found.qualname == "Outer.Inner.work"
    assert found.first_line == MODULE[: MODULE.index("@mark")].count("\n") + 1
    assert found.text.startswith("        @mark(1)\n")
    assert found.text.endswith("told(self.__hidden)\n")
    made = found.rewritten("<m>", make_helpers())
    (code,) = [each for each in made.codes.values() if each.co_name == "work"]
    plain = codes(MODULE, "work")[0]
    assert (code.co_qualname, code.co_firstlineno) == (plain.co_qualname, plain.co_firstlineno)
    assert code.co_freevars == plain.co_freevars == ("__class__",)
    assert "_Inner__hidden" in code.co_names


def test_a_function_within_another_comes_with_all_of_it():
    """They share variables."""
    found = cut(MODULE, "inner")

    assert found.qualname == "maker"
    assert found.text.startswith("def maker")


@pytest.mark.parametrize(
    ("old", "new", "same"),
    [
        ("def other(n):\n    return n", "def other(n):\n\n    return n + 1", True),
        ("limit = 3", "limit = 4; more = 5", True),
        ("import numpy as np, json", "import os, numpy as np", True),
        ("(dict)", "(list)", True),
        ("@mark(1)", "@mark(2)", True),
        ("other(3)", "5", True),
        ("n: int", "n: float", True),
        ("-> str", "-> list", True),
        ("import tools.parts", "import other.parts", False),
        ("range(n)", "range(n + 1)", False),
        ("self, n:", "self, m:", False),
    ],
)
def test_what_counts_as_the_same_function(old, new, same):
    """Decorators, defaults, annotations and what is around it do not count."""
    edited = MODULE.replace(old, new)

    assert edited != MODULE
    assert (dumped(cut(MODULE, "work")) == dumped(cut(edited, "work"))) is same


def test_which_modules_are_the_programs_own():
    """Calls of what comes from them may last, so they are kept apart from libraries."""
    assert cut(MODULE, "work").own == ("", "fallback", "tools")
    assert cut(MODULE, "work", ("numpy", "fallback", "tools.parts")).own == ("",)
    assert dumped(cut(MODULE, "work")) != dumped(cut(MODULE, "work", ("numpy", "tools.parts")))


def test_another_source_is_told():
    """None is found where no function of that line compiles to the code."""
    code = codes(MODULE, "work")[0]
    source = Source(MODULE.replace("range(n)", "range(n + 1)"), "<m>")

    assert cut_out(source, code, lambda *_: True) is None
