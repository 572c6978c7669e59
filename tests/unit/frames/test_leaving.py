"""A loop that was left is told apart from one that may as well have run out of items."""

from __future__ import annotations

import contextlib
import dis
import itertools
import sys
import textwrap

import pytest

from resume.frames import left_elsewhere


class Watch:
    """Makes an iterator, and remembers where the frame stood when it was asked and dropped."""

    def __init__(self, items=(1, 2), log=None):
        self.items, self.log = items, log if log is not None else []
        self.site = self.code = self.dropped = self.dropped_code = self.behind = None

    def loop(self, items=None):
        return Watched(self)


class Watched:
    def __init__(self, watch):
        self.watch, self.inner = watch, iter(watch.items)

    def __iter__(self):
        return self

    def __next__(self):
        frame = sys._getframe(1)
        self.watch.site, self.watch.code = frame.f_lasti, frame.f_code
        return next(self.inner)

    def __del__(self):
        frame = sys._getframe(1)
        self.watch.dropped, self.watch.dropped_code = frame.f_lasti, frame.f_code
        self.watch.behind = len(self.watch.log)


def op_at(code, lasti):
    return [op.opname for op in dis.get_instructions(code) if op.offset <= lasti][-1]


def run(source, watch, **names):
    space = {"chp": watch, "log": watch.log.append, **names}
    exec(textwrap.dedent(source).strip(), space)
    with contextlib.suppress(KeyError):
        return space["f"]()


@pytest.mark.parametrize("warm", [1, 60], ids=["cold", "specialized"])
@pytest.mark.parametrize(
    ("body", "where"),
    [
        ("for x in chp.loop(): pass", "FOR_ITER"),
        ("for x in chp.loop(): break", "POP_TOP"),
        ("for x in chp.loop(): return x", "POP_TOP"),
        ("for x in chp.loop(): return", "POP_TOP"),
        ("try:\n    for x in chp.loop(): int('x')\nexcept ValueError: pass", "CALL"),
        ("for x in chp.loop(): {}['x']", "BINARY_SUBSCR"),
    ],
)
def test_the_iterator_dies_where_the_loop_is_left(body, where, warm):
    """`f_lasti` in `__del__` names the instruction that left the loop."""
    watch = Watch()
    source = "def f():\n" + textwrap.indent(body, "    ")
    space = {"chp": watch}
    exec(source, space)

    for _ in range(warm):
        with contextlib.suppress(KeyError):
            space["f"]()

    assert watch.dropped_code is space["f"].__code__
    assert op_at(watch.code, watch.site) == "FOR_ITER"
    assert op_at(watch.code, watch.dropped) == where


def test_a_closed_generator():
    """3.11 and 3.12 unwind it where it yielded; 3.13 clears its frame without running it."""
    watch = Watch()
    space = {"chp": watch}
    exec("def f():\n    for x in chp.loop(): yield x", space)
    running = space["f"]()
    next(running)

    running.close()

    if sys.version_info >= (3, 13):
        assert watch.dropped_code is not watch.code
    else:
        assert op_at(watch.code, watch.dropped) == "YIELD_VALUE"
        assert left_elsewhere(watch.code, watch.site, watch.dropped)


