"""Functions, generators and classes of a program go through a state, and come back as they were."""

from __future__ import annotations

import functools
import sys

import pytest
from pieces import load
from suspended import making, taking

from resume.pickling import DecodeProblem, decode, encode
from resume.reentry.records import FrameRecord
from resume.rewrite import Entry, Kind

END = 10_000_000


def round_trip(source: str, expressions: dict[str, str], *, changes: str = "", **options):
    """Run *source* and *changes*, save what *expressions* give, and restore it in a new module."""
    before = load(source)
    exec(changes, before.names)
    roots = {name: eval(text, before.names) for name, text in expressions.items()}
    look = taking(before, **options)
    encoded = encode(roots, look=look.look)
    assert () == encoded.skipped
    del sys.modules["piece"]
    after = load(source, definitions=END)
    maker = making(after)
    buffers = [memoryview(bytearray(buffer.view)) for buffer in encoded.buffers]
    values = decode(encoded.stream, buffers, own={"program": maker}).values
    maker.finish()
    return after, values


FUNCTIONS = '''
import functools, contextlib
start = 5

def plain(a, b=start, *, c=start + 1):
    """Its text."""
    for _ in range(a):
        b += c
    return b

def counted(function):
    calls = [0]
    @functools.wraps(function)
    def wrapper(*args):
        calls[0] += 1
        return calls[0], function(*args)
    return wrapper

@counted
def decorated(x):
    return [x]

def pair():
    total = 0
    def add(n):
        nonlocal total
        total += n
        return total
    def get():
        return total
    return add, get

key = lambda pair, scale=[3]: pair * scale[0]

@contextlib.contextmanager
def managed():
    yield 1

@functools.lru_cache
def cached(n):
    return n

class Base:
    def name(self):
        return "base"

class Derived(Base):
    def name(self, more=start):
        return "derived " + super().name()

    @classmethod
    def made(cls):
        return cls()

    @staticmethod
    def alone():
        return 1

    class Inner:
        pass

def maker(n):
    def inner():
        return [i + n for i in range(n)], (lambda: n)
    return inner
'''


def test_a_function_of_the_module_comes_by_name_with_its_defaults_and_attributes():
    """The definitions that run again know no default that was computed: the state brings it."""
    after, values = round_trip(
        FUNCTIONS, {"f": "plain", "list": "[plain]"}, changes="plain.seen = [plain, 7]"
    )

    assert values["f"] is after.plain
    assert values["list"][0] is after.plain
    assert (5,) == after.plain.__defaults__
    assert {"c": 6} == after.plain.__kwdefaults__
    assert [after.plain, 7] == after.plain.seen
    assert "Its text." == after.plain.__doc__


def test_functions_without_anything_of_their_own_come_by_name():
    after, values = round_trip(FUNCTIONS, {"f": "pair", "g": "Derived.alone", "h": "Base.name"})

    assert [after.pair, after.Derived.alone, after.Base.name] == list(values.values())


def test_a_decorated_function_keeps_the_state_of_its_decorator():
    after, values = round_trip(FUNCTIONS, {"f": "decorated"}, changes="decorated(1)")

    assert (2, [9]) == values["f"](9)
    assert "decorated" == values["f"].__name__
    assert "decorated" == values["f"].__wrapped__.__qualname__


def test_functions_share_their_cells_again():
    after, values = round_trip(
        FUNCTIONS, {"add": "made[0]", "get": "made[1]"}, changes="made = pair(); made[0](4)"
    )
    values["add"](3)

    assert 7 == values["get"]()
    assert values["add"].__closure__[0] is values["get"].__closure__[0]
    assert "pair.<locals>.add" == values["add"].__qualname__


def test_a_lambda_comes_by_its_block_with_its_defaults():
    after, values = round_trip(FUNCTIONS, {"key": "key"}, changes="key.__defaults__[0].append(1)")

    assert 12 == values["key"](4)
    assert ([3, 1],) == values["key"].__defaults__
    assert values["key"].__globals__ is after.names


def test_what_a_library_made_of_a_function_comes_by_name():
    after, values = round_trip(FUNCTIONS, {"managed": "managed", "cached": "[cached]"})

    assert values["managed"] is after.managed


def test_functions_inside_functions_are_code_of_the_program_again():
    """What they run can be told and entered again, as before."""
    after, values = round_trip(FUNCTIONS, {"inner": "maker(3)"})

    assert after.program.find(values["inner"].__code__) is not None
    items, last = values["inner"]()
    assert [3, 4, 5] == items
    assert 3 == last()


def test_methods_find_their_class_by_super_again():
    after, values = round_trip(
        FUNCTIONS,
        {"bound": "Derived().name", "made": "Derived.made", "raw": "Derived.name"},
    )

    assert "derived base" == values["bound"]()
    assert isinstance(values["made"](), after.Derived)
    assert values["raw"] is after.Derived.name
    assert (5,) == after.Derived.name.__defaults__


