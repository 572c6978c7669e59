"""Which names a scope binds."""

from __future__ import annotations

import ast

import pytest

from resume.rewrite.scopes import Scope, scopes_of


def scope_of(source: str, name: str) -> Scope:
    return next(
        scope
        for node, scope in scopes_of(ast.parse(source)).items()
        if getattr(node, "name", type(node).__name__) == name
    )


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ("def f(a, /, b, *c, d, **e): pass", "abcde"),
        ("def f():\n    import a.b, c as d\n    from e import g", "adg"),
        ("def f():\n    try: pass\n    except E as a: pass", "a"),
        ("def f():\n    for a, (b, *c) in x: pass\n    with y as d: pass", "abcd"),
        ("def f():\n    match x:\n        case [a, *b]: pass\n        case {**c}: pass", "abc"),
        ("def f():\n    def a(): z = 1\n    class b: z = 1\n    del c", "abc"),
        ("def f():\n    [a for a in x if (b := a)]\n    (c := 1)", "bc"),
        ("def f():\n    global a\n    a = b = 1", "b"),
    ],
)
def test_a_function_binds(source, names):
    """Parameters, assignments, imports, captures; and a walrus in a comprehension."""
    scope = scope_of(source, "f")

    assert set(names) == {name for name in scope.bound if scope.is_local(name)}


def test_a_name_is_local_free_or_global():
    source = "x = 1\ndef f(a):\n    def g():\n        return a, x, b\n    global b\n"
    inner, outer = scope_of(source, "g"), scope_of(source, "f")

    assert not inner.is_local("a")
    assert not inner.is_global("a")
    assert inner.is_global("x")
    assert inner.is_global("b")
    assert outer.is_local("a")


def test_what_a_nested_function_rebinds_is_known():
    """Any call may change such a name."""
    source = "def f():\n    a = b = 1\n    def g():\n        nonlocal a\n        a = 2\n"

    assert scope_of(source, "f").rebound == {"a"}


def test_the_first_iterable_belongs_to_the_scope_around():
    source = "def f():\n    return [y for x in (z := g()) if x]\n"

    assert scope_of(source, "f").bound == {"z"}
    assert scope_of(source, "ListComp").bound == {"x"}


def test_class_names_are_not_seen_from_methods():
    source = "class A:\n    x = 1\n    def f(self):\n        return x, __class__\n"

    assert scope_of(source, "f").is_global("x")
    assert not scope_of(source, "f").is_global("__class__")
