"""Type parameters in the state of a program: they stay those of what declares them."""

from __future__ import annotations

import sys
import typing

import pytest
from reruns import resumed, run

from resume.reentry.parameters import by_value, declared_by, parameters_of

T = typing.TypeVar("T")
FUNCTION = typing.ParamSpec("FUNCTION")
METHOD = typing.TypeVarTuple("METHOD")


class Box:
    """Declared over `T`, as from 3.12 on one can write."""

    __type_params__ = (T,)

    @staticmethod
    def of():
        pass

    alias = of


def function():
    pass


function.__type_params__ = (int, FUNCTION)
Box.of.__type_params__ = (METHOD,)
Box.__qualname__ = "Box"


def test_what_declares_a_type_parameter_is_found_by_its_name():
    """Functions, classes, and methods of these; what is nowhere declared has no name."""
    namespace = {"number": 3, "function": function, "Box": Box}

    assert declared_by(namespace, FUNCTION) == ("function", 1)
    assert declared_by(namespace, T) == ("Box", 0)
    assert declared_by(namespace, METHOD) == ("Box.of", 0)
    assert declared_by(namespace, typing.TypeVar("T")) is None
    assert parameters_of(3) == parameters_of(int) == ()


@pytest.mark.parametrize(
    "parameter",
    [
        typing.TypeVar("T", int, str),
        typing.TypeVar("T", bound=list, covariant=True),
        typing.TypeVar("T", contravariant=True),
        typing.ParamSpec("P"),
        typing.TypeVarTuple("Ts"),
    ],
    ids=repr,
)
def test_one_that_nothing_leads_to_is_made_again(parameter):
    """With its bounds, and of the module that it was of."""
    make, args = by_value(parameter)

    made = make(*args)

    assert type(made) is type(parameter)
    assert repr(made) == repr(parameter)
    for name in ("__name__", "__bound__", "__constraints__", "__module__", "__covariant__"):
        assert getattr(made, name, None) == getattr(parameter, name, None)


SCRIPT = """
import os, resume
type Number = int | float
type Pairs[A, B: int] = list[tuple[A, B]]

def first[T](xs: list[T], n: int = 1) -> T:
    for x in xs:
        if x > n:
            return x

class Box[T]:
    held: list[T]
    def __init__(self, *values: T):
        self.held = list(values)
    def each[U](self, by: U) -> list[T]:
        out = []
        for v in self.held:
            if by == 2 and v == 2:
                resume.save()
                if os.path.isfile("die"):
                    os.unlink("die")
                    os._exit(9)
            out.append(v + by)
        return out

class Small[T](Box[T]):
    def each[U](self, by: U) -> list[T]:
        found = []
        for v in super().each(by):
            found.append(v % 100)
        return found

def adder[N: int](n: N):
    total = n
    def add[T: (int, float) = int](x: T) -> T:
        nonlocal total
        for i in range(2):
            total += x * i
        return total
    return add

def main():
    box, add = Small(1, 2), adder(4)
    for k in range(4):
        print(k, first([k, 7, 9]), box.each(k), add(k), flush=True)
    return add

add = main()
print(Number.__value__, Pairs.__type_params__, Pairs[str, int].__origin__ is Pairs)
print(first.__annotations__["return"] is first.__type_params__[0], add.__annotations__)
print(Box.each.__annotations__["return"].__args__[0] is Box.__type_params__[0])
print(add.__annotations__["x"] is add.__type_params__[0], add.__type_params__[0].__constraints__)
"""


@pytest.mark.skipif(sys.version_info < (3, 12), reason="needs Python 3.12")
@pytest.mark.untraced
def test_a_program_with_type_parameters_goes_on(tmp_path):
    """They are the same objects in all that holds them, as they were."""
    source = SCRIPT if sys.version_info >= (3, 13) else SCRIPT.replace(" = int](x", "](x")
    (tmp_path / "script.py").write_text(source)
    assert run(tmp_path, "script.py", log="plain").returncode == 0

    (tmp_path / "die").touch()
    assert resumed(tmp_path, "script.py").returncode == 9
    last = resumed(tmp_path, "script.py")

    assert last.returncode == 0, last.stderr
    assert "resuming" in last.stderr
    assert (tmp_path / "log").read_text() == (tmp_path / "plain").read_text()
