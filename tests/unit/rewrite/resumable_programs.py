"""Small programs, by construct; each tells what it does through `note`."""

from __future__ import annotations

SLOW = """
def slow(x=None, *more):
    for _ in range(1):
        note(("slow", x, *more))
    return x
"""
"""A function that is not tiny: a program can be stopped in it."""

PROGRAMS: dict[str, str] = {
    "for, while, else, break, continue": """
def main(n):
    total = 0
    for a in [1, 2, 3]:
        if a == 2:
            continue
        k = 0
        while slow(k) < n:
            k += 1
            total += slow(a)
            if total > 3:
                break
        else:
            note("else")
    for b in range(5):
        if slow(b) == 1:
            note("out")
            break
    else:
        note("never")
    for c in slow(()):
        note("never")
    else:
        note("empty")
    note(sorted(locals()))
    return total
note(main(2))
for z in range(2):
    note(z)
""",
    "with": """
class Guard:
    def __init__(self, n):
        self.n = slow(n)
    def __enter__(self):
        note(("enter", self.n))
        return self
    def __exit__(self, kind, error, trace):
        note(("exit", self.n, kind and kind.__name__))
        return self.n == 3 and kind is ValueError
def main():
    with Guard(1) as a, Guard(slow(2)) as b:
        note((a.n, b.n))
        for i in range(2):
            with Guard(3):
                slow(i)
                if i:
                    break
                raise ValueError(i)
    for i in range(2):
        with Guard(4):
            if slow(i) == 0:
                continue
            return slow("end")
note(main())
""",
    "try": """
def main():
    try:
        for i in range(3):
            try:
                slow(i)
                raise KeyError(i)
            except KeyError as e:
                note(str(e))
                slow(10)
                if i == 2:
                    raise RuntimeError(slow(7)) from e
            else:
                note("no")
            finally:
                note("fin")
    except (RuntimeError, TypeError) as err:
        slow(11)
        note((type(err).__name__, type(err.__cause__).__name__, type(err.__context__).__name__))
    try:
        try:
            1 / 0
        except ZeroDivisionError:
            slow(12)
            raise
    except Exception:
        slow(13)
        note("bare")
    else:
        slow(14)
    try:
        slow(15)
    except ValueError:
        note("never")
    else:
        slow(16)
    finally:
        note("last")
    try:
        raise OSError("gone")
    except:
        slow(17)
        note("everything")
note(main())
""",
    "a handler that rebinds its name": """
def main():
    try:
        raise OSError("gone")
    except OSError as e:
        e = slow("other")
        note(e)
        try:
            raise
        except OSError as again:
            slow(str(again))
    note("e" in locals())
note(main())
""",
    "generators": """
def gen(n):
    for i in range(n):
        got = yield slow(i)
        note(("got", got))
    return n
def outer(n):
    r = yield from gen(n)
    note(("r", r))
    note([(yield slow(5)), slow(1)])
def main():
    for v in outer(2):
        note(v)
    it = gen(2)
    note(next(it))
    note(it.send("s"))
    note(next(it, None))
main()
""",
    "comprehensions": """
def gen(n):
    for i in range(n):
        yield slow(i)
def main():
    note([x for x in gen(2)])
    note([slow(i) + j for i in gen(2) for j in range(slow(2)) if slow(j) != 1])
    note({slow(i): {slow(j) for j in range(2)} for i in range(2)})
    note(list(slow(q) for q in gen(2)))
    k = 5
    add = [lambda: slow(k) + i for i in range(2)]
    note([f() for f in add])
    for q in (slow(i) for i in range(2)):
        note(q)
main()
note([slow(i) for i in range(2)])
""",
    "closures": """
def counter():
    n = 0
    def up(k=1):
        nonlocal n
        for i in range(k):
            n += slow(1)
        return n
    def get():
        return n
    n += up(2)
    note(get())
    return up, get
up, get = counter()
note(up(2))
note(get())
total = 100
def add(x):
    global total
    for _ in range(2):
        total += 1
    return x
def main():
    global total
    total += add(1000)
    return total - add(7) + total
note(main())
total += add(1)
note(total)
""",
    "classes": """
class Base:
    def __init__(self, a):
        self.__a = slow(a)
    def m(self, x):
        self.__a += slow(x)
        return self.__a
    @classmethod
    def make(cls, *args):
        slow("make")
        return cls(*args)
    @staticmethod
    def still(x):
        return [slow(x)]
class Derived(Base):
    def __init__(self, a):
        super().__init__(a)
        self.b = slow(2)
    def m(self, x):
        return super().m(slow(x)) + self.b
    def __call__(self, x):
        return slow(x)
d = Derived(slow(1))
note(d.m(3))
note(Derived.make(4).b)
note(d.still(1))
note(d(9))
""",
    "recursion and partial": """
import functools
def down(n):
    if n == 0:
        return slow(0)
    return n + down(n - 1)
@functools.lru_cache
def fib(n):
    return n if n < 2 else fib(n - 1) + slow(fib(n - 2))
note(down(2))
note(fib(3))
note(functools.partial(slow, 5)())
""",
    "operands": """
it = iter(range(100))
class Thing:
    def __init__(self):
        self.v, self.a = 5, [1, 2, 3]
    def same(self, x):
        slow(x)
        return self
def main():
    o = Thing()
    note(slow(1) + slow(2) * slow(3))
    note((next(it), slow(next(it)), *[next(it), slow(9)], {next(it): slow(7), **{"k": slow(8)}}))
    o.v += slow(10) + o.same(1).same(2).v
    o.a[slow(1)] += slow(4)
    o.a[slow(2)] = slow(5)
    note((o.v, o.a))
    note(1 < slow(2) < slow(3) <= slow(3) != slow(4))
    note(slow(0) or slow(5) and slow(6) and not slow(7))
    note(slow(1) if slow(0) else slow(2) if slow(1) else slow(3))
    note(f"{next(it)}-{slow(1)}-{o.v:>5}-{slow(2)!r}")
main()
""",
    "calls and targets": """
it = iter(range(100))
def many(*args, **named):
    slow("many")
    return args, sorted(named.items())
def main():
    note(many(next(it), *[slow(4)], a=next(it), b=slow(3), **{"c": next(it)}))
    if (n := slow(4)) > 3 and slow(n) == 4:
        note(n)
    items = [0] * 6
    items[slow(1):slow(3)] = [slow(9)] * 2
    del items[slow(0)]
    note(items)
    twice = lambda p: slow(p) + slow(p)
    note(twice(3) + twice(slow(4)))
    a, (b, *c) = slow(1), (slow(2), slow(3))
    note((a, b, c))
    items[slow(0)] = items[slow(1)] = slow(8)
    assert slow(1), slow(2)
    items[slow(0):2] += [slow(1)]
    note(items)
    match (slow(1), slow(2)):
        case (1, v) if v:
            note(slow(v))
        case _:
            note("never")
main()
""",
}

PROGRAMS = {name: SLOW + text for name, text in PROGRAMS.items()}
