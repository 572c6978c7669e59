"""Functions, classes and aliases that are declared over type parameters (3.12)."""

from __future__ import annotations

import sys

import pytest
from resumable_programs import SLOW
from rewriting import every_stop, make_helpers, note_into, plain_log

from resume.rewrite import rewrite

pytestmark = pytest.mark.skipif(sys.version_info < (3, 12), reason="needs Python 3.12")

GENERIC = (
    SLOW
    + """
def first[T](xs: list[T], n: int = 1) -> T:
    for x in xs:
        if slow(x) > n:
            return x
class Box[T, *Ts]:
    def __init__(self, *values: T):
        self.held = []
        for v in values:
            self.held.append(slow(v))
    def each[U](self, by: U) -> list[T]:
        return [slow(v) + slow(by) for v in self.held]
    def walk[**P](self, k: int):
        for v in self.held:
            yield slow(v), k
class Small[T](Box[T, int]):
    def each[U: int](self, by: U) -> list[T]:
        return [slow(v) for v in super().each(by)]
def adder[T](n: T):
    total = n
    def add[U](x: U) -> U:
        nonlocal total
        for i in range(2):
            total += slow(i)
        return x + total
    return add(slow(1)) + add(2)
note(first([0, 3]), Box(1, 2).each(3), list(Small(1).walk(5)), Small(4).each(1), adder(4))
note(str((first.__type_params__, Box.__type_params__, Small.each.__annotations__)))
"""
)
LAZY = (
    SLOW
    + """
it = iter(range(9))
type Number = slow(next(it), slow(2))
type Pairs[T] = [slow(i) for i in (1, 2)] if slow(1) + slow(2) else T
def f[T: slow(next(it), slow(3)), U: (slow(int), slow(str))](x: T = slow(5)) -> U:
    for i in range(2):
        slow(i)
    return slow(x)
class C[T: slow(4) + slow(5)](slow(list)):
    def T(self): return slow(7)
    def m[V: slow(6) + slow(8)](self, y=slow(2) + slow(3)):
        return [slow(y) for _ in range(2)]
def deco(g):
    note("deco")
    return g
@deco
def T[T: slow(1)](x: T):
    for i in range(2): slow(i)
    return x
note(f(1), C().T(), C().m(), T(3))
note(Number.__value__, str(Pairs.__value__), T.__type_params__[0].__bound__)
note(str([one.__bound__ or one.__constraints__ for one in f.__type_params__]))
note(C.__type_params__[0].__bound__, C.m.__type_params__[0].__bound__)
"""
)


@pytest.mark.parametrize("source", [GENERIC, LAZY], ids=["generic", "lazy"])
def test_goes_on_from_every_safe_point(source):
    """What a type parameter may be, and what an alias stands for, is evaluated when asked for."""
    log: list[object] = []
    code = rewrite(source, "<program>", make_helpers()).code

    exec(code, {"__name__": "program", "log": log, "note": note_into(log)})

    assert log == plain_log(source)
    points, _ = every_stop(source, stride=3)
    assert points > 40
