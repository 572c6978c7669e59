"""What stands on a live stack, and when it is no time to take it apart."""
# ruff: noqa: E501 - reasons stand in one piece

from __future__ import annotations

import _thread
import gc
import sys
import threading
import types
import weakref

import pytest
from stack_programs import PROGRAMS
from stopping import CONSTRUCTS, SLOW, Left, Machine, every_line, plain_log, quiet_heap

from resume.reentry.records import Postponed
from resume.reentry.walking import generator_record, no_other_thread, root_of, walk
from resume.rewrite import Entry

PROGRAMS = {**CONSTRUCTS, **PROGRAMS}


def standing(source: str, mark: str) -> tuple[Machine, object]:
    """A program that stands at the first line that holds *mark*; leave it when done."""
    machine = Machine(SLOW + source)
    lines = machine.source.splitlines()
    held = machine.start()
    frame = held.run(1)
    while frame is not None and mark not in lines[frame.f_lineno - 1]:
        frame = held.run(1)
    assert frame is not None
    return machine, frame


def test_what_a_record_holds():
    """Where each frame is, its bound variables that lie in no cell, and the cells."""
    machine, frame = standing(
        "def main(a):\n    n = 1\n    unbound = lambda: (n, later)\n    for x in [1, 2]:\n"
        "        inside(a)\n    later = 2\ndef inside(b):\n    for _ in range(1):\n"
        "        note('here')\nmain(7)\n",
        "'here'",
    )

    stack = machine.walk(frame)

    module, main, inside = stack.every
    assert stack.frames == stack.every
    assert {} == stack.running
    assert ("program", 0, Entry.CALL, {}, {}, 15) == (
        module.module, module.block, module.entry, module.values, module.cells, module.line,
    )  # fmt: skip
    assert {"a": 7, "x": 1} == {k: v for k, v in main.values.items() if k in "ax"}
    assert {"a", "x", "unbound", ".i1"} == set(main.values)
    assert list(main.cells) == ["later", "n"] or list(main.cells) == ["n", "later"]
    assert main.values["unbound"].__closure__ == (main.cells["later"], main.cells["n"])
    assert ("main", "main", Entry.CALL, 10) == (main.qualname, main.name, main.entry, main.line)
    assert (Entry.BEFORE, 14, {"b", "_", ".i1"}) == (
        inside.entry, inside.line, set(inside.values),
    )  # fmt: skip
    machine.leave()


def test_generators_on_the_stack_are_apart():
    """They are not entered, but go on when they are asked; people see them all the same."""
    machine, frame = standing(
        "def g():\n    for _ in range(1):\n        note('here')\n    yield 1\n"
        "def main():\n    for x in g():\n        note(x)\nmain()\n",
        "'here'",
    )

    stack = machine.walk(frame)

    assert ["<module>", "main"] == [record.qualname for record in stack.frames]
    assert ["<module>", "main", "g"] == [record.qualname for record in stack.every]
    assert {id(frame): stack.every[-1]} == stack.running
    machine.leave()


def test_a_walk_leaves_nothing_behind():
    """What a frame lets go afterwards is gone, though the walk has read its variables."""
    source = (
        "class Thing: pass\ndef main():\n    thing = Thing()\n    see(thing)\n"
        "    key = lambda: thing\n    slow('here')\n    del thing\n    slow('gone')\nmain()\n"
    )
    seen = []
    machine = Machine(SLOW + source)
    held = machine.start(see=lambda thing: seen.append(weakref.ref(thing)))
    lines = machine.source.splitlines()
    frame = held.run(1)
    while "'here'" not in lines[frame.f_lineno - 1]:
        frame = held.run(1)
    machine.walk(frame)
    while "'gone'" not in lines[frame.f_lineno - 1]:
        frame = held.run(1)

    assert seen[0]() is None

    del frame
    held.finish()
    machine.leave()


def test_thousand_frames_are_walked_with_one_search():
    """The cells of a deep recursion are found together, and are those of each frame."""
    machine, frame = standing(
        "def down(n):\n    for _ in range(1):\n        if n == 0:\n            note('here')\n"
        "            return 0\n        return 1 + down(n - 1)\n    return lambda: n\n"
        "note(down(300))\n",
        "'here'",
    )

    stack = machine.walk(frame)

    assert 302 == len(stack.frames)
    assert list(range(300, -1, -1)) == [each.cells["n"].cell_contents for each in stack.frames[1:]]
    held = machine.go_on(stack)
    held.finish()
    assert machine.log == ["here", 300]
    machine.leave()