CASES = {
    "runs out": ("for x in chp.loop(): pass\nlog(1)", False),
    "break": ("for x in chp.loop(): break", False),
    "break, code behind": ("for x in chp.loop():\n    if x: break\nlog(1)", False),
    "break, else": ("for x in chp.loop(): break\nelse: log(1)\nlog(2)", True),
    "break, empty else": ("for x in chp.loop(): break\nelse: pass\nlog(2)", False),
    "runs out, else": ("for x in chp.loop(): pass\nelse: log(1)\nlog(2)", False),
    "return at the end": ("for x in chp.loop(): return", False),
    "return, code behind": ("for x in chp.loop(): return\nlog(1)", True),
    "return value": ("for x in chp.loop(): return x", True),
    "return value, code behind": ("for x in chp.loop(): return x\nlog(1)", True),
    "same constant": ("for x in chp.loop(): return 1\nreturn 1", False),
    "other constant": ("for x in chp.loop(): return 1\nreturn 2", True),
    "equal, not same": ("for x in chp.loop(): return 1\nreturn True", True),
    "break in with": ("for x in chp.loop():\n    with null():\n        break\nlog(1)", False),
    "break in try": (
        "for x in chp.loop():\n    try: break\n    finally: log(0)\nlog(1)",
        False,
    ),
    "break in with around": ("with null():\n    for x in chp.loop(): break\n    log(1)", False),
    "last in with": ("with null():\n    for x in chp.loop(): break\nlog(1)", False),
    "return in with around": ("with null():\n    for x in chp.loop(): return\nlog(1)", True),
    "inside while": ("n = 1\nwhile n:\n    n = 0\n    for x in chp.loop(): break\nlog(1)", False),
    "inside for": ("for y in [1]:\n    for x in chp.loop(): break\nlog(1)", False),
    "continue outer": (
        "for y in [1]:\n    for x in chp.loop():\n        break\n    else:\n        log(1)",
        True,
    ),
    "return through both": ("for y in [1]:\n    for x in chp.loop(): return", True),
    "caught outside": (
        "try:\n    for x in chp.loop(): int('x')\nexcept ValueError: pass",
        True,
    ),
    "leaves the function": ("for x in chp.loop(): {}['x']", True),
    "in finally": ("try: log(1)\nfinally:\n    for x in chp.loop(): break\nlog(2)", False),
}


@pytest.mark.parametrize("case", CASES)
def test_cases(case):
    """What the way out of a loop is, for the ways that people write."""
    body, elsewhere = CASES[case]
    watch = Watch()

    run("def f():\n" + textwrap.indent(body, "    "), watch, null=contextlib.nullcontext)

    assert left_elsewhere(watch.code, watch.site, watch.dropped) is elsewhere


EXITS = ["break", "return", "return 1", "return x", "raise KeyError", "pass", "continue"]
INSIDE = ["{}", "if x:\n    {}", "try:\n    {}\nfinally:\n    log('in')", "with null():\n    {}"]
ELSES = ["", "else:\n    pass", "else:\n    log('else')"]
BEHIND = ["", "log('behind')", "return 1", "return", "if x0:\n    log('behind')\nreturn x0"]
AROUND = [
    "{}",
    "with null():\n    {}",
    "try:\n    {}\nfinally:\n    log('out')",
    "try:\n    {}\nexcept KeyError:\n    log('caught')",
    "for y in [1, 2][:once()]:\n    {}",
    "while once():\n    {}",
    "if x0:\n    {}\nelse:\n    log('not')",
]


def fill(template, text):
    lines = []
    for line in template.split("\n"):
        pad = line[: len(line) - len(line.lstrip())]
        filled = line.strip().replace("{}", text) if line.strip() == "{}" else line.strip()
        lines += textwrap.indent(filled, pad).split("\n")
    return "\n".join(lines)


def behaviour(space, watch):
    """What the function does behind the loop: log, then result or error."""
    turns = iter([1])
    space.update(chp=watch, log=watch.log.append, once=lambda: next(turns, 0))
    try:
        result = space["f"](1)
    except KeyError:
        result = "KeyError"
    start = watch.behind
    return watch.log[start:], result


@pytest.mark.parametrize("around", AROUND)
def test_a_loop_called_skippable_is_skippable(around):
    """Wherever the answer is False, a loop without items is followed by the same behaviour."""
    skippable = 0
    for leave, inside, other, behind in itertools.product(EXITS, INSIDE, ELSES, BEHIND):
        loop = "for x in chp.loop():\n" + textwrap.indent(fill(inside, leave), "    ")
        body = fill(around, loop + ("\n" + other if other else ""))
        body += "\n" + behind if behind else ""
        source = "def f(x0):\n" + textwrap.indent(body, "    ")
        space = {"null": contextlib.nullcontext}
        exec(source, space)
        watch = Watch()
        full = behaviour(space, watch)
        if watch.dropped_code is watch.code and not left_elsewhere(
            watch.code, watch.site, watch.dropped
        ):
            skippable += 1
            assert behaviour(space, Watch(items=())) == full, source
        else:
            assert leave not in {"pass", "continue"}, source
            assert leave != "break" or "log" in other, source

    assert skippable > 100
