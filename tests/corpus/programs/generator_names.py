"""What generators and functions show of themselves: names, frames, states, closures, signatures."""

import inspect

SCALE = 1384


def numbers(n):
    """Yield some."""
    for i in range(n):
        yield i


class Holder:
    def items(self):
        yield from numbers(2)

    def __iter__(self):
        return (each for each in self.items())


def outer(k):
    total = 0

    def add(n=k, /, *rest: int, key: str = "a") -> int:
        """Add."""
        nonlocal total
        for each in (n, *rest):
            total += each
        return total

    return add


def looked(n):
    generator = numbers(n)
    generator.__name__, generator.__qualname__ = "renamed", "else.renamed"
    print(inspect.getgeneratorstate(generator), generator.__name__, generator.__qualname__)
    for value in generator:
        print(value, inspect.getgeneratorstate(generator), generator.gi_frame.f_lineno)
        print(inspect.getgeneratorlocals(generator)["i"], generator.gi_running)
    print(inspect.getgeneratorstate(generator), generator.gi_frame)
    lazy = (x for x in range(n))
    print(lazy.__name__, lazy.__qualname__, next(lazy, None), repr(lazy)[:32])
    for each in Holder():
        print(each, Holder().items.__qualname__, Holder().items().__qualname__)


def described(n):
    add = outer(n)
    print(
        inspect.signature(add), add.__doc__, add.__qualname__, add.__defaults__, add.__kwdefaults__
    )
    print(
        add(1, 2), add.__closure__[0].cell_contents, add.__code__.co_freevars, add.__annotations__
    )
    print(add.__code__.co_argcount, add.__code__.co_varnames[:3], add.__code__.co_firstlineno)
    print(len(inspect.getsource(add).splitlines()), inspect.getdoc(numbers))
    for frame in inspect.stack()[:2]:
        print(frame.function, frame.lineno, frame.code_context[0].strip())


for n in range(SCALE):
    looked(n % 5)
    described(n)
