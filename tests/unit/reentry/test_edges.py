"""Each reason why it cannot be proved that a plain call stands between two frames."""
# ruff: noqa: E501 - reasons stand in one piece

from __future__ import annotations

import pytest
from stopping import SLOW, every_line

REFUSED: dict[str, tuple[str, str]] = {
    "C code that calls back": (
        "def main():\n    note(sorted([2, 1], key=slow))\nmain()\n",
        "`main` runs `slow` below C or library code, or by an operator (line 7)",
    ),
    "an operator": (
        "class A:\n    def __add__(self, x):\n        return slow(x)\nnote(A() + 1)\n",
        (
            "the module program waits for `A.__add__` by no plain call: an operator, an attribute or a "
            "statement runs it"
        ),
    ),
    "a property": (
        (
            "class A:\n    @property\n    def p(self):\n        return slow(1)\n"
            "def main():\n    note(slow(A().p))\nmain()\n"
        ),
        "`main` waits for `A.p` by no plain call: an operator, an attribute or a statement runs it",
    ),
    "a decorator": (
        "def deco(f):\n    slow(1)\n    return f\n@deco\ndef f():\n    return slow(2)\nnote(f())\n",
        (
            "the module program waits for `deco` by no plain call: an operator, an attribute or a "
            "statement runs it"
        ),
    ),
    "the body of a class": (
        "class A:\n    x = slow(1)\nnote(A.x)\n",
        "`A` runs: the body of a class, a coroutine or a comprehension, and it has called `slow`",
    ),
    "a coroutine": (
        "import asyncio\nasync def f():\n    return slow(1)\nnote(asyncio.run(f()))\n",
        "`f` runs: the body of a class, a coroutine or a comprehension, and it has called `slow`",
    ),
    "a finally block": (
        "def main():\n    try:\n        pass\n    finally:\n        slow(1)\nmain()\n",
        "a `finally` block runs in `main`",
    ),
    "a loop over map": (
        "def main():\n    for x in map(slow, [1, 2]):\n        note(x)\nmain()\n",
        (
            "`main` waits for `slow` by no plain call: its loop goes through C or library code, or a "
            "`__next__`"
        ),
    ),
    "a loop over an object": (
        (
            "class A:\n    n = 0\n    def __iter__(self):\n        return self\n"
            "    def __next__(self):\n        self.n += 1\n        if slow(self.n) > 2:\n"
            "            raise StopIteration\n        return self.n\n"
            "def main():\n    for x in A():\n        note(x)\nmain()\n"
        ),
        (
            "`main` waits for `A.__next__` by no plain call: its loop goes through C or library code, "
            "or a `__next__`"
        ),
    ),
    "yield from a wrapped generator": (
        (
            "def g():\n    yield slow(1)\ndef h():\n    yield from enumerate(g())\n"
            "for x in h():\n    note(x)\n"
        ),
        (
            "`h` waits for `g` by no plain call: its `yield from` goes through C or library code, or "
            "a `__next__`"
        ),
    ),
    "a metaclass": (
        (
            "class M(type):\n    def __call__(cls, *args):\n        slow(0)\n"
            "        return super().__call__(*args)\n"
            "class A(metaclass=M):\n    def __init__(self, x):\n        self.x = slow(x)\n"
            "note(A(1).x)\n"
        ),
        (
            "the module program waits for `M.__call__` by no plain call: "
            "the metaclass of A makes its objects"
        ),
    ),
    "__new__": (
        (
            "class A:\n    def __new__(cls, x):\n        slow(x)\n        return object.__new__(cls)\n"
            "    def __init__(self, x):\n        slow(x)\nA(1)\n"
        ),
        (
            "the module program waits for `A.__new__` by no plain call: `A` is the class A, which "
            "runs something else"
        ),
    ),
    "__new__ that is no function": (
        (
            "class A:\n    def __init__(self):\n        slow(1)\n"
            "class N:\n    def __get__(self, *a):\n        return object.__new__\n"
            "A.__new__ = N()\nA()\n"
        ),
        (
            "the module program waits for `A.__init__` by no plain call: the `__new__` of A is an "
            "object of N"
        ),
    ),
    "a class without a constructor of its own": (
        (
            "import functools\nclass A:\n    def f(self, x=0):\n        slow(x)\n"
            "    __init__ = functools.partialmethod(f, 1)\n"
            "def main(cls):\n    cls()\nmain(A)\n"
        ),
        "`main` waits for `A.f` by no plain call: A has no `__init__` that is a plain function",
    ),
    "a constructor that rebinds self": (
        (
            "class A:\n    def __init__(self, x):\n        me, self = self, x\n        slow(self)\n"
            "        me.x = 1\nnote(A(2).x)\n"
        ),
        (
            "the module program waits for `A.__init__` by no plain call: the constructor gives its "
            "first argument another value"
        ),
    ),
    "a callee that was rebound": (
        "def f():\n    global f\n    f = None\n    return slow(1)\nnote(f())\n",
        (
            "the module program waits for `f` by no plain call: what it calls is an object of "
            "NoneType by now"
        ),
    ),
    "a callee that was rebound to another": (
        "def f():\n    global f\n    f = slow\n    return slow(1)\nnote(f())\n",
        (
            "the module program waits for `f` by no plain call: `f` is `slow`, which runs something "
            "else"
        ),
    ),
    "a callee that is gone": (
        "def f():\n    global f\n    del f\n    return slow(1)\nnote(f())\n",
        "the module program waits for `f` by no plain call: `f` has no value any more",
    ),
    "a method of an object alone": (
        (
            "class A:\n    def __init__(self):\n        self.f = note\n"
            "def main():\n    A().f(slow(1))\nmain()\n"
        ),
        (
            "`main` waits for `slow` by no plain call: `what it evaluated.f`, looked up before, is no "
            "plain function of a class"
        ),
    ),
    "next of an expression": (
        "def g():\n    yield slow(1)\ndef main():\n    note(next(g()))\nmain()\n",
        "`main` waits for `g` by no plain call: the argument of `next` is no name of the generator",
    ),
    "a generator run by other C code": (
        (
            "class A:\n    def take(self, it):\n        return list(it)\n"
            "def g():\n    yield slow(1)\n"
            "def main(take):\n    note(take(g()))\nmain(list)\n"
        ),
        "`main` waits for `g` by no plain call: the class list runs the generator",
    ),
    "a library": (
        "import functools\nnote(functools.singledispatch(slow)(1))\n",
        (
            "`singledispatch.<locals>.wrapper` of functools runs, which is no code of the program, and "
            "it has called `slow`"
        ),
    ),
    "attributes by code": (
        (
            "class A:\n    def __getattribute__(self, name):\n"
            "        return object.__getattribute__(self, name)\n"
            "    def m(self):\n        return slow(1)\ndef main(a):\n    note(a.m())\nmain(A())\n"
        ),
        "`main` waits for `A.m` by no plain call: `.m` goes through a `__getattribute__`",
    ),
    "attributes made when they are asked for": (
        (
            "class A:\n    def __getattr__(self, name):\n        return slow\n"
            "def main(a):\n    note(a.m(1))\nmain(A())\n"
        ),
        "`main` waits for `slow` by no plain call: A has no `.m` of its own",
    ),
    "an object that is called by code of its own": (
        (
            "import functools\nclass P(functools.partial):\n    pass\n"
            "def main(p):\n    note(p())\nmain(P(slow, 1))\n"
        ),
        (
            "`main` waits for `slow` by no plain call: it goes through an object of P, which is C code "
            "or calls others"
        ),
    ),
    "a cache that does not tell": (
        (
            "import functools\n@functools.lru_cache\ndef f(x):\n    return slow(x)\n"
            "f.__wrapped__ = slow\nnote(f(1))\n"
        ),
        (
            "the module program waits for `f` by no plain call: it goes through a cache that does not "
            "tell its function"
        ),
    ),
    "a cache that has forgotten": (
        (
            "import functools\n@functools.lru_cache\ndef f(x):\n    return slow(x)\n"
            "del f.__wrapped__\nnote(f(1))\n"
        ),
        "the module program waits for `f` by no plain call: it goes through a cache that does not tell its function",
    ),
    "super of an object that is gone": (
        (
            "class A:\n    def m(self, f):\n        return f()\nclass B(A):\n    def m(self, f):\n"
            "        def forget():\n            nonlocal self\n            del self\n"
            "            return slow(1)\n        return super().m(forget)\nnote(B().m(1))\n"
        ),
        "`B.m` waits for `A.m` by no plain call: `super()` has no object now",
    ),
    "a method that was rebound": (
        (
            "class A:\n    def f(self):\n        self.f = self.other\n        return slow(1)\n"
            "    def other(self):\n        return slow(2)\ndef main(a):\n    note(a.f())\nmain(A())\n"
        ),
        "`main` waits for `A.f` by no plain call: `a.f` is `A.other`, which runs something else",
    ),
    "None where an object was": (
        (
            "class Tool:\n    def go(self):\n        box.tool = None\n        return slow(1)\n"
            "class Box:\n    __slots__ = ('tool',)\ndef main():\n    note(box.tool.go())\n"
            "box = Box()\nbox.tool = Tool()\nmain()\n"
        ),
        "`main` waits for `Tool.go` by no plain call: NoneType has no `.go` of its own",
    ),
    "a slot that is empty by now": (
        (
            "class Tool:\n    def go(self):\n        del box.tool\n        return slow(1)\n"
            "class Box:\n    __slots__ = ('tool',)\ndef main():\n    note(box.tool.go())\n"
            "box = Box()\nbox.tool = Tool()\nmain()\n"
        ),
        "`main` waits for `Tool.go` by no plain call: `.tool` has no value now",
    ),
    "None where a class was called": (
        (
            "class A:\n    def __call__(self):\n        A.__call__ = None\n        return slow(1)\n"
            "def main(a):\n    note(a())\nmain(A())\n"
        ),
        "`main` waits for `A.__call__` by no plain call: it goes through an object of A, which is C code or calls others",
    ),
    "None where a constructor was": (
        (
            "class A:\n    def __init__(self):\n        A.__init__ = None\n        slow(1)\n"
            "def main():\n    A()\nmain()\n"
        ),
        "`main` waits for `A.__init__` by no plain call: A has no `__init__` that is a plain function",
    ),
    "wrappers without end": (
        (
            "import functools\ndef f():\n    return slow(1)\np = f\n"
            "for _ in range(101):\n    p = functools.partial(p)\n    p.keeps = 'it apart'\n"
            "note(p())\n"
        ),
        "the module program waits for `f` by no plain call: it goes through a hundred wrappers",
    ),
    "super that is something else": (
        (
            "def own(*a):\n    return A()\nclass A:\n    def m(self):\n        return slow(1)\n"
            "class B(A):\n    def m(self):\n        return super().m()\nsuper = own\nnote(B().m())\n"
        ),
        "`B.m` waits for `A.m` by no plain call: `super` is not what it is elsewhere",
    ),
    "a short function": (
        (
            "class A:\n    def __enter__(self):\n        return 1\n    def __exit__(self, *e):\n"
            "        return 0\nwith A():\n    slow(1)\n"
        ),
        "`A.__enter__` runs, which is so short that it was left as it is",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_postponed_with_a_reason(name):
    """Where it cannot be proved that a plain call stands between two frames, a save waits."""
    source, why = REFUSED[name]

    machine = every_line(SLOW + source)

    assert why in [text[: len(why)] for text in machine.postponed]
