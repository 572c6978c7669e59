"""Objects that plain pickle brings back in another shape, or not at all, come back as they were."""

from __future__ import annotations

import re
import threading
import types

import pytest
from pieces import load
from suspended import making, taking

from resume.pickling import decode, encode
from resume.reentry import things

CLASSES = """
import re

class Echo:
    def __init__(self, **held):
        self.held = held
    def __getattr__(self, name):
        return self.held[name]

class Anything:
    def __init__(self):
        self.n = 1
    def __getattr__(self, name):
        return lambda *args: name

class Slotted:
    __slots__ = ("a", "b", "__dict__")
    def __getattr__(self, name):
        raise LookupError(name)

class Bare:
    __slots__ = ("a", "_Bare__hidden")
    def __init__(self):
        self.a, self.__hidden = 1, 2
    def __getattr__(self, name):
        return name
    def both(self):
        return self.a, self.__hidden

class Row(tuple):
    def __getattr__(self, name):
        return name

class Words(list):
    def __getattr__(self, name):
        return name

class Table(dict):
    def __getattr__(self, name):
        return self[name]

class Asked:
    def __getattribute__(self, name):
        asked.append(name)
        return object.__getattribute__(self, name)
asked = []

class Own:
    def __getattr__(self, name):
        return self.kept
    def __getstate__(self):
        return [1]
    def __setstate__(self, state):
        self.kept = state

class Base:
    def name(self):
        return "base"
class Derived(Base):
    def name(self):
        return "derived"
    def above(self):
        return super()

class TwoArguments(Exception):
    def __init__(self, a, b):
        super().__init__(f"{a} and {b}")
        self.a, self.b = a, b

class Coded(OSError):
    def __init__(self, path, *, code):
        super().__init__(code, "went wrong", path)
        self.code = code

class Plain(ValueError):
    pass

class Made(Exception):
    def __new__(cls, *args, **more):
        return super().__new__(cls, "made", *args)

class Counted(Exception):
    def __init__(self):
        raise RuntimeError("nobody may ask")
    @classmethod
    def quiet(cls):
        return cls.__new__(cls, 1)

class Shared:
    known = {}
    def __new__(cls, name):
        if name not in cls.known:
            cls.known[name] = super().__new__(cls)
        return cls.known[name]
    def __init__(self, name):
        self.name = name

class Degrees(float):
    def __new__(cls, value, unit):
        made = super().__new__(cls, value + 1)
        made.unit = unit
        return made

class Named(Shared):
    __slots__ = ("more",)

class Steps(list):
    def __new__(cls, first):
        return super().__new__(cls)
    def __init__(self, first):
        super().__init__([first])

class Telling:
    def __new__(cls, size):
        made = super().__new__(cls)
        made.sizes = [size]
        return made
    def __getnewargs__(self):
        return (7,)
"""


@pytest.fixture
def there():
    """Save what expressions give in one process, and give what another one gets."""

    def run(*expressions: str, changes: str = "") -> list:
        before = load(CLASSES)
        exec(changes, before.names)
        values = [eval(text, before.names) for text in expressions]
        encoded = encode({"all": values}, look=taking(before).look)
        assert () == encoded.skipped
        after = load(CLASSES, definitions=10_000_000)
        after.names["asked"] = []
        return decode(encoded.stream, [], own={"program": making(after)}).values["all"]

    return run


def test_an_object_is_made_without_the_new_of_its_class(there):
    """It would be called without its arguments, give a shared object, or count once more."""
    rename = "[n for n in [Named('b')] if not n.__init__('c')][0]"
    one, degrees, steps, named = there("Shared('a')", "Degrees(3.5, 'C')", "Steps(4)", rename)

    assert ("Shared", "a") == (type(one).__name__, one.name)
    assert {} == type(one).known
    assert (4.5, "C", "Degrees") == (degrees, degrees.unit, type(degrees).__name__)
    assert [4] == steps
    assert "c" == named.name


def test_a_class_that_tells_what_its_new_gets_is_asked(there):
    (telling,) = there("Telling(5)", changes="Telling.sizes = None")

    assert [5] == telling.sizes
    assert [7] == type(telling).__new__(type(telling), *telling.__getnewargs__()).sizes


def test_a_class_that_answers_for_all_attributes_comes_back(there):
    """Half-built it would be asked for `__setstate__`, and look for what it does not have yet."""
    echo, anything, asked = there("Echo(a=[1])", "Anything()", "Asked()")

    assert [1] == echo.a
    assert 1 == vars(anything)["n"]
    assert "Asked" == type(asked).__name__


def test_its_slots_and_its_items_come_too(there):
    slotted, bare, row, words, table = there(
        "s",
        "Bare()",
        "r",
        "w",
        "t",
        changes=(
            "s = Slotted(); s.a = 1; s.more = 2\nr = Row((1, 2)); r.x = 3\n"
            "w = Words(['a']); w.x = 4\nt = Table(k=5); object.__setattr__(t, 'y', 6)"
        ),
    )

    assert (1, 2) == (slotted.a, slotted.more)
    with pytest.raises(LookupError):
        slotted.b  # nothing was in it
    assert (1, 2) == bare.both()
    assert ((1, 2), 3) == (tuple(row), row.x)
    assert (["a"], 4) == (list(words), words.x)
    assert ({"k": 5}, 6) == (dict(table), table.y)


def test_a_class_with_a_state_of_its_own_goes_its_own_way(there):
    assert [1] == there("Own()")[0].kept


