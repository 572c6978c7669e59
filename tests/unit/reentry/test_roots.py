"""A whole program goes into named roots, and goes on from them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from stacks import go_on, run_to_stop, the_stop

from resume.errors import RestoreError, UnpicklableError

HERE = Path(__file__).parent

ALIASES = """
from pieces import sync
shared = [1]
table = {"shared": shared}
result = []

class Counter:
    total = 0
    seen = shared
    def add(self, n, *, weight=shared):
        Counter.total += n
        weight.append(n)
        return self

def make(rows):
    count = 0
    def bump():
        nonlocal count
        count += 1
        rows.append(count)
        return count
    return bump

def inner(rows, bump):
    walk = iter(rows)
    for row in walk:
        bump()
        sync()
        if len(rows) > 5:
            break
    result.append([row, list(walk)])

def outer(rows):
    local = rows
    bump = make(rows)
    counter = Counter().add(2)
    for turn in range(2):
        inner(local, bump)
        result.append(local is shared)
    result.append(bump())
    counter.add(1)
    return rows

def main():
    last = outer(shared)
    result.append(last is table["shared"])
    result.append(last is Counter.seen)

main()
result.append(Counter.total)
result.append(shared)
"""


def plain(source: str) -> list[object]:
    names = {"__name__": "piece"}
    with the_stop(lambda: None):
        exec(source, names)
    return json.loads(json.dumps(names["result"]))


@pytest.mark.parametrize("at", [1, 2, 3])
def test_one_object_under_many_names_stays_one(at):
    """Between globals, locals of two frames, cells, defaults, class data and iterators."""
    saved = run_to_stop(ALIASES, at=at)

    assert plain(ALIASES) == go_on(saved)["result"]


def test_a_fresh_process_goes_on(tmp_path):
    """Nothing of the state is left behind in the process that made it."""
    run_to_stop(ALIASES, at=2).write(tmp_path)

    ended = subprocess.run(
        [sys.executable, str(HERE / "stacks.py"), str(tmp_path)], capture_output=True, text=True
    )

    assert "" == ended.stderr
    assert plain(ALIASES) == json.loads(ended.stdout)


def test_every_variable_is_a_root_of_its_own_with_its_size():
    saved = run_to_stop(ALIASES)
    names = {name for name in saved.taken.roots if not name.startswith(".")}

    assert {"shared", "table", "result", "inner: walk", "inner: rows", "outer: counter"} <= names
    assert {"Counter.total", "Counter.seen"} <= names
    assert not {"make", "outer", "Counter", "main"} & names
    assert names <= set(saved.variables)
    assert all(saved.variables[name].size_bytes > 0 for name in names)
    assert "[1, 2, 1]" == saved.variables["inner: rows"].preview


def test_the_account_is_plain_data_that_tells_where_each_frame_is():
    frames = run_to_stop(ALIASES).layout["frames"]

    assert ["<module>", "main", "outer", "inner"] == [frame["qualname"] for frame in frames]
    assert "        sync()" == ALIASES.splitlines()[frames[-1]["line"] - 1]
    assert "inner: walk" == frames[-1]["values"]["walk"]
    assert {"module", "block", "position", "entry"} <= set(frames[0])


def test_frames_of_one_function_are_told_apart():
    source = """
from pieces import sync
result = []
def dive(n):
    here = [n]
    if n:
        dive(n - 1)
        result.append(here)
    else:
        sync()
        result.append("bottom")
for _ in [1]:
    dive(2)
"""
    saved = run_to_stop(source)

    assert {"dive[1]: here", "dive[2]: here", "dive[3]: here"} <= set(saved.taken.roots)
    assert ["bottom", [1], [2]] == go_on(saved)["result"]


MODULES = {
    "piece_lib": """
import math
from math import pi
limit = 3
hits = [0]
def hit(n, box=[]):
    for _ in range(n):
        hits[0] += 1
    box.append(n)
    return len(box)
class Store:
    items = {}
""",
}
USES = """
from pieces import sync
import sys
from math import tau
from sys import argv
from piece_lib import hits, hit, Store, limit
import piece_lib as lib
from piece_lib import *
__version__ = "1." + str(limit)
result = []
lib.limit = 9
hit(2)
Store.items["a"] = hits
for n in range(2):
    sync()
    result.append(hit(3))
