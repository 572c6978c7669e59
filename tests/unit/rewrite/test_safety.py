"""Where a frame can be entered again, and the reasons where it cannot."""

from __future__ import annotations

import pytest
from rewriting import make_helpers

from resume.rewrite import Callee, Kind, Place, RewrittenModule, rewrite

SLOW = "def slow(x=0, *y):\n    for _ in x: pass\n    return x\n"


def rewritten(source: str) -> RewrittenModule:
    return rewrite(SLOW + source, "<p>", make_helpers())


def at_line(module: RewrittenModule, line: int, kind: Kind) -> list[Place]:
    """Places of a line of the source behind `SLOW`."""
    return [
        place
        for block in module.blocks
        for place in module.places(block).values()
        if place.line == line + 3 and place.kind is kind
    ]


REFUSED = {
    "finally": ("try:\n    pass\nfinally:\n    slow(1)\n", 4, "a `finally` block runs"),
    "except*": (
        "try:\n    slow(1)\nexcept* ValueError:\n    pass\n",
        2,
        "an `except*` statement runs",
    ),
    "cause": ("raise ValueError(slow(1)) from slow(2)\n", 1, "the cause of an exception is made"),
    "tuple target": ("x = {}\nx[slow(1)], y = 1, 2\n", 2, "a tuple of targets calls something"),
    "annotated target": (
        "x = {}\nx[slow(1)]: int = 1\n",
        2,
        "the target of an annotated assignment may call something",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused_with_a_reason(name):
    """A call in there has a place that says why nothing can be entered again."""
    source, line, why = REFUSED[name]

    found = at_line(rewritten(source), line, Kind.CALL)

    assert found
    assert {why} == {place.refused for place in found}


NO_PLACE = {
    "guard": "match 1:\n    case x if slow(x):\n        pass\n",
    "decorator": "@slow(1)\ndef f(): pass\n",
    "default": "def f(x=slow(1)): pass\n",
    "class body": "class A:\n    x = slow(1)\n",
    "coroutine": "async def f():\n    slow(1)\n",
    "comprehension with a walrus": "y = [(z := slow(i)) for i in [1]]\n",
    "comprehension in a lambda": "f = lambda: [slow(i) for i in [1]]\n",
}


@pytest.mark.parametrize("name", NO_PLACE)
def test_no_place_where_no_frame_can_be_entered(name):
    """The ids of calls in there are not among the places."""
    module = rewritten(NO_PLACE[name])
    line = 2 if NO_PLACE[name].count("\n") > 1 and name != "decorator" else 1

    assert [] == at_line(module, line, Kind.CALL)


@pytest.mark.parametrize(
    ("call", "callee", "pending"),
    [
        ("slow(1)", Callee("slow", ()), ()),
        ("a.b.c(1)", Callee("a", ("b", "c")), ()),
        ("a.m(slow(1))", Callee("slow", ()), (Callee("a", ("m",)),)),
        ("slow(a.m(slow(2)))", Callee("slow", ()), (Callee("a", ("m",)),)),
        ("a.m(x).n(slow(1))", Callee("slow", ()), (Callee(".t1", ("n",)),)),
        ("a[0](1)", Callee(".t1", ()), ()),
    ],
)
def test_a_call_tells_what_it_calls(call, callee, pending):
    """By a name and attributes of it, and with the methods that wait for it."""
    module = rewritten(f"def f(a, x):\n    return {call}\n")

    found = at_line(module, 2, Kind.CALL)

    assert (callee, pending) in [(place.callee, place.pending) for place in found]


@pytest.mark.parametrize(
    ("call", "asked"),
    [
        ("slow(a)", Callee("a", ())),
        ("slow(a.b, None)", Callee("a", ("b",))),
        ("slow(a, x)", None),
        ("slow(a, *x)", None),
        ("slow(a, k=1)", None),
        ("slow((b := a))", None),
        ("slow(a[0])", None),
        ("slow()", None),
    ],
)
def test_a_call_tells_whether_it_can_be_made_again(call, asked):
    """Only where evaluating its arguments once more does nothing."""
    module = rewritten(f"def f(a, x):\n    return {call}\n")

    found = at_line(module, 2, Kind.CALL)

    assert [asked] == [place.asked for place in found]


def test_super_is_told():
    module = rewritten("class A:\n    def f(self):\n        return super().g(slow(1))\n")

    found = at_line(module, 3, Kind.CALL)

    assert Callee("super()", ("g",)) in [place.callee for place in found]


def test_private_names_are_told_as_the_frame_has_them():
    """A callee is looked up from outside of the class, where `self.__g` is `self._A__g`."""
    module = rewritten(
        "class __A:\n    def f(self, __x):\n"
        "        return self.__g(slow(1)), __x(slow(2)), self.__g__(slow(3))\n"
    )

    found = at_line(module, 3, Kind.CALL)

    told = {place.callee for place in found}
    assert {Callee("self", ("_A__g",)), Callee("self", ("__g__",))} < told
    assert [(Callee("self", ("_A__g",)),), ()] == [place.pending for place in found[1:3]]


def test_loops_and_delegations_tell_their_iterators():
    module = rewritten(
        "def f(x):\n    for i in x:\n        for j in i:\n            yield from j\n"
    )

    loops = [*at_line(module, 2, Kind.LOOP), *at_line(module, 3, Kind.LOOP)]

    assert [".i1", ".i2"] == [place.iterator for place in loops]
    assert [".y"] == [place.iterator for place in at_line(module, 4, Kind.DELEGATION)]


def test_a_tiny_function_has_no_places():
    """It stays as it is."""
    module = rewritten("def tiny(x):\n    return len(x)\n")

    assert [] == at_line(module, 2, Kind.STATEMENT)
    assert any(block.is_plain for block in module.blocks.values())