def test_super_goes_on_above_its_class(there):
    bound, one, unbound = there("d.above()", "d", "super(Derived)", changes="d = Derived()")

    assert "base" == bound.name()
    assert object.__getattribute__(bound, "__self__") is one
    assert isinstance(unbound, super)


def test_exceptions_come_back_without_their_init(there):
    two, coded, plain, made, counted = there(
        "TwoArguments(1, [2])",
        "Coded('p', code=5)",
        "Plain('a', 1)",
        "Made()",
        "Counted.quiet()",
    )

    assert ("1 and [2]", 1, [2]) == (str(two), two.a, two.b)
    assert (5, "p", 5) == (coded.errno, coded.filename, coded.code)
    assert ("a", 1) == plain.args
    assert ((), "Made") == (made.args, type(made).__name__)
    assert (1,) == counted.args


def test_what_was_behind_an_exception_comes_with_it(there):
    (error,) = there(
        "error",
        changes=(
            "try:\n"
            "    try:\n"
            "        {}['a']\n"
            "    except KeyError as first:\n"
            "        raise TwoArguments(1, 2) from first\n"
            "except TwoArguments as second:\n"
            "    error = second\n"
            "    error.add_note('seen')\n"
        ),
    )

    assert isinstance(error.__cause__, KeyError)
    assert error.__cause__ is error.__context__
    assert error.__suppress_context__
    assert ["seen"] == error.__notes__


@pytest.mark.parametrize(
    "error",
    [
        "ImportError('m', name='n', path='p')",
        "UnicodeDecodeError('utf-8', b'a', 0, 1, 'why')",
        "OSError(2, 'none', 'path')",
        "StopIteration(5)",
        "SystemExit(3)",
        "KeyError('k')",
        "ExceptionGroup('all', [ValueError(1), KeyError(2)])",
        "re.error('bad', 'p', 1)",
    ],
)
def test_exceptions_of_the_interpreter_keep_what_they_hold(there, error):
    (found,) = there(error)
    expected = eval(error)

    assert repr(expected) == repr(found)
    for name in ("name", "path", "reason", "errno", "filename", "value", "code", "msg", "pos"):
        assert getattr(expected, name, None) == getattr(found, name, None)


@pytest.mark.parametrize(
    "make",
    [
        "re.match('(a)(b)?', 'ac')",
        "re.search('b+', 'aabbb')",
        "re.compile('b+').search('aabbb', 3, 4)",
        "re.fullmatch('a|ab', 'ab')",
        "[*re.finditer('(?P<x>.)', 'abc')][2]",
        "[*re.finditer('', 'ab')][1]",
        "re.search(b'b', b'ab')",
        "[*re.finditer('(?<=a)b', 'abab')][1]",
    ],
)
def test_matches_are_found_again(there, make):
    (found,) = there(make)
    expected = eval(make)

    assert expected.span() == found.span()
    assert expected.groups() == found.groups()
    assert expected.groupdict() == found.groupdict()
    assert expected.string == found.string
    assert expected.re == found.re


def test_a_match_that_is_none_any_more_is_told():
    with pytest.raises(ValueError, match="does not match"):
        things.match(re.compile("a"), "bb", [(0, 2)], ((0, 1),))


def carried_lock(lock, held=()):
    piece = load("x = 1\n")
    encoded = encode({"lock": lock}, look=taking(piece, held=set(held)).look)
    if encoded.skipped:
        return encoded.skipped[0].why
    return decode(encoded.stream, []).values["lock"]


@pytest.mark.parametrize("make", [threading.Lock, threading.RLock, threading._PyRLock])
def test_a_free_lock_comes_back_free_and_a_held_one_is_told(make):
    lock = make()
    assert carried_lock(lock).acquire(blocking=False)

    with lock:
        assert "a lock is held" in carried_lock(lock)
        assert carried_lock(lock, [id(lock)]).acquire(blocking=False)
    assert lock.acquire(blocking=False)
    lock.release()


def test_a_lock_that_another_thread_holds_is_told():
    lock, ready, done = threading.RLock(), threading.Event(), threading.Event()

    def hold():
        with lock:
            ready.set()
            done.wait()

    thread = threading.Thread(target=hold)
    thread.start()
    ready.wait()
    try:
        assert "a lock is held" in carried_lock(lock)
    finally:
        done.set()
        thread.join()


def test_a_long_chain_of_the_programs_objects_is_no_trouble():
    """Only classes that need it have a recipe of their own: the core cuts chains of all others."""
    before = load("class Node:\n    def __init__(self, next):\n        self.next = next\n")
    chain = None
    for _ in range(20_000):
        chain = before.Node(chain)
    encoded = encode({"chain": chain}, anchors={"chain": chain}, look=taking(before).look)
    assert () == encoded.skipped
    buffers = [memoryview(bytearray(buffer.view)) for buffer in encoded.buffers]

    found = decode(encoded.stream, buffers, own={"program": making(before)}).values["chain"]

    assert 20_000 == sum(1 for _ in walk(found))


def walk(node):
    while node is not None:
        yield node
        node = node.next


def test_a_read_only_view_shows_the_same_mapping():
    piece = load("x = 1\n")
    held = {"a": 1}
    roots = {"view": types.MappingProxyType(held), "held": held}
    encoded = encode(roots, look=taking(piece).look)
    found = decode(encoded.stream, []).values

    found["held"]["b"] = 2

    assert {"a": 1, "b": 2} == found["view"]
