"""What definitions evaluate when they run again is told from the tree, before anything runs."""

from __future__ import annotations

import pytest
from rewriting import make_helpers

from resume.rewrite import Evaluated, rewrite


def evaluated(source: str) -> list[Evaluated]:
    return list(rewrite(source, "<program>", make_helpers()).evaluated(None))


BODIES = {
    "size = n": ({"n"}, {"n"}),
    "size = n\n    other = size": ({"n"}, {"n", "size"}),
    "rows = [k * n for k in more]": ({"n", "more"}, {"k", "n", "more"}),
    "def go(self, k=n): return later": (set(), set()),
    "@n\n    def go(self, k=more): return later": ({"n", "more"}, {"n", "more"}),
    "def go(self, k: n) -> more: return later": (set(), {"n", "more"}),
    "make = lambda: n": (set(), set()),
    "make = lambda self, k=n, *, j=more: k + later": ({"n", "more"}, {"n", "more"}),
    "if n:\n        @more\n        def go(self, k=size): return later": (
        set(),
        {"n", "more", "size"},
    ),
    "if n:\n        class In(more):\n            size = other": (set(), {"n", "more", "other"}),
    "class In(n):\n        size = more": ({"n", "more"}, {"n", "more"}),
    "try:\n        size = n\n    except NameError:\n        size = more": (
        set(),
        {"n", "more", "NameError"},
    ),
    "size: n = 1": ({"n"}, {"n"}),
    "pass": (set(), set()),
}


@pytest.mark.parametrize("body", BODIES)
def test_the_body_of_a_class_needs_what_it_reads_itself(body):
    found = evaluated(f"class Sized:\n    {body}\n")

    needs, reads = BODIES[body]
    assert needs == {name for each in found for name in each.needs}
    assert reads == {name for each in found for name in each.reads}


HEADS = {
    "class A(n): pass": {"n"},
    "class A(metaclass=n): pass": {"n"},
    "@n\nclass A: pass": set(),
    "def a(k=n): pass": set(),
    "@n\ndef a(k): pass": set(),
    "def a(*k: n, **j: n) -> n: pass": set(),
    "if n:\n    def a(): pass\n    class B(more): pass": {"n"},
    "try:\n    import n\nexcept more:\n    n = None": set(),
    "T = TypeVar('T', bound=n)": {"TypeVar", "n"},
}


@pytest.mark.parametrize("statement", HEADS)
def test_only_what_is_evaluated_for_certain_is_needed(statement):
    found = evaluated(f"{statement}\n")

    assert HEADS[statement] == {name for each in found for name in each.needs}


def test_annotations_that_are_texts_need_nothing():
    """Names for type checkers alone need not be there."""
    (found,) = evaluated(
        "from __future__ import annotations\n"
        "class Sized(base):\n"
        "    size: Missing = n\n"
        "    other: Missing\n"
        "    def go(self, k: Missing) -> Missing: pass\n"
        "def go(k: Missing): pass\n"
    )

    assert {"base", "n"} == found.needs == found.reads


def test_a_name_is_computed_where_the_last_that_bound_it_does_not_run_again():
    one, two, three = evaluated(
        "n = 0\nclass One(n): pass\nn = f()\nclass Two(n): pass\nn = 1\nclass Three(n): pass\n"
    )

    assert ["the class One", "the class Two", "the class Three"] == [
        each.what for each in (one, two, three)
    ]
    assert [set(), {"n"}, set()] == [set(each.computed) for each in (one, two, three)]


def test_only_definitions_above_the_position_are_looked_at():
    module = rewrite(
        "class A(n): pass\nif 1:\n    class B(n): pass\n    for i in x:\n        f(i)\n"
        "class C(n): pass\n",
        "<program>",
        make_helpers(),
    )
    inside = next(p.number for p in module.places(0).values() if p.line == 5)

    assert ["the class A", "the class B"] == [each.what for each in module.evaluated(inside)]


def test_a_class_stands_for_what_the_interpreter_calls_of_it():
    found = rewrite(
        "class Field(Base):\n"
        "    def __set_name__(self, owner, name):\n        self.at = count\n"
        "    def other(self):\n        return unread\n",
        "<program>",
        make_helpers(),
    ).functions()

    (field,) = found["Field"]
    assert {"Base", "count"} <= field.names
    assert "unread" not in field.names
    assert "unread" in found["other"][0].names
    assert {"at", "count"} <= field.mentions