def test_a_cell_is_that_of_the_frame_and_not_of_a_later_closure():
    """A callee that was made anew while it runs has the same code, and other cells."""
    source = SLOW + (
        "def make(n):\n    def f():\n        global now\n        now = make(n + 1)\n"
        "        slow(n)\n        return n\n    return f\nnow = make(1)\nnote(now())\n"
        "note(now())\n"
    )

    assert every_line(source).points > 8


def test_the_root_is_found_on_the_stack():
    """The module's own frame, outermost where there are two; none in another module."""
    machine, frame = standing("def main():\n    slow('here')\nmain()\n", "'here'")

    root = root_of(machine.program, "program", frame)

    assert root is frame.f_back
    assert root_of(machine.program, "other", frame) is None
    machine.leave()


def test_a_function_can_be_the_root():
    """For a decorated function nothing outside of it is looked at."""
    machine, frame = standing(
        "def main():\n    return sorted([slow('here')])\ndef slow2(x):\n    slow(x)\n"
        "note(sorted([1], key=lambda x: main()))\n",
        "'here'",
    )

    stack = walk(machine.program, frame, root=frame, at_line=True)

    assert ["main"] == [record.qualname for record in stack.frames]
    with pytest.raises(Postponed):
        machine.walk(frame)
    machine.leave()


def test_a_frame_of_another_stack_is_no_root():
    """A root that is not around the frame is not met."""
    machine, frame = standing("slow('here')\n", "'here'")

    with pytest.raises(Postponed):
        walk(machine.program, frame, root=sys._getframe(), at_line=True)

    machine.leave()


def test_code_in_another_namespace_is_not_the_program():
    """The same code, executed once more elsewhere, has globals that are not saved."""
    machine, frame = standing("slow('here')\n", "'here'")
    machine.program.add("program", machine.module, dict(machine.names))

    with pytest.raises(Postponed, match="runs in a copy of program"):
        walk(machine.program, frame, root=frame, at_line=True)

    machine.leave()


def test_a_namespace_of_its_own_is_not_the_module():
    """A module's code that was executed with other locals than globals."""
    machine = Machine(SLOW + "x = 1\nslow(x)\n")
    machine.start()
    held = machine.hold(lambda: exec(machine.module.code, machine.names, {}))
    frame = held.run(1)

    with pytest.raises(Postponed, match="with a namespace of its own"):
        machine.walk(frame)

    held.finish()


class SafePoint:
    """Saves where it is called, as an explicit safe point does."""

    def __init__(self):
        self.stacks = []
        self.machine = None
        self.last = 0

    def sync(self):
        frame = sys._getframe(1)
        stack = self.machine.walk(frame, at_line=False, safe_points=[self.sync])
        self.stacks.append(stack)
        if len(self.stacks) == self.last:
            raise Left


def begin(machine: Machine, **given: object) -> None:
    """Run a program here: it stops by itself."""
    machine.start(**given)
    exec(machine.module.code, machine.names)


@pytest.mark.parametrize("call", ["sync()", "point.sync()", "note([slow(1), sync(), slow(2)])"])
def test_an_explicit_safe_point_is_done_when_the_program_goes_on(call):
    """The frame that called it goes on behind the call, whose value is None."""
    source = (
        SLOW + f"def main():\n    for i in range(2):\n        {call}\n        note(i)\nmain()\n"
    )
    point = SafePoint()
    machine = point.machine = Machine(source)
    with quiet_heap():
        begin(machine, sync=point.sync, point=point)
        expected = list(machine.log)
        for last in (1, 2):
            point.stacks, point.last = [], last
            with pytest.raises(Left):
                begin(machine, sync=point.sync, point=point)
            stack, point.last = point.stacks[-1], 0
            machine.entering.take(stack.frames)
            machine.entering.enter()

            assert Entry.DONE is stack.every[-1].entry
            assert expected == machine.log
    machine.leave()


@pytest.mark.parametrize(
    ("program", "why"),
    [
        ("def main():\n    again()\nmain()\n", "by way of `again`, which is `"),
        ("def main():\n    for _ in [1]:\n        x = point.late\nmain()\n", "call: an operator"),
        ("class A:\n    sync()\n", "`A` runs: the body of a class"),
        ("def main():\n    try:\n        pass\n    finally:\n        sync()\nmain()\n", "finally"),
        ("def main():\n    (lambda x=sync(): x)()\nmain()\n", "no frame can be entered again"),
        ("def main():\n    gone.sync()\nmain()\n", "no plain call: "),
    ],
)
def test_an_explicit_safe_point_that_is_none(program, why):
    """It must be called as what it is: nothing else may wait for its value."""
    reasons = []

    class Point(SafePoint):
        def sync(self):
            frame = sys._getframe(1)
            try:
                self.machine.walk(frame, at_line=False, safe_points=[SafePoint.sync])
            except Postponed as postponed:
                reasons.append(str(postponed))

        late = property(sync)

        def __getattr__(self, name):
            return self.sync

    point = Point()
    machine = point.machine = Machine(SLOW + program)

    class Gone:
        sync = property(lambda self: point.sync)

    begin(machine, sync=point.sync, again=point.sync, point=point, gone=Gone())

    assert why in "".join(reasons), reasons
    machine.leave()


