"""The nodes of a tree, found without the interpreter's own functions."""

from __future__ import annotations

import ast
import inspect
import textwrap

import pytest

from resume.rewrite.nodes import children, walk

SILENT = (ast.expr_context, ast.boolop, ast.operator, ast.unaryop, ast.cmpop)

EVERY_KIND = '''
import a.b as c
from . import d
@c
class E(d, metaclass=c):
    x: int = 3
    def f(self, a, /, b: int = 1, *c, d, e=2, **g) -> None:
        """Text."""
        global h
        h = [*a, {**b, 1: 2}, (yield), lambda q=1: q, {1}, a[1:2, ::3]]
        assert not a and b or -c < d <= e, f"{a!r:>{b}} and {c}"
        x = a if b else (k := c)
        del a, b.c
        def g():
            nonlocal x
            x += 1
            return (yield from c)
async def f():
    async with a as b, c: await d
    async for x in y: continue
    return [x async for x in y if x]
try:
    for a, *b in c(*d, e=f, **g): break
    else: raise a from b
except* E as e: pass
finally: ...
while a:
    with a as b: {a: b for a in c for b in d if e}
match a:
    case [1, *b] | {"c": d, **e}: pass
    case F(g, h=None) as i if j: pass
    case -1 | _: (x for x in y)
'''


@pytest.mark.parametrize("source", [EVERY_KIND, inspect.getsource(textwrap)])
def test_the_nodes_are_those_of_ast_without_contexts_and_operators(source):
    """In the same order, for every kind of node."""
    tree = ast.parse(source)

    told = [node for node in ast.walk(tree) if not isinstance(node, SILENT)]

    assert walk(tree) == told
    for node in told:
        below = [each for each in ast.iter_child_nodes(node) if not isinstance(each, SILENT)]
        assert children(node) == below
