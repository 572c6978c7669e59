"""Functions, cells and classes that no import finds."""

from __future__ import annotations

import abc
import enum
import functools
import json
import types
from dataclasses import dataclass

import pytest
from there_and_back import fresh

from resume.pickling import DecodeProblem, decode, encode

FACTOR = 3


def counter():
    count, log = 0, []

    def add(n: int = 1, *, scale=FACTOR) -> int:
        nonlocal count
        count += n * scale
        log.append(count)
        return count

    def read():
        return count, log

    return add, read


def test_two_functions_over_one_variable_still_share_it(again):
    add, read = counter()
    add()

    values = again(add=add, table={"read": read}, log=read()[1])

    values["add"](2)
    assert (9, [3, 9]) == values["table"]["read"]()
    assert values["log"] is values["table"]["read"]()[1]
    assert (3, [3]) == read()


def test_a_function_that_calls_itself(again):
    def factorial(n):
        return n * factorial(n - 1) if n else 1

    made = again(f=factorial)["f"]

    assert 120 == made(5)
    assert made is made.__closure__[0].cell_contents


def test_a_function_comes_back_with_all_it_has(again):
    add, _ = counter()
    add.note = ["note"]

    made = again(add=add, note=add.note)

    twin = made["add"]
    assert (add.__name__, add.__qualname__, add.__module__) == (
        twin.__name__,
        twin.__qualname__,
        twin.__module__,
    )
    assert ((1,), {"scale": 3}) == (twin.__defaults__, twin.__kwdefaults__)
    assert add.__annotations__ == twin.__annotations__
    assert twin.note is made["note"]
    assert twin.__globals__ is globals()


def test_importable_functions_go_by_reference(again):
    values = again(f=json.dumps, g=counter, h=len, m=str.upper, p=functools.partial(counter))

    assert json.dumps is values["f"]
    assert counter is values["g"]
    assert values["p"].func is counter


def test_an_unbound_variable_stays_unbound(again):
    def outer():
        def read():
            return later

        yield read
        later = 1
        yield later

    made = again(read=next(outer()))["read"]

    with pytest.raises(NameError):
        made()


def test_functions_of_an_exec_share_their_namespace(again):
    space = {}
    exec("n = 0\ndef step():\n    global n\n    n += 1\n    return n\ndef read(): return n", space)

    values = again(step=space["step"], read=space["read"], space=space)

    values["step"]()
    assert 1 == values["read"]() == values["space"]["n"]
    assert 0 == space["n"]


def test_cells_of_the_owners_frame_are_referred_to():
    """A closure over the frame's own variable uses the cell that the rerun's frame has."""
    x = [1]

    def read():
        return x

    cell = read.__closure__[0]
    encoded = encode(
        {"read": read}, cells=lambda met, name: name if met is cell and name == "x" else None
    )
    here = types.CellType([2])

    values = decode(encoded.stream, [], cells={"x": here}.get).values

    assert values["read"].__closure__[0] is here
    assert [2] == values["read"]()


def test_code_of_another_python_is_refused(monkeypatch):
    from resume.pickling import functions

    encoded = encode({"f": lambda: 1})
    monkeypatch.setattr(functions, "TAG", "cpython-399")

    with pytest.raises(DecodeProblem, match="cpython-399"):
        decode(encoded.stream, [])


def test_methods_and_what_shadows_them(again):
    """A method that an instance has of its own is not the class's of that name."""

    class Stepper:
        def step(self):
            return "class"

    one = Stepper()
    one.step = types.MethodType(lambda self: ("own", self), one)

    values = again(one=one, plain=Stepper().step, bound=one.step)

    assert ("own", values["one"]) == values["one"].step() == values["bound"]()
    assert "class" == values["plain"]()


