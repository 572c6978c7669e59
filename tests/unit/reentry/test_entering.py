"""A program that is stopped anywhere, and entered again, ends as if nothing had happened."""

from __future__ import annotations

import itertools
import sys
import weakref
from collections.abc import Callable, Iterator
from dataclasses import replace
from types import FrameType, TracebackType

import pytest
from stack_programs import PROGRAMS
from stopping import CONSTRUCTS, SLOW, Held, Machine, every_line, plain_log, quiet_heap

from resume.errors import RestoreError
from resume.reentry.entering import Entering, exact
from resume.reentry.records import FrameRecord
from resume.rewrite import Entry

PROGRAMS = {**CONSTRUCTS, **PROGRAMS}


@pytest.mark.shared
@pytest.mark.parametrize("name", PROGRAMS)
def test_goes_on_from_every_line(name):
    machine = every_line(PROGRAMS[name])

    print(machine.points, machine.replaced, sorted(set(machine.postponed)))
    assert machine.points >= 5


@pytest.mark.shared
@pytest.mark.parametrize("name", PROGRAMS)
def test_goes_on_any_number_of_times(name):
    """What goes on is stopped again a few lines later, and again, until the end."""
    machine = every_line(PROGRAMS[name], *[3] * 30, stride=17)

    assert machine.points >= 1
    assert machine.most_stops >= 4


def at(machine: Machine, mark: str, **given: object) -> tuple[Held, FrameType]:
    """Start a program, and stop at the first line that holds *mark*."""
    held, lines = machine.start(**given), machine.source.splitlines()
    frame = held.run(1)
    while frame is not None and mark not in lines[frame.f_lineno - 1]:
        frame = held.run(1)
    assert frame is not None
    return held, frame


def test_a_deep_recursion_needs_no_more_of_the_stack_than_before():
    """Entered under a limit that leaves no room for frames of ours, or for the compiler."""
    machine = Machine(
        "def down(n):\n    for _ in range(1):\n        if n == 0:\n            'here'\n"
        "            look()\n            return 0\n        return 1 + down(n - 1)\n"
        "note(down(600))\n"
    )
    depths = []

    def look():
        frame, depth = sys._getframe(), 0
        while frame is not None:
            frame, depth = frame.f_back, depth + 1
        depths.append(depth)

    machine.start(look=look).finish()
    held, frame = at(machine, "look()", look=look)
    stack = machine.walk(frame)
    held = machine.go_on(stack)
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(depths[0] + 12)
    try:
        held.finish()
    finally:
        sys.setrecursionlimit(limit)
        machine.leave()

    assert depths[0] == depths[1]
    assert [600] == machine.log


def test_nothing_grows_over_fifty_stops():
    """No frame is added, and at places that were entered before no code is made."""
    source = SLOW + (
        "class A:\n    def __init__(self, n):\n        self.n = inner(n)\n"
        "def inner(n):\n    total = 0\n    def add(x):\n        nonlocal total\n"
        "        for _ in range(1):\n            total += slow(x)\n        return total\n"
        "    for i in range(n):\n        yields(i)\n        add(i)\n    return total\n"
        "def yields(n):\n    for x in made(n):\n        slow(x)\n"
        "def made(n):\n    with Opened(n) as k:\n        yield slow(k)\n"
        "class Opened:\n    def __init__(self, n):\n        self.n = slow(n)\n"
        "    def __enter__(self):\n        return self.n\n    def __exit__(self, *e):\n"
        "        return None\n"
        "note(A(7).n)\n"
    )
    expected = plain_log(source)
    machine = Machine(source)
    depths = []
    with quiet_heap():
        held = machine.start()
        for _ in range(50):
            stack = machine.stop(held, 3)
            depths.append(len(stack.every))
            held = machine.go_on(stack)
        held.finish()
        log = list(machine.log)
        machine.leave()
        tables = len(machine.module.tables)
        again = machine.run(*[3] * 50)

    assert expected == log == again
    assert max(depths) == 7
    assert tables == len(machine.module.tables)


def test_a_record_tells_nothing_of_earlier_stops():
    """A frame that was entered holds the names that it would have held."""
    machine = Machine(
        SLOW + "class A:\n    def __init__(self):\n        for k in [1]:\n            slow(k)\n"
        "def main():\n    for i in [1, 2]:\n        while i:\n            A()\n"
        "            slow(i)\n            i -= 1\nmain()\n"
    )
    held, seen, made = machine.start(), set(), set()
    while (stack := machine.stop(held, 3)) is not None:
        for record in stack.every:
            seen.update(record.values)
            made.add((".made" in record.values, record.entry is Entry.CONSTRUCTOR))
        held = machine.go_on(stack)
    machine.leave()

    assert {".i1", ".made", "i", "k", "self", "x", "more", "_"} == seen
    assert {(True, True), (False, False)} == made


FAILS = (
    SLOW
    + """
class A:
    def __init__(self, n):
        self.n = deep(n)
def deep(n):
    for x in made(n):
        slow(x)
    if n:
        return (
            1 + deep(
                n - 1
            )
        )
    return slow(n) + abs(
        1 / n
    )
def made(n):
    with Opened():
        yield slow(n)
class Opened:
    def __enter__(self):
        pass
    def __exit__(self, *e):
        pass
A(2)
"""
)


def raised(act: Callable[[], object]) -> list[tuple[object, ...]]:
    """Run *act*; return where in the program each line of the traceback stands, with columns."""
    with pytest.raises(ZeroDivisionError) as caught:
        act()
    return list(_places(caught.value.__traceback__))