# -- generators that wait

GENERATORS = """
def g(n):
    for i in range(n):
        got = yield i
        note(got)
def outer():
    k = 1
    def see():
        return k
    yield from g(2)
    yield k
def tiny():
    return sorted([1], key=lambda x: (yield))
"""


def generators() -> Machine:
    machine = Machine(SLOW + GENERATORS)
    machine.start().finish()
    return machine


def test_a_generator_that_waits():
    """Its record has the yield, the variables and the names that it was given."""
    machine = generators()
    generator = machine.names["g"](2)
    next(generator)
    generator.__name__, generator.__qualname__ = "name", "A.qualname"

    record = generator_record(machine.program, generator)
    made = machine.entering.make_generator(record)

    assert (Entry.YIELD, "name", "A.qualname") == (record.entry, record.name, record.qualname)
    assert ("name", "A.qualname") == (made.__name__, made.__qualname__)
    assert {} == record.values
    assert 1 == made.send("sent")
    assert ["sent"] == machine.log
    assert generator_record(machine.program, made).position == record.position
    machine.leave()


def test_a_generator_that_hands_on():
    """It waits in `yield from`, with the iterator that it hands on to, and shares its cell."""
    machine = generators()
    generator = machine.names["outer"]()
    next(generator)

    record = generator_record(machine.program, generator)
    inner = record.values[".y"]
    see = record.values["see"]
    made = machine.entering.make_generator(record)

    assert record.cells["k"] is see.__closure__[0]
    assert 1 == made.send("sent")
    record.cells["k"].cell_contents = 5
    assert [5] == list(made)
    assert inner.gi_frame is None
    machine.leave()


def test_a_generator_that_has_not_begun():
    """Made again, and made again before it begins, it begins at its first line."""
    machine = generators()
    first = generator_record(machine.program, machine.names["g"](2))

    made = machine.entering.make_generator(first)
    again = generator_record(machine.program, made)
    values = dict(again.values)
    twice = machine.entering.make_generator(again)

    assert (Entry.START, Entry.START) == (first.entry, again.entry)
    assert {"n": 2} == values
    assert [0, 1] == list(twice)
    machine.leave()


def test_generators_that_have_no_record():
    """Foreign ones, running ones, and those that are over."""
    machine = generators()
    over = machine.names["g"](0)
    list(over)

    def foreign():
        yield 1

    with pytest.raises(Postponed, match="no code of the program"):
        generator_record(machine.program, foreign())
    with pytest.raises(ValueError, match="`g` is over"):
        generator_record(machine.program, over)
    machine.leave()


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ("try:\n        pass\n    finally:\n        yield 1\n", "waits where no frame can"),
        (
            "raise ValueError((yield 1)) from (yield 2)\n",
            "the cause of an exception is made in `g`",
        ),
        ("match 1:\n        case x if (yield 1):\n            pass\n", "waits where no frame can"),
        ("x.f((yield 1))\n", "`g` cannot be entered again: `x.f`, looked up before, is no plain"),
    ],
)
def test_generators_that_wait_where_none_can_be_entered(body, why):
    """At such a yield the save waits for the next one."""
    machine = Machine(f"def g(x):\n    {body}")
    machine.start().finish()
    generator = machine.names["g"](types.SimpleNamespace(f=id))
    next(generator)

    with pytest.raises(Postponed, match=why):
        generator_record(machine.program, generator)

    machine.leave()


def test_a_generator_can_be_the_root():
    """It is a decorated function's then; nobody is known to ask it."""
    machine, frame = standing(
        "def g():\n    for _ in range(1):\n        note('here')\n    yield 1\nlist(g())\n", "'here'"
    )

    stack = walk(machine.program, frame, root=frame, at_line=True)

    assert ((), "g", {id(frame)}) == (stack.frames, stack.every[0].name, set(stack.running))
    machine.leave()


