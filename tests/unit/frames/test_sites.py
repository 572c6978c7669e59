"""Where a `loop()` call stands is told from the caller's bytecode, the same on every version."""

from __future__ import annotations

import sys
import textwrap

import pytest

from resume.frames import LoopSite, loop_site, loop_tree, safe_point_key


class Handle:
    """Stands for a checkpoint: remembers what its callers' bytecode tells."""

    def __init__(self):
        self.seen = []

    def loop(self, iterable, name=None):
        frame = sys._getframe(1)
        self.seen.append(loop_site(frame.f_code, frame.f_lasti))
        return iterable

    def sync(self):
        frame = sys._getframe(1)
        self.seen.append(safe_point_key(frame.f_code, frame.f_lasti))

    save = sync


def run(source, call="f(chp)"):
    chp = Handle()
    space = {"chp": chp}
    exec(textwrap.dedent(source).strip() + "\n" + call, space)
    return chp.seen


def keys_and_lines(seen):
    return [(site.key, site.line, [around.line for around in site.enclosing]) for site in seen]


def test_for_statements_are_sites():
    """Plain, with keywords, with starred arguments, through an attribute, nested, in a handler."""
    seen = run("""
    def f(chp):
        for a in chp.loop([1]):
            for b in chp.loop([1], name="b"):
                pass
        for c in chp.loop(*[[1]]):
            pass
        for d in chp.loop(**{"iterable": [1]}):
            pass
        try:
            int("x")
        except ValueError:
            for e in chp.loop([1]):
                pass
        for g in chp.loop(
            [y for y in [1] if y],
            name="long",
        ):
            pass
        for h in chp.loop([1] if seen else [2]): break
    seen = 1
    """)

    assert keys_and_lines(seen) == [
        ("0", 2, []),
        ("1", 3, [2]),
        ("2", 5, []),
        ("3", 7, []),
        ("4", 12, []),
        ("5", 14, []),
        ("6", 19, []),
    ]
    assert seen[1].enclosing[0].header == seen[0].offset
    assert seen[1].enclosing[0].is_for
    assert seen[0].ordinal == "0"


def test_loops_around_are_named():
    """A plain loop around a site shows among the enclosing ones, and whether it is a `for`."""
    (site,) = run("""
    def f(chp):
        while True:
            for a in chp.loop([1]):
                return
    """)

    assert [(around.is_for, around.line) for around in site.enclosing] == [(False, 2)]


@pytest.mark.parametrize(
    ("statement", "reason"),
    [
        ("[x for x in chp.loop([1])]", "comprehension"),
        ("{x for x in chp.loop([1])}", "comprehension"),
        ("{x: x for x in chp.loop([1])}", "comprehension"),
        ("list(x for x in chp.loop([1]))", "comprehension"),
        ("[y for x in [1] for y in chp.loop([1])]", "comprehension"),
        ("list(y for x in [1] for y in chp.loop([1]))", "comprehension"),
        ("for x in enumerate(chp.loop([1])): pass", "wrapped"),
        ("for x in zip(chp.loop([1]), [2]): pass", "wrapped"),
        ("list(chp.loop([1]))", "wrapped"),
        ("kept = chp.loop([1])", "stored"),
        ("chp.kept = chp.loop([1])", "stored"),
        ("for x in (kept := chp.loop([1])): pass", "stored"),
        ("chp.loop([1])", "other"),
        ("a, = chp.loop([1])", "other"),
        ("[*chp.loop([1])]", "other"),
        ("return chp.loop([1])", "other"),
        ("for x in chp.loop([1]) + [2]: pass", "other"),
    ],
)
def test_other_places_are_named(statement, reason):
    """Anything but the iterable of a `for` statement is told by what takes the result."""
    seen = run(f"def f(chp):\n    {statement}")

    assert seen == [reason]


def test_module_and_class_level():
    """Names of a namespace are loaded by other instructions."""
    seen = run("for a in chp.loop([1]): pass\nclass C:\n    for b in chp.loop([1]): pass", "")

    assert keys_and_lines(seen) == [("0", 1, []), ("0", 3, [])]


def test_the_method_by_another_name():
    """`loop` kept in a name of its own counts; under another name the key says so."""
    seen = run("""
    def f(chp):
        loop = other = chp.loop
        for a in loop([1]):
            pass
        for b in other([1]):
            pass
        for c in chp.loop([1]):
            pass
    """)

    assert [site.key for site in seen] == ["0", "for1", "1"]


def test_a_finally_body_is_one_place():
    """The compiler copies it for each way in: the key is that of the source."""
    source = """
    def f(chp):
        for turn in (0, 1):
            try:
                try:
                    if turn:
                        raise ValueError
                finally:
                    for a in chp.loop([1]):
                        pass
            except ValueError:
                pass
        for b in chp.loop([1]):
            pass
    """

    seen = run(source)

    assert [site.key for site in seen] == ["0", "0", "1"]
    assert seen[0].offset != seen[1].offset


def test_the_tree_is_the_same_on_every_version():
    """Handlers and `finally` bodies stand elsewhere on each; the tree follows the source."""
    space = {}
    source = """
    def f(chp, xs):
        for a in chp.loop(xs):
            try:
                for b in chp.loop(xs):
                    if b:
                        for c in chp.loop(xs):
                            pass
                        break
            except ValueError:
                for d in chp.loop(xs):
                    continue
            finally:
                for e in chp.loop(*xs):
                    pass
            while a:
                for g in chp.loop(xs, name="g"):
                    return g
        else:
            for h in chp.loop(lambda: xs):
                pass
        [x for x in chp.loop(xs)]
        for i in enumerate(chp.loop(xs)):
            pass
        with chp:
            for j in chp.loop(xs):
                pass
    """
    exec(textwrap.dedent(source).strip(), space)

    tree = loop_tree(space["f"].__code__)

    assert tree == [
        ["0", [["1", [["2", []]]], ["3", []], ["4", []], ["5", []]]],
        ["6", []],
        ["7", []],
    ]


def test_moving_code_keeps_the_tree():
    """Comments, other loops and other statements do not show in the tree."""
    before, after = {}, {}
    exec("def f(c):\n    for a in c.loop(1):\n        for b in c.loop(2): pass", before)
    exec(
        "def f(c):\n    'doc'\n    for x in c: pass\n\n    # why\n    for a in c.loop(1):\n"
        "        while a:\n            for b in c.loop(2):\n                print(b)",
        after,
    )

    assert loop_tree(before["f"].__code__) == loop_tree(after["f"].__code__)


def test_safe_points_are_counted():
    """`sync` and `save` share one count, in the order of the source; copies count once."""
    seen = run("""
    def f(chp):
        chp.sync()
        print(end="")
        try:
            chp.save()
        finally:
            chp.sync()
        point = chp.sync
        point()
        chp.sync(); chp.sync()
    """)

    assert seen[:3] == ["0", "1", "2"]
    assert seen[3].startswith("call")
    assert seen[4:] == ["3", "4"]


def test_sites_are_plain_records():
    """What a site tells can be compared and kept."""
    (one,) = run("def f(chp):\n    for a in chp.loop([1]): pass")
    (other,) = run("def f(chp):\n    for a in chp.loop([1]): pass")

    assert isinstance(one, LoopSite)
    assert one == other