def _places(trace: TracebackType | None) -> Iterator[tuple[object, ...]]:
    while trace is not None:
        code = trace.tb_frame.f_code
        if code.co_filename == "<program>":
            position = next(itertools.islice(code.co_positions(), trace.tb_lasti // 2, None))
            yield (code.co_qualname, trace.tb_lineno, *position)
        trace = trace.tb_next


def test_tracebacks_are_those_of_the_plain_run():
    """Functions, lines and columns; nothing of ours stands between the program's frames."""
    names = {"note": len, "__name__": "program"}
    expected = raised(lambda: exec(compile(FAILS, "<program>", "exec"), dict(names, note=id)))
    machine = Machine(FAILS)
    seen = 0
    with quiet_heap():
        for lines in itertools.count(1):
            held = machine.start()
            stack = machine.stop(held, lines)
            if stack is None:
                break
            seen += 1
            found = raised(machine.go_on(stack).finish)
            machine.leave()

            assert expected == found, f"stopped at line event {lines}"
        machine.leave()
    assert seen > 60
    assert len(expected) == 5


def test_what_is_entered_is_kept_by_nobody():
    """Records are emptied, so what the program lets go is gone."""
    machine = Machine(
        SLOW + "class Thing: pass\ndef main():\n    thing = Thing()\n    see(thing)\n"
        "    slow('here')\n    del thing\n    see(None)\nmain()\n"
    )
    seen = []

    def see(thing):
        seen.append(weakref.ref(thing) if thing else seen[0]() is None)

    _, frame = at(machine, "'here'", see=see)
    stack = machine.walk(frame)
    held = machine.go_on(stack)
    for left in machine._held[:-1]:
        left.leave()
    del machine._held[:-1], frame

    held.finish()

    assert [{}, {}] == [record.values for record in stack.frames]
    assert [seen[0], True] == seen
    machine.leave()


def test_frames_are_left_until_the_last_one_is_entered():
    """Until then what runs is no state of the program."""
    machine = Machine(SLOW + "def main():\n    slow('here')\nmain()\n")
    _, frame = at(machine, "note")
    stack = machine.walk(frame)
    entering = machine.entering
    left = [entering.has_frames_left]

    entering.take(stack.frames)
    left.append(entering.has_frames_left)
    machine.hold(entering.enter).finish()
    left.append(entering.has_frames_left)

    assert [False, True, False] == left
    assert [("slow", "here")] == machine.log
    machine.leave()


def test_a_module_can_be_executed_by_others():
    """`module_code` gives what goes on in the module's namespace; its hidden names are there."""
    machine = Machine(SLOW + "for x in [1, 2]:\n    slow(x)\nnote('end')\n")
    _, frame = at(machine, "slow(x)")
    module, *inner = machine.walk(frame).frames
    machine.leave()
    names = {"__name__": "program", "x": 1, "note": machine.log.append, "slow": machine.log.append}
    machine.program.add("program", machine.module, names)

    code = machine.entering.module_code(module)
    exec(code, names)

    assert [] == inner
    assert {} == module.values
    assert [1, 2, "end"] == machine.log


def test_more_can_be_told_of_where_a_record_goes_on():
    """As that an iterable is to be evaluated again: `again` is asked for the rest of it."""
    machine = Machine(SLOW + "def main():\n    for x in [1, 2, 3]:\n        slow(x)\nmain()\n")
    _, frame = at(machine, "slow(x)")
    stack = machine.walk(frame)
    asked = []

    def where(record: FrameRecord) -> object:
        found = exact(record)
        asked.append(record.qualname)
        return replace(found, again=frozenset({".i1"} & set(found.bound)))

    entering = Entering(machine.program, where=where)
    entering.take(stack.frames)
    machine.entering._ready.extend(entering._ready)
    machine.hold(machine.entering.enter).finish()
    machine.leave()

    assert {"<module>", "main"} == set(asked)
    assert [("slow", 1), ("slow", 2), ("slow", 3)] == machine.log


def test_a_record_of_another_source_is_refused():
    """Nothing is entered, and the error says what to do."""
    machine = Machine("def f():\n    slow()\n    f()\n")
    machine.start().finish()
    good = FrameRecord("program", 1, 1, Entry.START, {"x": 1})
    bad = FrameRecord("program", 1, 77, Entry.BEFORE)

    with pytest.raises(RestoreError, match="no position 77"):
        machine.entering.take([good, bad])

    assert not machine.entering.has_frames_left
    assert {"x": 1} == good.values
    machine.leave()


def test_a_generator_may_be_among_its_own_values():
    """It is begun before the values are known, and brought to its yield afterwards."""
    machine = Machine("def g(me):\n    got = yield 1\n    note(got is me)\n")
    machine.start().finish()
    place = next(p for p in machine.module.places(1).values() if p.kind.value == "yield")
    values = {"me": None}
    record = FrameRecord("program", 1, place.number, Entry.YIELD, values)

    generator = machine.entering.begin_generator(record)
    values["me"] = generator
    machine.entering.bring_to_yield(generator)

    assert ("g", "g") == (generator.__name__, generator.__qualname__)
    with pytest.raises(StopIteration):
        generator.send(generator)
    assert [True] == machine.log
    machine.leave()


def test_generators_that_are_not_ours_are_left_alone():
    """There is no yield to bring them to."""
    machine = Machine("x = 1\n")
    machine.start().finish()
    foreign = (x for x in [1])

    machine.entering.bring_to_yield(foreign)

    assert [1] == list(foreign)
    machine.leave()
