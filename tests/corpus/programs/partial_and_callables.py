"""Calls through partials, bound methods in dicts, callable objects, classes in variables."""

import functools
import operator

SCALE = 10799


def scaled(factor, *values, offset=0):
    total = offset
    for value in values:
        total += factor * value
    return total


class Polynomial:
    def __init__(self, *factors):
        self.factors = factors

    def __call__(self, x):
        result = 0
        for factor in self.factors:
            result = result * x + factor
        return result

    def derived(self):
        n = len(self.factors) - 1
        return type(self)(*[f * (n - i) for i, f in enumerate(self.factors[:-1])])


class Commands:
    def __init__(self):
        self.stack = []
        self.table = {"push": self.push, "add": self.add, "double": self._double}

    def push(self, n):
        for _ in range(2):
            self.stack.append(n)

    def add(self, *_):
        total = 0
        while len(self.stack) > 1:
            total += self.stack.pop()
        self.stack.append(total)

    def _double(self, *_):
        for i in range(len(self.stack)):
            self.stack[i] *= 2

    def run(self, name, *args):
        return self.table[name](*args)


def compose(*functions):
    def composed(x):
        for function in functions:
            x = function(x)
        return x

    return composed


for i in range(SCALE):
    triple = functools.partial(scaled, 3, offset=i)
    more = functools.partial(triple, 1, 2)
    p = Polynomial(1, i, 2)
    print(triple(1, 2), more(3), p(2), p.derived()(3), p.derived().derived()(1))
    commands = Commands()
    for name in ("push", "push", "double", "add"):
        commands.run(name, i)
        print(name, commands.stack)
    print(compose(p, triple, operator.neg, Polynomial(2, 1))(i))
    for make in (Polynomial, lambda *a: Polynomial(*a, *a)):
        print(make(1, 2)(i))
    method = getattr(commands, "push")
    method(5)
    print(commands.stack, operator.methodcaller("add")(commands), commands.stack)
