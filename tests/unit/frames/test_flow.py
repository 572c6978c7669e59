"""The symbolic stack and the loops found in bytecode hold for code that others wrote."""

from __future__ import annotations

import argparse
import ast
import asyncio.base_events
import dis
import inspect
import tarfile
import textwrap
import types
import typing

import pytest

from resume.frames import enclosing_loops
from resume.frames.flow import flow_of
from resume.frames.stack import step

MODULES = [argparse, ast, asyncio.base_events, dis, inspect, tarfile, typing]


def codes_of(code):
    yield code
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from codes_of(constant)


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__)
def test_all_ways_to_an_instruction_leave_the_same_depth(module):
    """Were one stack effect wrong, two ways to a place would disagree about its depth."""
    for code in codes_of(compile(inspect.getsource(module), module.__file__, "exec")):
        flow = flow_of(code)
        for index, stack in enumerate(flow.stacks):
            if stack is None:
                continue
            op = flow.ops[index]
            for after in flow.follow(index):
                reached = flow.stacks[after]
                left = step(op, index, stack, jumps=after == op.target)
                assert len(reached) == len(left), (code.co_qualname, op)
                if flow.ops[after].name != "FOR_ITER":  # comes from GET_ITER once, then from itself
                    assert [m.loop for m in reached] == [m.loop for m in left], (op, code)
            for row in flow.guards:
                if row.first <= index < row.behind:
                    assert len(stack) >= row.depth, (code.co_qualname, op)


def loops_at_calls(source):
    """For each call of `here(...)`: kind and line of the loops around it."""
    space = {}
    exec(textwrap.dedent(source).strip(), space)
    code = space["f"].__code__
    flow = flow_of(code)
    found = {}
    for index, op in enumerate(flow.ops):
        if op.name == "LOAD_GLOBAL" and op.value == "here":
            around = enclosing_loops(code, op.offset)
            found.setdefault(op.line, [("for" if a.is_for else "while", a.line) for a in around])
    return found


def test_no_loop():
    """Straight code, also behind a loop, stands in none."""
    source = """
    def f(xs):
        here()
        for x in xs:
            pass
        here()
        while xs:
            xs()
        here()
    """

    assert loops_at_calls(source) == {2: [], 5: [], 8: []}


def test_for_and_while_nest():
    """Outermost first, each with the line of its head."""
    source = """
    def f(xs):
        for x in xs:
            here()
            while x:
                here()
                for y in x:
                    here()
            here()
        while True:
            if here():
                break
    """

    assert loops_at_calls(source) == {
        3: [("for", 2)],
        5: [("for", 2), ("while", 4)],
        7: [("for", 2), ("while", 4), ("for", 6)],
        8: [("for", 2)],
        10: [("while", 9)],
    }


def test_the_else_of_a_loop_is_outside():
    """The iterator is gone there; the first example of the manual saves in such an `else`."""
    source = """
    def f(n, primes):
        while n:
            for p in primes:
                if not n % p:
                    break
            else:
                here()
    """

    assert loops_at_calls(source) == {7: [("while", 2)]}


def test_branches_that_leave_are_inside_while_the_iterator_lives():
    """Before `break` and `return` of a `for` its iterator is still on the stack."""
    source = """
    def f(xs):
        for x in xs:
            if x:
                here()
                break
            if not x:
                here()
                return 1
    """

    assert loops_at_calls(source) == {4: [("for", 2)], 7: [("for", 2)]}


def test_handlers_at_the_end_of_the_code_keep_their_loops():
    """From 3.11 handlers stand behind all else; code behind the loop is not inside for that."""
    source = """
    def f(xs):
        for x in xs:
            try:
                here()
            except ValueError:
                here()
                continue
            finally:
                here()
        here()
        try:
            pass
        except KeyError:
            here()
        here()
        while xs:
            try:
                here()
            except ValueError:
                here()
        here()
    """

    assert loops_at_calls(source) == {
        4: [("for", 2)],
        6: [("for", 2)],
        9: [("for", 2)],
        10: [],
        14: [],
        15: [],
        18: [("while", 16)],
        20: [("while", 16)],
        21: [],
    }


def test_await_is_no_loop():
    """`await` and `yield from` loop inside the interpreter only."""
    source = """
    async def f(xs):
        await here()
        async for x in xs:
            await here()
        async with xs:
            here()
    """

    assert loops_at_calls(source) == {2: [], 4: [("for", 3)], 6: []}


def test_large_code():
    """Jumps that need EXTENDED_ARG lead to the instruction behind it."""
    body = "\n".join(f"        a{i} = x.b{i}" for i in range(400))
    source = f"def f(xs):\n    for x in xs:\n{body}\n        here()\n    here()"

    assert loops_at_calls(source) == {403: [("for", 2)], 404: []}
