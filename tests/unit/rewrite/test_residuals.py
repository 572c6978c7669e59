"""A program that is stopped anywhere goes on in residuals as if nothing had happened."""

from __future__ import annotations

import dataclasses
import sys
import types
import warnings

import pytest
from resumable_programs import PROGRAMS, SLOW
from rewriting import Queue, delegate, every_stop, make_helpers, stopped_run

from resume.errors import RestoreError
from resume.rewrite import MADE, Entry, Suspension, rewrite


@pytest.mark.shared
@pytest.mark.parametrize("name", PROGRAMS)
def test_goes_on_from_every_safe_point(name):
    """Stopped at each safe point in turn, the program notes what the undisturbed one notes."""
    points, _ = every_stop(PROGRAMS[name])

    assert points >= 5


@pytest.mark.shared
@pytest.mark.parametrize("name", PROGRAMS)
def test_residuals_are_stopped_and_go_on_like_any_code(name):
    """A frame that goes on in a residual can be stopped again: the ids in it are the same."""
    every_stop(PROGRAMS[name], again=True, stride=3)


def test_a_finally_block_postpones():
    """What is pending while a `finally` block runs lies on the stack: no safe point in there."""
    source = SLOW + "try:\n    slow(1)\nfinally:\n    slow(2)\n"

    _, postponed = every_stop(source)

    assert "a `finally` block runs" in postponed


def test_a_call_below_c_code_postpones():
    """A callback of `sorted` runs below C code."""
    source = SLOW + "note(sorted([2, 1], key=slow))\nslow(3)\n"

    points, postponed = every_stop(source)

    assert points >= 2
    assert any("no place" in why for why in postponed)


def test_an_empty_cell_is_shared():
    """A function holds the cell of a name that is bound only behind the position."""
    source = SLOW + (
        "def main():\n    def first():\n        return slow(second())\n    slow(1)\n"
        "    def second():\n        return slow(2)\n    note(first())\nmain()\n"
    )

    every_stop(source)


def test_the_values_of_other_names_stay_unbound():
    """A name whose only assignment lies before the position is local in the residual, too."""
    source = SLOW + (
        "def main():\n    for i in range(2):\n        if i:\n            del x\n"
        "        else:\n            x = slow(1)\n    slow(2)\n    try:\n        x\n"
        "    except UnboundLocalError:\n        note('unbound')\nx = 'global'\nmain()\n"
    )

    every_stop(source)


def test_nothing_grows():
    """The residual of a residual is the residual."""
    source = SLOW + "def main():\n    for i in range(3):\n        slow(i)\nmain()\n"
    module = rewrite(source, "<program>", make_helpers())
    block = next(b.number for b in module.blocks.values() if getattr(b.node, "name", "") == "main")
    call = next(p.number for p in module.places(block).values() if p.callee)
    where = Suspension(call, Entry.CALL, ("i", ".i1"))

    once, twice = module.residual(block, where), module.residual(block, where)

    assert once.co_code == twice.co_code
    assert [i for i in module.tables[id(once)].ids if i] == [
        i for i in module.tables[id(twice)].ids if i
    ]


def test_a_residual_looks_like_its_function():
    """Name, qualified name, file and first line are those of the function."""
    source = (
        "class A:\n    @staticmethod\n    def f(x):\n        for i in x:\n            print(i)\n"
    )
    module = rewrite(source, "program.py", make_helpers())
    block = next(number for number, b in module.blocks.items() if b.class_name == "A")
    loop = next(p.number for p in module.places(block).values() if p.iterator)

    code = module.residual(block, Suspension(loop, Entry.LOOP, ("x", ".i1")))

    assert ("f", "A.f", "program.py", 2) == (
        code.co_name,
        code.co_qualname,
        code.co_filename,
        code.co_firstlineno,
    )


def test_an_error_in_a_residual_points_at_the_source():
    """The traceback has the line of the statement that failed."""
    source = "def f(x):\n    for i in x:\n        pass\n    return 1 / 0\n"
    module = rewrite(source, "program.py", make_helpers())
    loop = next(p.number for p in module.places(1).values() if p.iterator)
    code = module.residual(1, Suspension(loop, Entry.LOOP, ("x", ".i1")))

    with pytest.raises(ZeroDivisionError) as caught:
        types.FunctionType(code, {})({"x": [], ".i1": iter([])})

    assert caught.traceback[-1].lineno + 1 == 4