result.append([lib.hits is hits, Store.items["a"] is lib.hits, lib.limit, hits, __version__])
result.append([argv is sys.argv, lib.hit is hit, tau])
"""


def test_other_modules_of_the_program_have_their_state_put_back():
    saved = run_to_stop(USES, also=MODULES, at=2)

    assert {"piece_lib:limit", "piece_lib:hits", "piece_lib:Store.items"} <= set(saved.taken.roots)
    assert "argv" not in saved.taken.roots
    assert "tau" not in saved.taken.roots
    assert "lib" not in saved.taken.roots
    assert "__version__" in saved.taken.roots
    assert [2, 3, [True, True, 9, [8], "1.3"], [True, True, 6.283185307179586]] == (
        go_on(saved)["result"]
    )


NAMED_CLASSES = """
from pieces import sync
import collections, enum
from typing import NamedTuple
Point = collections.namedtuple("Point", "x y")
Color = enum.Enum("Color", "RED BLUE")
class Shade(enum.Enum):
    DARK = 1
    LIGHT = [2]
class Pair(NamedTuple):
    a: int
    b: int = 5
def helper():
    return 1
GONE = 7
del GONE
del helper
points = [Point(1, 2)]
colors = {Color.RED: Shade.DARK}
result = []
for i in range(2):
    sync()
    point = points[0]
    result.append([point == Point(1, 2), type(point) is Point, colors[Color.RED] is Shade.DARK])
result.append(["helper" in globals(), "GONE" in globals(), Pair(1).b])
"""


def test_classes_that_a_call_has_made_are_made_by_it_again():
    saved = run_to_stop(NAMED_CLASSES)

    assert "Point" not in saved.taken.roots
    assert "Color" not in saved.taken.roots
    assert [[True] * 3, [True] * 3, [False, False, 5]] == go_on(saved)["result"]


GENERATOR = """
from pieces import sync
result = []
def numbers(box):
    for n in range(4):
        box.append(n)
        sync()
        yield n
def main():
    box = []
    held = numbers(box)
    for n in held:
        result.append([n, len(box)])
    return held, box
held, box = main()
result.append(list(held) + box)
"""


@pytest.mark.parametrize("at", [1, 3])
def test_a_generator_on_the_stack_goes_on_in_its_loop(at):
    assert plain(GENERATOR) == go_on(run_to_stop(GENERATOR, at=at))["result"]


UNSAVABLE = """
from pieces import sync
result = []
def connect(n=0):
    for _ in [n]:
        result.append("connected")
    return memoryview(bytes([n])).__iter__
class Link:
    def __init__(self, n):
        self.view = memoryview(bytes([n])).obj and iter(memoryview(bytes([n])))
    def ask(self):
        return next(self.view)
    def __enter__(self):
        result.append("entered")
        return self.view
    def __exit__(self, *exc):
        result.append("left")