def test_classes_come_by_name_and_inner_ones_too():
    after, values = round_trip(
        FUNCTIONS, {"kinds": "[Derived, Derived.Inner, Base]", "one": "Derived()"}
    )

    assert [after.Derived, after.Derived.Inner, after.Base] == values["kinds"]
    assert type(values["one"]) is after.Derived


SOMETIMES = """
import collections
for _ in range(1):
    class Rare:
        size = 3
        def double(self):
            return self.size * 2
    def odd(n=[1]):
        return n
Point = collections.namedtuple("Point", "x y")

def local():
    class Here:
        def __init__(self, n):
            self.n = n
        def __eq__(self, other):
            return type(self) is type(other) and self.n == other.n
    return Here
"""


def test_what_no_definition_makes_again_comes_by_value():
    """A class in a loop, a class that a call has made, a function in a loop."""
    after, values = round_trip(
        SOMETIMES,
        {"rare": "[Rare, Rare()]", "odd": "odd", "point": "[Point(1, 2), Point]"},
        changes="odd.__defaults__[0].append(2)",
    )

    assert "Rare" not in after.names
    assert 6 == values["rare"][1].double()
    assert type(values["rare"][1]) is values["rare"][0]
    assert [1, 2] == values["odd"]()
    assert after.program.find(values["odd"].__code__) is not None
    assert (1, 2) == values["point"][0]
    assert type(values["point"][0]) is values["point"][1]
    assert 2 == values["point"][0].y


def test_a_class_inside_a_function_comes_by_value():
    after, values = round_trip(
        SOMETIMES, {"kind": "kind", "one": "kind(4)"}, changes="kind = local()"
    )

    assert values["kind"](4) == values["one"]
    assert after.program.find(values["kind"].__init__.__code__) is not None


GENERATORS = """
import random, itertools, contextlib

def numbers(n, scale=2):
    total = 0
    try:
        for i in range(n):
            total += i
            sent = yield i * scale, total
            if sent:
                total += sent
    finally:
        log.append(total)

log = []

def outer(n):
    result = yield from numbers(n)
    yield "end", result

def over(n):
    def inside():
        for i in range(n):
            yield i, shared
    shared = [n]
    return inside(), shared

class Walk:
    def __init__(self):
        self.steps = self.run()
        self.seen = []
    def run(self):
        me = self
        for i in range(5):
            me.seen.append(i)
            yield me

def paired(xs):
    for pair in itertools.pairwise(xs):
        yield pair

def suppressed():
    with contextlib.redirect_stdout(log) as target:
        for i in range(3):
            yield target is log, len(entered)

class Noted:
    def __enter__(self):
        entered.append("in")
    def __exit__(self, *exc):
        entered.append("out")
entered = []

def within():
    with Noted():
        for i in range(2):
            yield i

def squares():
    return (n * n for n in [1, 2, 3, 4])
"""


def test_a_suspended_generator_goes_on_behind_its_yield():
    after, values = round_trip(
        GENERATORS, {"g": "g", "same": "[g]"}, changes="g = numbers(4); next(g); next(g)"
    )
    after.names["log"] = []

    assert values["same"][0] is values["g"]
    assert (4, 13) == values["g"].send(10)
    values["g"].close()
    assert [13] == after.log


def test_a_generator_that_has_not_begun_begins():
    _, values = round_trip(GENERATORS, {"g": "numbers(2, 3)"})

    assert [(0, 0), (3, 1)] == [next(values["g"]), next(values["g"])]


def test_a_generator_that_is_over_stays_over():
    _, values = round_trip(GENERATORS, {"g": "g"}, changes="g = numbers(1); list(g)")

    assert [] == list(values["g"])
    assert "numbers" == values["g"].__name__


def test_a_generator_keeps_the_name_that_the_program_gave_it():
    _, values = round_trip(
        GENERATORS, {"g": "g"}, changes="g = numbers(3); g.__name__ = 'mine'; next(g)"
    )

    assert ("mine", "numbers") == (values["g"].__name__, values["g"].__qualname__)


def test_a_generator_in_yield_from_goes_on_inside():
    after, values = round_trip(GENERATORS, {"g": "g"}, changes="g = outer(3); next(g); next(g)")
    after.names["log"] = []

    assert [(4, 3), ("end", None)] == list(values["g"])
    assert [3] == after.log


def test_a_generator_may_hold_what_holds_it():
    """Its variables are filled in when it is there: the circle closes."""
    _, values = round_trip(
        GENERATORS, {"w": "w"}, changes="w = Walk(); next(w.steps); next(w.steps)"
    )
    walk = values["w"]

    assert next(walk.steps) is walk
    assert [0, 1, 2] == walk.seen


def test_a_generator_shares_its_cells_with_everybody():
    _, values = round_trip(
        GENERATORS, {"g": "g", "shared": "shared"}, changes="g, shared = over(3); next(g)"
    )
    values["shared"].append("more")

    assert (1, [3, "more"]) == next(values["g"])


def test_generator_expressions_go_on():
    _, values = round_trip(GENERATORS, {"g": "g"}, changes="g = squares(); next(g)")

    assert [4, 9, 16] == list(values["g"])


