"""`@resumable` in one process: an exception cuts a call short, the next equal call goes on."""

from __future__ import annotations

import array
import inspect
import linecache
import pickle
import random
import re
import threading
import traceback

import numpy as np
import pytest
from cutting import Cut, goes_on, kept, stopping

import resume
from resume import RestoreError, resumable

# -- what goes on


@resumable
def total(often, out):
    """Add numbers."""
    found = 0
    for i in range(often):
        if i == 3:
            resume.save()
            stopping.here()
        found += i
        out.append(found)
    return found


def test_the_next_equal_call_goes_on_where_the_last_one_was_saved(caplog):
    """And leaves nothing behind when it has returned."""
    outs = []

    def call():
        outs.append([])
        return total(6, outs[-1])

    assert goes_on(call) == 15
    assert outs[1] == [0, 1, 3, 6, 10, 15]
    assert kept() == []
    assert re.search(r"resuming test_decorator.total@\w+ at line \d+ of total", caplog.text)


class Sum:
    """Has methods of all kinds."""

    factor = 2

    def __init__(self):
        self.parts = []

    @resumable
    def plain(self, often):
        for i in range(often):
            self.parts.append(i * self.factor)
            if i == 2:
                resume.save()
                stopping.here()
        return len(self.parts)

    @resumable
    @classmethod
    def of_class(cls, often):
        found = [cls.of_none(i) for i in range(often)]
        resume.save()
        stopping.here()
        return found, cls.factor

    @resumable
    @staticmethod
    def of_none(i):
        for _ in range(2):
            i += 1
        return i


def test_methods_of_all_kinds_go_on():
    """`self` is the caller's own object."""
    made = []

    def call():
        made.append(Sum())
        return made[-1].plain(5)

    assert goes_on(call) == 5
    assert made[1].parts == [0, 2, 4, 6, 8]
    stopping.is_over = False
    assert goes_on(lambda: Sum.of_class(3)) == ([2, 3, 4], 2)


def test_a_closure_goes_on_in_the_cells_of_the_rerun():
    """What it has bound anew, and what it has filled."""

    def call():
        count, seen, gone = 0, [], "there"

        @resumable
        def work(often):
            nonlocal count, gone
            for i in range(often):
                count += i
                seen.append(inner(i))
                if i == 2:
                    del gone
                    resume.save()
                    stopping.here()
            return inner is kept_inner

        def inner(i):
            return i * count

        kept_inner = inner
        told = work(4)
        return told, count, seen, "gone" in locals()

    assert goes_on(call) == (True, 6, [0, 1, 6, 18], False)


def test_the_random_generators_go_on():
    """Those of the libraries, of the function, and those that it was given."""

    @resumable
    def draw(rng):
        own = np.random.default_rng(5)
        found = [random.random(), np.random.random(), own.random(), rng.random()]
        resume.save()
        stopping.here()
        return [*found, random.random(), np.random.random(), own.random(), rng.random()]

    def call():
        random.seed(1)
        np.random.seed(1)
        rng = np.random.default_rng(3)
        return [*draw(rng), random.random(), rng.random()]

    stopping.is_over = True
    plain = call()
    stopping.is_over = False

    assert goes_on(call) == plain


def test_arguments_are_put_right_whatever_the_function_calls_them():
    """A dict, an array and what a star argument holds; the function has bound the names anew."""

    @resumable
    def fill(data, array, *more, **named):
        data["inner"].append(1)
        array += 1
        more[0].append(2)
        named["last"].add(3)
        data = array = None
        resume.save()
        stopping.here()
        return data is array

    given = []

    def call():
        inner = []
        given[:] = [inner, {"inner": inner}, np.zeros(2), [], set()]
        return fill(given[1], given[2], given[3], last=given[4])

    assert goes_on(call) is True
    assert (given[0], given[2].tolist(), given[3], given[4]) == ([1], [1, 1], [2], {3})


def test_an_argument_that_cannot_be_changed_in_place_is_refused():
    """The caller would look at its old value."""

    @resumable
    def fill(numbers):
        numbers.append(1)
        resume.save()
        stopping.here()

    with pytest.raises(Cut):
        fill(array.array("i"))
    with pytest.raises(RestoreError, match=r"has changed the argument numbers \(a array\)"):
        fill(array.array("i"))
    assert kept()


@resumable
def walk(depth):
    for k in range(2):
        if depth:
            yield from walk(depth - 1)
        yield depth, k


def test_a_generator_is_saved_with_the_function_that_uses_it(caplog):
    """Alone it has no checkpoint, which is said once."""

    @resumable
    def use():
        found = []
        for each in walk(1):
            found.append(each)
            if len(found) == 3:
                resume.save()
                stopping.here()
        return found

    assert goes_on(use) == list(walk(1)) == list(walk(1))
    assert caplog.text.count("walk is not saved: it is a generator function") == 1


@resumable(cache=True)
def power(base, out):
    out.append(base)
    random.random()
    return base**3


def test_a_result_is_kept(caplog):
    """With what the call did to its arguments and the random generators."""
    random.seed(1)
    outs = [[], []]

    told = [(power(2, out), random.seed(1) if out is outs[0] else None) for out in outs]
    after = random.random()

    random.seed(1)
    random.random()
    assert [each[0] for each in told] == [8, 8]
    assert outs == [[2], [2]]
    assert after == random.random()
    assert "the result is kept from an earlier call" in caplog.text


def test_a_result_that_cannot_be_saved_is_returned(caplog):
    """One line says that it is computed again."""

    @resumable(cache=True)
    def work(n):
        return [threading.Thread() for _ in range(n)]

    assert len(work(2)) == 2
    assert "could not keep the result: cannot save result" in caplog.text
    assert kept() == []