"""


def go(body: str) -> list[object]:
    return go_on(run_to_stop(UNSAVABLE + body))["result"]


def test_what_nothing_reads_any_more_is_dropped():
    found = go(
        "def main():\n"
        "    link = Link(3)\n"
        "    n = link.ask()\n"
        "    for i in range(2):\n"
        "        sync()\n"
        "        result.append(n)\n"
        "main()\n"
    )

    assert [3, 3] == found


def test_what_one_call_has_made_is_made_by_it_again():
    found = go(
        "def main(n):\n"
        "    link = Link(n)\n"
        "    for i in range(1):\n"
        "        sync()\n"
        "        result.append(link.ask())\n"
        "top = Link(5)\n"
        "main(4)\n"
        "result.append(top.ask())\n"
    )

    assert [4, 5] == found


def test_a_cell_that_cannot_be_saved_is_made_again_for_all_who_share_it():
    found = go(
        "def main(n):\n"
        "    link = Link(n)\n"
        "    def ask():\n"
        "        for _ in [1]:\n"
        "            return link.ask()\n"
        "    for i in range(1):\n"
        "        sync()\n"
        "        result.append(ask())\n"
        "main(4)\n"
    )

    assert [4] == found


def test_what_a_with_has_bound_is_bound_by_it_again():
    found = go(
        "def main():\n"
        "    with Link(7) as view:\n"
        "        for i in range(1):\n"
        "            sync()\n"
        "            result.append(next(view))\n"
        "main()\n"
        "with Link(8) as seen:\n"
        "    result.append(next(seen))\n"
    )

    assert ["entered", "entered", 7, "left", "entered", 8, "left"] == found


def test_a_with_of_the_module_binds_its_globals_again():
    found = go(
        "with Link(8) as seen:\n"
        "    for i in range(1):\n"
        "        sync()\n"
        "    result.append(next(seen))\n"
    )

    assert ["entered", "entered", 8, "left"] == found


LOOP = "    for i in range(1):\n        sync()\n"
REFUSED = {
    r"cannot save held of main, for it holds held\[1\]\.view \(a memory_iterator\)": (
        f"def main():\n    held = [1, Link(1)]\n{LOOP}        held.pop()\nmain()\n"
    ),
    r"cannot save held of the module piece, for it holds held\['a'\]\.view": (
        f"held = {{'a': Link(1)}}\nif 1:\n{LOOP}    print(held)\n"
    ),
    "cannot save link of the module piece": (
        f"link = Link(1)\nlink = Link(2)\nif 1:\n{LOOP}    print(link)\n"
    ),
    r"cannot save view of main \(a memory_iterator\).*`name = call": (
        f"def main():\n    view = iter(memoryview(b'ab'))\n{LOOP}        next(view)\nmain()\n"
    ),
    "cannot save the iterator of a loop of main, for it holds.*`for x in list": (
        "def main():\n    for x in [Link(1), Link(2)]:\n        sync()\nmain()\n"
    ),
    r"cannot save C\.link\.view": f"class C: pass\nC.link = Link(1)\nif 1:\n{LOOP}",
}


@pytest.mark.parametrize(("message", "body"), REFUSED.items())
def test_what_cannot_be_helped_is_told_by_its_name(message, body):
    """An iterator made again would stand at its beginning: no call makes it again."""
    with pytest.raises(UnpicklableError, match=message):
        run_to_stop(UNSAVABLE + body)


def test_what_could_not_be_saved_is_known_at_the_next_save():
    """A program saves every so often: a variable that failed is not tried each time."""
    from pieces import Piece
    from stacks import frames_of, settled
    from suspended import record_of

    from resume.pickling import encode
    from resume.reentry.roots import ProgramState

    counts = []
    states = []
    source = UNSAVABLE + (
        "def main():\n    link = Link(3)\n    for i in range(2):\n        sync()\nmain()\n"
    )

    def stop():
        inside = Piece(program, sys.modules["piece"])
        frames, running = frames_of(inside, sys._getframe(2))
        states[:] = states or [ProgramState(program, lambda g: record_of(inside, g))]
        taken = states[0].take(frames, running)
        counts.append(len(encode(taken.roots, look=taken.look).skipped))
        settled(states[0], frames, running)

    from pieces import load

    from resume.reentry.program import Program

    program = Program()
    with the_stop(stop):
        load(source, into=program)

    assert [1, 0] == counts


def test_a_state_without_a_root_that_its_account_tells_of_is_refused():
    saved = run_to_stop("from pieces import sync\nresult = []\nfor i in [1]:\n    sync()\n")
    saved.layout["modules"]["piece"]["globals"]["more"] = "more"

    with pytest.raises(RestoreError, match="holds no more"):
        go_on(saved)


def test_constants_that_were_deleted_stay_deleted():
    source = (
        "from pieces import sync\nresult = []\nLIMIT = 3\nKEPT = 4\ndel LIMIT\n"
        "for i in [1]:\n    sync()\n"
        "    result.append(['LIMIT' in globals(), KEPT])\n"
    )

    assert [[False, 4]] == go_on(run_to_stop(source))["result"]


LOCKED = """
from pieces import sync
import threading
result = []
lock, again = threading.Lock(), threading.RLock()
locks = {"lock": lock, "ready": threading.Condition()}
def main():
    ready = locks["ready"]
    with lock, again, ready:
        for i in range(2):
            sync()
            result.append([lock.locked(), again._is_owned(), ready._is_owned()])
    result.append([lock.locked(), again._is_owned()])
main()
"""


def test_a_lock_that_a_with_holds_is_taken_again():
    assert [[True] * 3, [True] * 3, [False] * 2] == go_on(run_to_stop(LOCKED))["result"]


DECORATED = """
import functools
from pieces import sync
result = []
def counted(f):
    calls = []
    @functools.wraps(f)
    def inner(*args):
        calls.append(args)
        result.append(len(calls))
        return f(*args)
    return inner
@counted
def work(n):
    for i in range(n):
        sync()
    return n
