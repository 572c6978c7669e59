"""Small programs by what stands between two frames, or by what a generator may be at."""

from __future__ import annotations

from stopping import SLOW

PROGRAMS: dict[str, str] = {
    "constructors": """
class Meta(type):
    pass
class Base(metaclass=Meta):
    __slots__ = ("a", "b")
    def __new__(cls, *args):
        return super().__new__(cls)
    def __init__(self, a):
        self.a = slow(a)
class Derived(Base):
    __slots__ = ()
    def __init__(self, a, b=2):
        super().__init__(slow(a))
        self.b = slow(b)
class Holds:
    def __init__(self, n):
        self.inner = Derived(n) if n else None
        keep = lambda: self
        slow(n)
        self.same = keep() is self
def main():
    d = Derived(1, slow(3))
    note((d.a, d.b, Holds(2).inner.a, Holds(0).same))
main()
note(Derived(slow(5)).a)
""",
    "wrappers": """
import functools
class Tool:
    def __init__(self, n):
        self.n = slow(n)
    def go(self, x, *, y=0):
        return self.n + slow(x) + slow(y)
    @classmethod
    def make(cls, n):
        return cls(slow(n))
    @staticmethod
    def plain(x):
        return slow(x)
    def __call__(self, x):
        return self.go(slow(x))
@functools.lru_cache(maxsize=None)
def cached(n):
    return n if n < 2 else cached(n - 1) + slow(n)
def main():
    tool = Tool.make(1)
    go, twice = tool.go, functools.partial(tool.go, 2)
    note(go(slow(3)) + twice(y=4))
    note(functools.partial(functools.partial(Tool), 5)().n)
    note(tool(6) + tool.plain(7) + Tool.plain(8) + Tool.go(tool, 9))
    note(cached(3))
    note([f(1) for f in (tool, tool.go, Tool.plain)])
main()
""",
    "super in many forms": """
class A:
    def m(self, x):
        return [slow(x)]
    @classmethod
    def c(cls, x):
        return [cls.__name__, slow(x)]
class B(A):
    def m(self, x):
        return super().m(slow(x)) + super(B, self).m(2)
    @classmethod
    def c(cls, x):
        return super().c(x) + [slow("b")]
class C(B, A):
    def m(self, x):
        above = super()
        return above.m(x) + [slow("c")]
note(C().m(1))
note(C.c(1))
note(B().c(slow(2)))
""",
    "generators that are asked": """
def count(n):
    total = 0
    while total < n:
        try:
            got = yield slow(total)
            note(("got", got))
        except KeyError as e:
            note(("thrown", slow(str(e))))
        total += 1
    return total
class Owner:
    def __init__(self):
        self.it = count(3)
    def take(self):
        return next(self.it, "over")
def main():
    it = count(4)
    note(next(it))
    note(it.send(slow("a")))
    note(it.throw(KeyError("k")))
    note(it.__next__())
    send = it.send
    try:
        note(send("last"))
    except StopIteration as end:
        note(("end", end.value))
    o = Owner()
    note([o.take() for _ in range(5)])
    lazy = count(1)
    slow("not begun")
    note(list(lazy))
main()
it = count(1)
note(next(it))
note(next(it, slow("default")))
""",
    "generators in one another": """
def tree(n):
    if n:
        yield from tree(n - 1)
        yield slow(n)
        yield from tree(n - 1)
def both(a, b):
    for x in a:
        for y in b:
            yield slow((x, y))
def closing(n):
    seen = []
    def see(x):
        for _ in range(1):
            seen.append(slow(x))
        return len(seen)
    for i in range(n):
        got = yield see(i)
        slow(got)
def pipe(it):
    result = yield from it
    return result
def returns():
    yield 1
    slow(2)
    return "r"
def main():
    note([x for x in tree(2)])
    note(list(slow(x) for x in both([1, 2], "ab")))
    g = closing(2)
    held = {"g": [g]}
    note(next(g))
    note(held["g"][0].send("x"))
    p = pipe(pipe(returns()))
    note(next(p))
    try:
        next(p)
    except StopIteration as end:
        note(end.value)
    ahead = (slow(i) for i in range(3))
    note(next(ahead))
    slow("pause")
    note(next(ahead))
    for x in ahead:
        note(x)
main()
""",
    "a generator with a context": """
class Guard:
    def __init__(self, n):
        self.n = slow(n)
    def __enter__(self):
        return self
    def __exit__(self, *error):
        note(("exit", self.n))
def reads(n):
    with Guard(n) as g:
        for i in range(2):
            try:
                yield g.n + slow(i)
            finally:
                note("fin")
def main():
    for x in reads(10):
        note(x)
    it = reads(20)
    next(it)
    slow("open")
    it.close()
    note("closed")
main()
""",
    "closures that share": """
def outer():
    n, names = 0, []
    def up(by):
        nonlocal n
        for _ in range(by):
            n += slow(1)
        return n
    def down(k):
        nonlocal n
        if k:
            n -= slow(1)
            return down(k - 1)
        return lambda: (n, k, names)
    names.append(slow("x"))
    up(3)
    see = down(2)
    note(see())
    n = slow(10)
    note(see())
    return up, see
up, see = outer()
up(slow(2))
note(see())
note([(lambda: slow(i) + i)() for i in range(2)])
def late():
    def reads():
        return later
    slow("early")
    later = slow(5)
    return reads
note(late()())
def given(key):
    return slow(sorted([3, 1, 2], key=lambda v: v * key))
note(given(-1))
""",
    "errors through frames": """
def fails(n):
    if n:
        return fails(n - 1)
    slow("raise")
    raise ValueError("deep")
def main():
    for i in range(2):
        try:
            fails(slow(i))
        except ValueError as e:
            note(str(e))
            slow(i)
            try:
                raise KeyError(i) from e
            except KeyError as k:
                slow("k")
                note(repr(k.__cause__))
main()
""",
    "a handler that goes on after a loop": """
class Guard:
    def __enter__(self):
        return self
    def __exit__(self, *error):
        return False
def main():
    out = []
    for a in range(2):
        try:
            for b in range(3):
                if slow(b) == 1:
                    raise IndexError(b)
                out.append(b)
        except IndexError:
            slow("handler")
            continue
        finally:
            out.append("f")
        slow("never")
    while True:
        with Guard() as f:
            slow("inside")
            if len(out) > 3:
                break
    return tuple(out)
note(main())
""",
}

PROGRAMS = {name: SLOW + text for name, text in PROGRAMS.items()}