def test_a_local_class_with_all_that_classes_have(again):
    class Base(abc.ABC):
        registry = []

        @abc.abstractmethod
        def area(self): ...

    @dataclass
    class Square(Base):
        side: float
        __hash__ = object.__hash__

        def area(self):
            return self.side**2

        @property
        def double(self):
            return self.side * 2

        @staticmethod
        def unit():
            return Square(1)

        @classmethod
        def of(cls, side):
            return cls(side)

        def __repr__(self):
            return "square " + super().__repr__()[:0]

    class Slots:
        __slots__ = ("a", "b")

    slots = Slots()
    slots.a = 5

    values = again(square=Square(3.0), kind=Square, base=Base, slots=slots, log=Base.registry)

    square, kind = values["square"], values["kind"]
    assert type(square) is kind is type(square.unit())
    assert (9.0, 6.0, "square ") == (square.area(), square.double, repr(square))
    assert kind(2) == kind.of(2)
    assert values["base"] in kind.__mro__
    assert values["log"] is kind.registry
    with pytest.raises(TypeError, match="abstract"):
        values["base"]()
    assert (5, False) == (values["slots"].a, hasattr(values["slots"], "b"))
    with pytest.raises(AttributeError):
        values["slots"].c = 1


def test_a_local_enum(again):
    class Colour(enum.Enum):
        RED = 1
        ALSO_RED = 1  # noqa: PIE796 - an alias
        BLUE = 2

        def twice(self):
            return self.value * 2

    values = again(colour=Colour.BLUE, kind=Colour, more=[Colour.ALSO_RED])

    assert values["colour"] is values["kind"].BLUE
    assert values["more"][0] is values["kind"].RED
    assert 4 == values["colour"].twice()


def test_cached_functions_and_proxies(again):
    @functools.lru_cache(maxsize=7)
    def slow(n):
        return n * FACTOR

    held = {"a": 1}

    values = again(slow=slow, view=types.MappingProxyType(held), held=held)

    assert (6, 7) == (values["slow"](2), values["slow"].cache_parameters()["maxsize"])
    values["held"]["b"] = 2
    assert 2 == values["view"]["b"]


def test_code_like_things_go_as_islands(again):
    values = again(slot=int.__add__, bound=(5).__add__)

    assert 3 == values["slot"](1, 2)
    assert 7 == values["bound"](2)


PROGRAM = """
import sys, pathlib, pickle
from dataclasses import dataclass
from resume.pickling import encode, decode

@dataclass
class Point:
    x: int

def scale(p, by=2):
    return Point(p.x * by)

def make(n):
    return lambda p: Point(p.x + n)

def local():
    class Local:
        kind = "local"
    return Local()

if __name__ == "__main__":
    {body}
"""
SAVE = """
    roots = dict(points=[Point(1)], scale=scale, add=make(5), cls=Point, local=local(),
                 hooks={"scale": scale})
    pathlib.Path("state").write_bytes(encode(roots, anchors={"points": roots["points"]}).stream)
"""
READ = """
    v = decode(pathlib.Path("state").read_bytes(), []).values
    assert type(v["points"][0]) is Point is v["cls"]
    assert v["scale"] is scale is v["hooks"]["scale"]
    assert v["add"](v["points"][0]) == Point(6)
    assert v["local"].kind == "local"
    print("ok")
"""
READ_ELSEWHERE = """
import pathlib
from resume.pickling import decode
v = decode(pathlib.Path("state").read_bytes(), [], stand_ins=True).values
assert v["points"][0].x == 1, v
assert v["scale"].__name__ == "scale"
print("ok")
"""


@pytest.mark.parametrize(
    "reader", [PROGRAM.replace("{body}", READ), READ_ELSEWHERE], ids=["rerun", "elsewhere"]
)
def test_another_process_reads_it(run_program, reader):
    """A rerun uses the functions and classes that it has defined again; others read it as well."""
    saved = run_program(PROGRAM.replace("{body}", SAVE))
    assert 0 == saved.returncode, saved.stderr

    read = run_program(reader)

    assert ("ok\n", 0) == (read.stdout, read.returncode), read.stderr


def test_the_order_of_buffers_is_that_of_the_roots():
    """A function's large defaults leave the stream as the rest does."""
    big = b"x" * 100_000
    encoded = encode({"f": lambda data=big: data, "g": [big]})

    values = decode(encoded.stream, fresh(encoded)).values

    assert ["f"] == [buffer.path for buffer in encoded.buffers]
    assert values["f"]() is values["g"][0]