def test_an_iterator_in_a_generator_that_cannot_be_saved_is_made_again():
    _, values = round_trip(GENERATORS, {"g": "g"}, changes="g = paired('abcd'); next(g)")

    assert [("b", "c"), ("c", "d")] == list(values["g"])


def test_a_manager_in_a_generator_exits_what_was_entered_before():
    after, values = round_trip(GENERATORS, {"g": "g"}, changes="g = within(); next(g)")
    after.names["entered"] = []

    assert [1] == list(values["g"])
    assert ["out"] == after.entered


def test_a_manager_that_acts_on_the_process_is_entered_again():
    before = load(GENERATORS)
    generator = before.suppressed()
    out = sys.stdout
    next(generator)
    encoded = encode({"g": generator}, look=taking(before).look)
    generator.close()
    assert sys.stdout is out
    after = load(GENERATORS, definitions=END)
    after.names.update(log=[], entered=[])
    maker = making(after)
    found = decode(encoded.stream, [], own={"program": maker}).values["g"]
    assert sys.stdout is out

    maker.finish()  # names are in their places by now

    try:
        assert sys.stdout is after.log
    finally:
        found.close()
    assert sys.stdout is out


RUNNING = """
def running():
    for i in range(3):
        look()
        yield i
"""


def test_a_generator_that_runs_on_the_stack_is_what_its_record_says():
    source = GENERATORS + RUNNING
    before = load(source)
    saved = []

    def look():
        frame = generator.gi_frame
        site = before.program.find(frame.f_code)
        places = before.rewritten.places(site.table.block).values()
        call = next(place.number for place in places if place.kind is Kind.CALL)
        values = dict(frame.f_locals)
        record = FrameRecord("piece", site.table.block, call, Entry.DONE, values)
        known = taking(before, running={id(frame): record})
        saved.append(encode({"g": generator}, look=known.look))
        saved.append(encode({"g": generator}, look=taking(before).look).skipped[0].why)

    before.names["look"] = look
    generator = before.running()
    next(generator)
    after = load(source, definitions=END)
    after.names["look"] = lambda: None
    maker = making(after)
    found = decode(saved[0].stream, [], own={"program": maker}).values["g"]
    maker.finish()

    assert [0, 1, 2] == list(found)
    assert "runs, but not on this stack" in saved[1]


def test_foreign_generators_and_postponed_ones_are_refused_with_the_reason():
    from resume.reentry.records import Postponed
    from resume.reentry.reducers import Taking

    before = load(GENERATORS)

    def refuse(generator):
        raise Postponed("a finally block runs")

    look = Taking(before.program, refuse).look
    encoded = encode({"f": (n for n in [1]), "g": [before.numbers(3)]}, look=look)

    assert ["f", "g[0]"] == [skip.path for skip in encoded.skipped]
    assert "place in its code" in encoded.skipped[0].why
    assert "numbers: a finally block runs" in encoded.skipped[1].why


def test_a_local_of_a_generator_that_cannot_be_saved_is_told_by_its_name():
    before = load(
        "def g():\n    m = memoryview(b'').__iter__()\n    for i in [1, 2]:\n        yield m\n"
    )
    generator = before.g()
    next(generator)

    encoded = encode({"x": [generator]}, look=taking(before).look)

    assert ["x[0].m"] == [skip.path for skip in encoded.skipped]


def test_a_cell_that_is_blank_comes_back_empty():
    before = load(FUNCTIONS)
    add, get = before.pair()
    cell = add.__closure__[0]
    look = taking(before, blank={id(cell)}).look
    encoded = encode({"cells": (cell,), "add": add, "get": get}, look=look)
    after = load(FUNCTIONS, definitions=END)

    values = decode(encoded.stream, [], own={"program": making(after)}).values
    values["cells"][0].cell_contents = 40

    assert 41 == values["add"](1)
    assert 41 == values["get"]()


def test_a_program_whose_source_has_changed_is_told():
    before = load(FUNCTIONS)
    encoded = encode({"key": before.key}, look=taking(before).look)
    after = load("x = 1\n", definitions=END)

    with pytest.raises(DecodeProblem, match="holds a function number"):
        decode(encoded.stream, [], own={"program": making(after)})
    with pytest.raises(DecodeProblem, match="part of a program that was rewritten"):
        decode(encoded.stream, [])


def test_a_name_that_is_gone_is_told():
    before = load(FUNCTIONS)
    encoded = encode({"kind": before.Base}, look=taking(before).look)
    after = load("x = 1\n", definitions=END)

    with pytest.raises(DecodeProblem, match="piece has no Base"):
        decode(encoded.stream, [], own={"program": making(after)})


def test_a_function_whose_name_means_something_else_now_is_made_of_its_block():
    before = load(FUNCTIONS)
    encoded = encode({"f": before.plain}, look=taking(before).look)
    after = load(FUNCTIONS, definitions=END)
    after.names["plain"] = functools.partial(int)

    found = decode(encoded.stream, [], own={"program": making(after)}).values["f"]

    assert 17 == found(2)
    assert "plain" == found.__qualname__