def test_a_generator_that_runs_has_no_record():
    """It can be asked only by the frames that are taken apart with it."""
    source = (
        "def g():\n    for _ in range(1):\n        note('here')\n    yield 1\n"
        "def main():\n    note(list(map(str, it)))\nit = g()\nmain()\n"
    )
    machine, _ = standing(source, "'here'")

    with pytest.raises(Postponed, match="`g` runs below C code"):
        generator_record(machine.program, machine.names["it"])

    machine.leave()


def test_another_thread_is_not_the_program():
    """Its outermost frame is not the root."""
    machine = Machine(SLOW + "def work(lock):\n    for _ in range(1):\n        lock.acquire()\n")
    machine.start().finish()
    lines = machine.source.splitlines()
    lock = threading.Lock()
    lock.acquire()
    number = _thread.start_new_thread(machine.names["work"], (lock,))
    frame = None
    while (
        frame is None
        or frame.f_code.co_name != "work"
        or "acquire" not in lines[frame.f_lineno - 1]
    ):
        frame = sys._current_frames().get(number)

    with pytest.raises(Postponed, match="`work` runs in another thread"):
        walk(
            machine.program,
            frame,
            root=sys._getframe(),
            at_line=False,
            safe_points=[type(lock).acquire],
        )

    lock.release()
    machine.leave()


def test_other_threads_of_the_program_postpone():
    """Nothing of them would be saved; threads of others do not matter."""
    machine, _ = standing("slow('here')\n", "'here'")

    with pytest.raises(Postponed, match="`slow` runs in another thread|module program runs in"):
        no_other_thread(machine.program)
    machine.leave()

    no_other_thread(machine.program)


def test_what_defines_functions_again_is_no_place_to_go_on():
    """Before a module is entered again, its definitions run alone."""
    machine = Machine(SLOW + "def f():\n    slow(1)\nx = 1\n")
    machine.start().finish()
    place = next(
        p
        for p in machine.module.places(0).values()
        if p.line == max(q.line for q in machine.module.places(0).values())
    )
    code = machine.module.definitions(place.number)
    held = machine.hold(lambda: exec(code, machine.names))

    with pytest.raises(Postponed, match="the module program defines its functions again"):
        machine.walk(held.run(1))

    machine.leave()


def test_cells_that_cannot_be_found_postpone():
    """A cell that the collector does not see, and that no function at hand has."""
    machine, frame = standing(
        "def main(n):\n    slow('here')\n    return lambda: n\nmain(1)\n", "'here'"
    )
    with quiet_heap(), pytest.raises(Postponed, match="what `main` shares as `n` was not found"):
        machine.walk(frame)
    gc.unfreeze()

    stack = machine.walk(frame)

    assert 1 == stack.frames[1].cells["n"].cell_contents
    machine.leave()
    gc.freeze()  # as before: see conftest.py


def test_methods_of_what_is_above_are_found():
    """`super().name.method()` calls what the attribute of a class above holds."""
    source = SLOW + (
        "class T:\n    def go(self):\n        return slow(1)\nclass A:\n    tool = T()\n"
        "class B(A):\n    tool = None\n    def m(self):\n        return super().tool.go()\n"
        "note(B().m())\n"
    )

    machine = every_line(source)

    assert [] == machine.postponed


def walked_at_every_line(source: str) -> tuple[Machine, int]:
    """Run a program whose own trace function walks the stack at each line, and lets it go on."""
    machine, walks = Machine(source), 0
    machine.start()

    def trace(frame: types.FrameType, event: str, arg: object) -> object:
        nonlocal walks
        if machine.program.find(frame.f_code) is None:
            return None
        if event == "line":
            try:
                machine.walk(frame)
                walks += 1
            except Postponed as why:
                machine.postponed.append(str(why))
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        exec(machine.module.code, machine.names)
    finally:
        sys.settrace(before)
    return machine, walks


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_program_that_is_watched_runs_as_ever(name):
    """Walked by a trace function at every line, in its own thread, it notes the same."""
    with quiet_heap():
        machine, walks = walked_at_every_line(PROGRAMS[name])

    assert plain_log(PROGRAMS[name]) == machine.log
    assert walks > 5


def test_variables_without_a_value_stay_so_when_they_are_watched():
    """The search for a cell writes into it; from a trace function, 3.11 and 3.12 write once more."""
    source = SLOW + (
        "def main(n):\n    for i in range(2):\n        try:\n            slow(later)\n"
        "        except NameError:\n            note('unbound')\n    later = slow(1)\n"
        "    del later\n    try:\n        later\n    except NameError:\n        note('deleted')\n"
        "    return lambda: (n, later)\nmain(3)\n"
    )

    with quiet_heap():
        machine, walks = walked_at_every_line(source)

    assert plain_log(source) == machine.log
    assert walks > 10