users = [work]
work(1)
users[0](1)
result.append(users[0] is work)
"""


@pytest.mark.parametrize("at", [1, 2])
def test_what_a_decorator_keeps_goes_on(at):
    """The definitions decorate again, and the state brings what the first decoration kept."""
    assert [1, 2, True] == go_on(run_to_stop(DECORATED, at=at))["result"]


def test_a_lock_that_the_program_holds_by_itself_is_told():
    source = "import threading\nfrom pieces import sync\nlock = threading.Lock()\n"
    source += "lock.acquire()\nheld = [lock]\n"

    with pytest.raises(UnpicklableError, match="a lock is held"):
        run_to_stop(source + "for i in [1]:\n    sync()\n    held.pop()\n")


def test_globals_that_are_no_state_stay_where_they_are():
    """A function alone is restored: the module's names belong to the program that calls it."""
    from pieces import Piece, load
    from stacks import frames_of
    from suspended import record_of

    from resume.reentry.program import Program
    from resume.reentry.roots import ProgramState

    found = []

    def stop():
        inside = Piece(program, sys.modules["piece"])
        frames, running = frames_of(inside, sys._getframe(2))
        state = ProgramState(program, lambda g: record_of(inside, g), modules=())
        found.append(state.take(frames[1:], running))

    program = Program()
    source = (
        "from pieces import sync\nbig = [1]\n"
        "def work(n):\n    for i in range(1):\n        sync()\nwork(3)\n"
    )
    with the_stop(stop):
        load(source, into=program)

    assert {"work: n", "work: i"} == {n for n in found[0].roots if not n.startswith(".")}
    assert {} == found[0].layout["modules"]


@pytest.mark.parametrize(
    "made",
    [
        "gzip.GzipFile('', 'wb', fileobj=io.BytesIO())",
        "tempfile.TemporaryDirectory()",
    ],
)
def test_what_a_with_has_filled_is_not_made_again(made):
    """An archive that is half written would begin anew, and lose what was put into it."""
    source = (
        "import gzip, io, tempfile\nfrom pieces import sync\nresult = []\n"
        f"def main():\n    with {made} as out:\n"
        "        for i in range(2):\n            sync()\n            result.append(bool(out))\n"
        "main()\n"
    )

    with pytest.raises(UnpicklableError, match="cannot save"):
        run_to_stop(source)


def test_what_a_module_that_is_no_state_names_stays_its_own():
    """Also what a decorator has made of a function, and what a cache knows."""
    from pieces import Piece, load
    from stacks import frames_of
    from suspended import making, record_of

    from resume.pickling import decode, encode
    from resume.reentry.program import Program
    from resume.reentry.roots import ProgramState

    found = []

    def stop():
        inside = Piece(program, sys.modules["piece"])
        frames, running = frames_of(inside, sys._getframe(2))
        state = ProgramState(program, lambda g: record_of(inside, g), modules=())
        taken = state.take(frames[1:], running)
        values = decode(
            encode(taken.roots, look=taken.look).stream, [], own={"program": making(inside)}
        ).values
        found.append([values[f"work: {name}"] is inside.names[name] for name in ("twice", "kept")])

    program = Program()
    source = (
        "import functools\nfrom pieces import sync\n"
        "def double(f):\n    return functools.wraps(f)(lambda n: f(n) * 2)\n"
        "@double\ndef twice(n):\n    return n\n"
        "@functools.cache\ndef kept(n):\n    return n\n"
        "def work(twice, kept):\n    for i in range(1):\n        sync()\nwork(twice, kept)\n"
    )
    with the_stop(stop):
        load(source, into=program)

    assert [[True, True]] == found


def test_names_that_are_imported_are_told_from_those_that_are_state():
    """By value or by name: whatever import gives again is none of the state's business."""
    from pieces import load

    from resume.reentry.names import Names
    from resume.reentry.program import Program

    program = Program()
    load(
        "numbers = [1]\ndef f():\n    return numbers\nlimit = int('3')\n", "piece_lib", into=program
    )
    source = (
        "import os.path\nimport os.path as paths\nfrom piece_lib import *\n"
        "from piece_lib import f as g, numbers as held\nfrom math import pi, e\n"
        "from string import *\n"
        "from os import environ, path\npi = 3\nimport sys as system\nsystem = 4\n"
        "class C:\n    import os as inner\n    other = dict\n    changed = [1]\n"
        "    def method(self): pass\n"
        "C.patched = lambda self: 1\nC.same = C.method\n"
    )
    piece = load(source, into=program)
    names = Names(program, {})

    state = names.of_module(program["piece"])
    data = {each.qualname: set(each.attributes) for each in names.classes(program["piece"])}

    assert {"held", "numbers", "limit", "pi", "system"} == set(state.variables)
    assert {"C": {"inner", "other", "changed", "patched", "same"}} == data
    assert piece.e > 2
