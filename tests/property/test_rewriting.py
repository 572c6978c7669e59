"""Random expressions and statements note the same, plain and rewritten, undisturbed and stopped."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parent.parent / "unit" / "rewrite"))

from resumable_programs import SLOW
from rewriting import make_helpers, note_into, plain_log, stopped_run

from resume.rewrite import rewrite

HEAD = (
    SLOW
    + """
class Thing:
    def __init__(self, n): self.n = n
    def same(self, *more):
        slow(("same", *more))
        return self
    def __getitem__(self, k): return note(("item", k)) and 1
    @property
    def looked(self): return note("looked") and 2
thing = Thing(1)
it = iter(range(10 ** 6))
def whole(x):
    return x if isinstance(x, int) else 1
"""
)


def joined(kinds: str) -> st.SearchStrategy[str]:
    return st.sampled_from(kinds.split())


LEAVES = joined("1 2 a b c thing.looked next(it) slow(3) slow(a) thing[a]")


def larger(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """Expressions over *inner*, all of whose values are whole numbers."""
    return st.one_of(
        st.builds("({} {} {})".format, inner, joined("+ - * and or < <= =="), inner),
        st.builds("({} < {} <= {})".format, inner, inner, inner),
        st.builds("({} if {} else {})".format, inner, inner, inner),
        st.builds("slow({})".format, inner),
        st.builds("whole(slow({}, {}, *({}, {})))".format, inner, inner, inner, inner),
        st.builds("whole([{}, {}, *[{}]])".format, inner, inner, inner),
        st.builds("whole({{{}: {}, **{{{}: {}}}}})".format, inner, inner, inner, inner),
        st.builds("len(f'{{{}}}{{{}!r:>3}}')".format, LEAVES, LEAVES),
        st.builds("thing.same({}, {}).same({}).n".format, inner, inner, inner),
        st.builds("thing[{}:{}]".format, inner, inner),
        st.builds("sum([slow(i) + {} for i in range(2) if {} != 77])".format, inner, inner),
        st.builds("(w := {}) + w".format, inner).map("({})".format),
        st.builds("(lambda p: slow(p) + {})({})".format, inner, inner),
    )


EXPRESSIONS = st.recursive(LEAVES, larger, max_leaves=8)
STATEMENTS = st.one_of(
    st.builds("note({})".format, EXPRESSIONS),
    st.builds("a = {}".format, EXPRESSIONS),
    st.builds("b += {}".format, EXPRESSIONS),
    st.builds("d[{}] = {}".format, EXPRESSIONS, EXPRESSIONS),
    st.builds("d.setdefault({}, 1); d[1] += {}".format, EXPRESSIONS, EXPRESSIONS),
    st.builds("for q in [{}, {}]: note(q)".format, EXPRESSIONS, EXPRESSIONS),
    st.builds("if {}: note({})".format, EXPRESSIONS, EXPRESSIONS),
    st.builds("a, *e = {}, {}".format, EXPRESSIONS, EXPRESSIONS),
)
PLACES = st.sampled_from(["function", "module", "generator"])


def program(place: str, statements: list[str]) -> str:
    start = ["a, b, c, d = 1, 2, 3, {1: 1}", "w = 0"]
    if place == "module":
        return HEAD + "\n".join([*start, *statements]) + "\n"
    lines = [*start, *statements, *(["yield a"] if place == "generator" else ["return a"])]
    call = "list(main())" if place == "generator" else "main()"
    body = "".join(f"    {line}\n" for line in lines)
    return f"{HEAD}def main():\n{body}note({call})\n"


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(PLACES, st.lists(STATEMENTS, min_size=1, max_size=3))
def test_same_trace(place, statements):
    """Side effects happen in the same order, and once."""
    source = program(place, statements)
    log: list[object] = []

    exec(
        rewrite(source, "<p>", make_helpers()).code,
        {"__name__": "program", "log": log, "note": note_into(log)},
    )

    assert plain_log(source) == log


# 3.12 warns by itself when the variables of a module are read under a tracer, in the middle of a
# comprehension that is no function of its own: "assigning None to unbound local".
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.sampled_from(["function", "module"]),
    st.lists(STATEMENTS, min_size=1, max_size=2),
    st.integers(1, 30),
)
def test_same_trace_when_stopped(place, statements, stop):
    """Stopped anywhere, and gone on in residuals, the trace is the undisturbed one."""
    source = program(place, statements)

    run = stopped_run(source, stop)

    assert plain_log(source) == run.joined