def test_a_kept_result_is_of_no_use_without_cache(caplog):
    """The function runs, and what was kept is set aside."""

    def made(cache):
        @resumable(cache=cache, name="work")
        def work():
            return [cache]

        return work

    made(True)()
    assert made(False)() == [False]
    assert "what is kept is a result" in caplog.text


TABLE = {"rows": [1, 2]}


def test_what_a_module_holds_is_its_own_and_what_has_no_copy_the_callers():
    """Also in variables of the function, and as parts of something."""

    @resumable
    def work(thread, again):
        rows, mine = TABLE["rows"], {"thread": thread}
        resume.save()
        stopping.here()
        return rows is TABLE["rows"], mine["thread"], again

    given = [threading.Thread(), threading.Thread()]
    functions = [lambda: 1, lambda: 1]

    told = goes_on(lambda: work(given.pop(), functions.pop()))

    assert told[0] is True
    assert not given
    assert not functions
    assert isinstance(told[1], threading.Thread)
    assert told[2]() == 1


@pytest.mark.parametrize(
    ("given", "why"),
    [
        (lambda: iter([1]), r"cannot save the argument given \(a list_iterator\): it stands"),
        (lambda: [threading.Thread()], r"the argument given\[0\] \(a threading.Thread\): a thread"),
    ],
    ids=["iterator", "part"],
)
def test_arguments_that_no_resume_could_put_right_are_not_saved(given, why, caplog):
    """One line, and the program goes on."""

    @resumable
    def work(given):
        resume.save()
        return len([given])

    assert work(given()) == 1
    assert re.search(why, caplog.text)
    assert kept() == []


def test_a_part_of_a_result_that_the_caller_has_is_not_copied():
    """Of what is kept, the arguments are those of the next call."""

    @resumable(cache=True)
    def work(thread, out):
        out.append(1)
        return [thread, out]

    first = work(threading.Thread(), [])
    thread, out = threading.Thread(), []
    second = work(thread, out)

    assert second[0] is thread
    assert second[1] is out
    assert out == first[1] == [1]


def test_an_unbound_variable_of_the_closure_stays_unbound():
    """One that a later statement would bind."""

    def call():
        @resumable
        def work():
            resume.save()
            stopping.here()
            try:
                return later
            except NameError:
                return "unbound"

        told = work()
        later = 1
        return told, later

    assert goes_on(call) == ("unbound", 1)


def test_parts_of_arguments_stay_those_of_the_caller():
    """Also where a variable of the function holds one of them, too."""

    @resumable
    def work(data):
        inner = data["inner"]
        data = None
        resume.save()
        stopping.here()
        inner.append(1)

    given = []

    def call():
        given[:] = [[]]
        work({"inner": given[0]})

    goes_on(call)

    assert given == [[1]]


@resumable
def even(n):
    """Call another one, which calls this one."""
    if n == 0:
        resume.save()
        stopping.here()
        return "even"
    return odd(n - 1)


@resumable
def odd(n):
    return even(n - 1) if n else "odd"


def test_calls_between_resumable_functions_go_on():
    """Through their wrappers; local ones are held by variables, too."""

    @resumable
    def work():
        @resumable
        def inner(n):
            if n:
                return [inner(n - 1), n]
            resume.save()
            stopping.here()
            return [n]

        same = [inner, inner]
        return inner(2), same[0] is same[1], same[0] is inner, inner.__name__, same[1](0)

    assert goes_on(lambda: even(4)) == "even"
    stopping.is_over = False
    assert goes_on(work) == ([[[0], 1], 2], True, True, "inner", [0])


def test_a_result_that_has_expired_is_computed_anew():
    """`expire=0`: at once."""
    runs = []

    @resumable(cache=True, expire=0, key=lambda: 1)
    def work():
        runs.append(1)
        return len(runs)

    assert [work(), work()] == [1, 2]


# -- what it looks like


def test_it_looks_like_the_function():
    """Name, text, signature, defaults, source; pickle finds it by its name."""
    assert (total.__name__, total.__doc__, total.__module__) == ("total", "Add numbers.", __name__)
    assert list(inspect.signature(total).parameters) == ["often", "out"]
    assert inspect.getsource(total).startswith("@resumable\ndef total(")
    assert pickle.loads(pickle.dumps(total)) is total


def test_no_frame_shows():
    """In the stack of the function, and in the traceback of what it raises."""

    @resumable
    def work(n, *, scale: int = 2) -> int:
        if n:
            return work(n - 1) * scale
        return [each.name for each in traceback.extract_stack()][-4:]

    @resumable
    def fails():
        raise KeyError

    def caller():
        return work(0)

    assert caller()[-2:] == ["caller", "work"]
    with pytest.raises(TypeError, match=r"work\(\) missing 1 required positional argument: 'n'"):
        work()
    with pytest.raises(KeyError) as raised:
        fails()
    assert [each.name for each in raised.traceback] == ["test_no_frame_shows", "fails"]


def test_a_cell_of_a_notebook_can_be_decorated():
    """Its source is known by a name that is no file."""
    source = (
        "import resume\n@resume.resumable\ndef work(n):\n    for i in range(n):\n"
        "        resume.save()\n        stop()\n    return n\n"
    )
    name = "<ipython-input-1-abc>"
    linecache.cache[name] = (len(source), None, source.splitlines(keepends=True), name)
    names = {"__name__": "__main__", "stop": stopping.here}
    exec(compile(source, name, "exec"), names)

    assert goes_on(lambda: names["work"](3)) == 3
