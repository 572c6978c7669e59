"""How far a loop is, for people."""

from __future__ import annotations

import pytest

from resume.loops import Loop
from resume.progress import progress

SOURCES = {
    "name": "for epoch in x.loop(y): pass",
    "pair": "for epoch, b in x.loop(y): pass",
    "attribute": "for x.epoch in x.loop(y): pass",
    "nested": "for (epoch, b), c in x.loop(y): pass",
}


def shown(kind, items, done, item, *, in_function=False):
    source = SOURCES[kind]
    if in_function:
        source = f"def f(x, y):\n    {source}"
    code = compile(source, "<test>", "exec")
    if in_function:
        (code,) = [one for one in code.co_consts if hasattr(one, "co_code")]
    iterator = iter(items)
    for _ in range(done):
        next(iterator)
    loop = Loop("0", 7, header(code), lambda: iterator, iterator=iterator, done=done, item=item)
    return progress(loop, code)


def header(code):
    import dis

    return next(op.offset for op in dis.get_instructions(code) if op.opname == "FOR_ITER")


@pytest.mark.parametrize("in_function", [False, True])
@pytest.mark.parametrize(
    ("kind", "items", "done", "item", "text"),
    [
        ("name", range(300), 48, 47, "epoch=47/300"),
        ("name", [*"abc"], 2, "b", "epoch=b"),
        ("name", [1.5, 2.5], 1, 1.5, "item 1/2 of the loop at line 7"),
        ("name", (x for x in range(9)), 3, 2, "epoch=2"),
        ("name", ["x" * 99], 1, "x" * 99, "item 1/1 of the loop at line 7"),
        ("pair", [(0, "a"), (1, "b")], 2, (1, "b"), "epoch=1/2"),
        ("nested", [((0, 1), 2)], 1, ((0, 1), 2), "item 1/1 of the loop at line 7"),
        ("attribute", range(3), 1, 0, "item 1/3 of the loop at line 7"),
    ],
)
def test_which_item(kind, items, done, item, text, in_function):
    assert shown(kind, items, done, item, in_function=in_function) == text


def test_without_code():
    assert progress(Loop("0", 7, 0, lambda: iter(()), done=2), None) == (
        "item 2 of the loop at line 7"
    )


def test_no_code_of_the_program_runs():
    class Counting:
        def __length_hint__(self):
            raise AssertionError

    loop = Loop("0", 7, 0, lambda: iter(()), iterator=Counting(), done=2)

    assert progress(loop, None) == "item 2 of the loop at line 7"