def test_a_generator_goes_on_at_its_yield():
    """Primed, it waits at the yield; what is sent then arrives there."""
    source = "def g():\n    for i in [1, 2]:\n        got = yield i\n    return got\n"
    module = rewrite(source, "program.py", make_helpers())
    place = next(p.number for p in module.places(1).values() if p.kind.value == "yield")
    code = module.residual(1, Suspension(place, Entry.YIELD, ("i", ".i1")))
    generator = types.FunctionType(code, {})({"i": 1, ".i1": iter([2])})

    next(generator)

    assert generator.send("a") == 2
    with pytest.raises(StopIteration) as end:
        generator.send("b")
    assert end.value.value == "b"


def test_a_generator_that_delegates_goes_on_in_the_middle():
    """What is sent to it reaches the generator that it delegates to."""
    source = "def g(inner):\n    got = yield from inner\n    return [got]\n"
    module = rewrite(source, "program.py", make_helpers())

    def inner():
        return (yield (yield 1), (yield 2))

    half = inner()
    next(half)
    place = next(p.number for p in module.places(1).values() if p.kind.value == "yield from")
    code = module.residual(1, Suspension(place, Entry.YIELD, ("inner", ".y")))
    generator = types.FunctionType(code, {})({"inner": half, ".y": half})

    next(generator)
    sent = [generator.send("a"), generator.send("b")]

    assert sent == [2, ("a", "b")]
    with pytest.raises(StopIteration) as end:
        generator.send("c")
    assert end.value.value == ["c"]


def test_delegate_forwards_errors():
    """The test's own stand-in for the helper hands thrown errors on."""

    def inner():
        try:
            yield 1
        except KeyError:
            yield "caught"

    half = inner()
    next(half)
    outer = delegate(half)
    next(outer)

    assert outer.throw(KeyError("x")) == "caught"


def test_an_iterator_can_be_made_again():
    """Where `again` names a loop's iterator, its iterable is evaluated once more, and skipped."""
    source = (
        "def f(x):\n    out = []\n    for i in iter(x):\n        out.append(i)\n    return out\n"
    )
    seen = []

    def again(iterator, iterable):
        seen.append(iterator)
        return iter(list(iterable)[iterator:])

    helpers = make_helpers()
    module = rewrite(
        source,
        "program.py",
        type(helpers)(
            **{
                name: again if name == "again" else getattr(helpers, name)
                for name in helpers.__dataclass_fields__
            }
        ),
    )
    loop = next(p.number for p in module.places(1).values() if p.iterator)
    where = Suspension(loop, Entry.LOOP, ("x", "out", ".i1"), again=frozenset({".i1"}))
    function = types.FunctionType(module.residual(1, where), {})

    result = function({"x": [1, 2, 3], "out": [1, 2], ".i1": 2})

    assert (seen, result) == ([2], [1, 2, 3])


def test_a_context_manager_can_be_entered_again():
    """Where `reentered` names it, the item's expression is evaluated and entered once more."""
    source = "def f(make):\n    with make() as m:\n        m.go()\n        return m\n"
    module = rewrite(source, "program.py", make_helpers())
    call = next(p for p in module.places(1).values() if p.callee and p.callee.root == "m")
    where = Suspension(call.number, Entry.DONE, ("make",), reentered=frozenset({".w1"}))
    code = module.residual(1, where)
    entered = []

    class Manager:
        def __enter__(self):
            entered.append("in")
            return "m"

        def __exit__(self, *error):
            entered.append("out")

    result = types.FunctionType(code, {})({"make": Manager})

    assert (result, entered) == ("m", ["in", "out"])


def test_no_such_position_is_told():
    """A position of another source is an error that says what is safe."""
    module = rewrite("x = 1\n", "program.py", make_helpers())

    with pytest.raises(RestoreError, match="no position 77"):
        module.residual(0, Suspension(77, Entry.BEFORE))


def test_definitions_run_again_without_what_was_evaluated():
    """Imports, functions and classes above a position; defaults are the saved state's matter."""
    source = (
        "import math\nm = 5\ndef f(end=m, k=2):\n    return end, k\n"
        "if f:\n    def g():\n        return 1\nclass A:\n    x = 1\n"
        "for i in range(3):\n    print(i)\n"
        "def later():\n    pass\n"
    )
    module = rewrite(source, "program.py", make_helpers())
    loop = next(p.number for p in module.places(0).values() if p.iterator)
    names = {"__name__": "program"}

    exec(module.definitions(loop), names)

    assert names["f"]() == (None, 2)
    assert {"math", "f", "g", "A"} <= set(names)
    assert "later" not in names


def test_private_names_and_globals_are_those_of_the_function():
    """`__x` is mangled alike in a residual, and `global` holds."""
    source = SLOW + (
        "class A:\n    def f(self):\n        global __count\n        self.__x = slow(1)\n"
        "        __count = slow(2)\n        return sorted(vars(self))\nnote(A().f())\n"
        "note(_A__count)\n"
    )

    every_stop(source)


def test_helpers_are_asked_in_the_order_of_the_frames():
    """`following` gives each frame its callee, from the outermost inwards."""
    queue = Queue()
    run = stopped_run(SLOW + "def f():\n    return slow(1)\nnote(f())\n", 2)

    assert run.joined == [("slow", 1), 1]
    assert not queue.ready


def test_a_made_object_is_not_kept_by_its_hidden_name():
    """The object is let go as soon as the call that made it has its value."""
    source = "def f(A):\n    A()\n    return look()\n"
    helpers = dataclasses.replace(make_helpers(), following=lambda: lambda: None)
    module = rewrite(source, "<p>", helpers)
    place = next(each for each in module.places(1).values() if each.callee)
    code = module.residual(1, Suspension(place.number, Entry.CONSTRUCTOR, ("A", MADE)))
    names = {"look": lambda: dict(sys._getframe(1).f_locals)}

    seen = types.FunctionType(code, names)({"A": None, MADE: "made"})

    assert {"A": None, MADE: None} == seen


def test_a_residual_tells_where_it_goes_on():
    """And code that is none tells nothing."""
    module = rewrite("def f(x):\n    x()\n", "<p>", make_helpers())
    place = next(each for each in module.places(1).values() if each.callee)
    where = Suspension(place.number, Entry.CALL, ("x",))

    assert module.suspension(module.residual(1, where)) is where
    assert module.suspension(module.codes[1]) is None


HANDLERS = SLOW + (
    "import sys, traceback\n"
    "def look():\n"
    "    error = sys.exc_info()[1]\n"
    "    lines = [(f.name, f.lineno) for f in traceback.extract_tb(error.__traceback__)]\n"
    "    return lines, type(error.__context__).__name__\n"
    "class Own(Exception):\n"
    "    def __setattr__(self, name, value): note('set')\n"
    "def inner():\n"
    "    try:\n"
    "        {}['lost']\n"
    "    except KeyError:\n"
    "        raise Own('own')\n"
    "def main():\n"
    "    try:\n"
    "        1 / 0\n"
    "    except ZeroDivisionError:\n"
    "        try:\n"
    "            inner()\n"
    "        except Own as error:\n"
    "            slow(1)\n"
    "            note(look())\n"
    "    try:\n"
    "        inner()\n"
    "    except Own:\n"
    "        slow(2)\n"
    "        raise\n"
    "try:\n"
    "    main()\n"
    "except Own:\n"
    "    slow(3)\n"
    "    note(look())\n"
)


def test_a_handled_exception_looks_as_it_did():
    """Gone on with in its handler, it has the traceback and the context it had, no more."""
    points, _ = every_stop(HANDLERS)

    assert points > 10
    every_stop(HANDLERS, again=True, stride=3)


LINES = SLOW + (
    "import sys\n"
    "class Chain:\n"
    "    def add(self, *more, **named):\n"
    "        slow(1)\n"
    "        frame = sys._getframe(1)\n"
    "        places = list(frame.f_code.co_positions())\n"
    "        note(frame.f_lineno, places[frame.f_lasti // 2])\n"
    "        return self\n"
    "def main():\n"
    "    chain = Chain()\n"
    "    (chain\n"
    "        .add(1)\n"
    "        .add(\n"
    "            2,\n"
    "            k=slow(3))\n"
    "        .add(*[slow(\n"
    "            4)])\n"
    "        .add().add(5))\n"
    "    note(chain\n"
    "        .add(6) is chain)\n"
    "main()\n"
    "Chain().add(\n"
    "    7).add(\n"
    "    8)\n"
)


def test_a_suspended_call_is_where_the_compiler_puts_it():
    """Tracebacks through a residual tell the line and the columns of a call of several lines."""
    points, _ = every_stop(LINES)

    assert points > 10


def test_residuals_give_no_warnings_again():
    """The plain source has given them; and the warnings that were shown stay known as shown."""
    source = "def f(x):\n    x()\n    return 1 is x, 'a' is x\n"
    filters = list(warnings.filters)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        module = rewrite(source, "<p>", make_helpers())
        place = next(each for each in module.places(1).values() if each.callee)
        module.residual(1, Suspension(place.number, Entry.CALL, ("x",)))
        module.definitions(None)

    assert told == []
    assert filters == warnings.filters
