"""What an `lru_cache` has kept is part of the state: nothing is computed a second time."""

from __future__ import annotations

import functools
import itertools
import weakref

import pytest
from stacks import go_on, run_to_stop, the_stop
from stopping import plain_log, quiet_heap
from test_whole_programs import Saving, restored

from resume.reentry.caches import keep, result_kept
from resume.reentry.records import Keeping

CACHED = """
import functools
from pieces import sync
result = []
asked = []
@functools.lru_cache(HOW)
def fib(n, *rest, scale=1):
    asked.append((n, *rest))
    return {n: scale} if n < 2 else [fib(n - 1), fib(n - 2)]
class Tool:
    @functools.lru_cache(HOW)
    def square(self, n):
        asked.append(("square", n))
        return n * n
    __hash__ = object.__hash__
def made(base):
    @functools.lru_cache(HOW)
    def add(n):
        asked.append(("add", n))
        return base + n
    return add
tool, add = Tool(), made(10)
def use():
    fib(4), fib(3, scale=2), fib((1, 2)[0], "a"), fib("x" and 2.0), fib(0, scale=5)
    tool.square(3), add(1), add("a" and 2)
use()
for turn in range(3):
    sync()
    use()
    result.append([len(asked), fib(3, scale=2), fib(1), tool.square(3), add(1)])
    fib(10 + turn)
    add(turn)
    result.append([*fib.cache_info(), *Tool.square.cache_info(), *add.cache_info()])
result.append([len(asked), fib.cache_info().currsize, asked])
"""


@pytest.mark.parametrize(
    "how", ["None", "maxsize=128", "maxsize=5", "maxsize=None, typed=True", "64, True", "0"]
)
@pytest.mark.parametrize("at", [1, 3])
def test_a_cache_keeps_what_it_knows(how, at):
    """Without a limit, with one, and with one that is reached: then the oldest go first."""
    source = CACHED.replace("HOW", how)
    names = {"__name__": "piece"}
    with the_stop(lambda: None):
        exec(source, names)

    found = go_on(run_to_stop(source, at=at))

    assert names["result"] == found["result"]


def test_a_cache_over_code_of_others_stays_theirs():
    """What is no function of the program is computed again: it belongs to its library."""
    source = (
        "import functools, re\nfrom pieces import sync\nresult = []\n"
        "number = functools.lru_cache(None)(int)\nnumber('3')\n"
        "compiled = [re._compile_template] if hasattr(re, '_compile_template') else []\n"
        "for i in range(1):\n    sync()\n    result.append(number('3'))\n"
    )

    assert [3] == go_on(run_to_stop(source))["result"]


def test_a_cache_that_holds_what_cannot_be_saved_begins_anew():
    source = """
import functools
from pieces import sync
result = []
@functools.cache
def view(n):
    for _ in [1]:
        result.append(n)
    return iter(memoryview(bytes([n])))
users = [view]
view(3)
for turn in range(2):
    sync()
    users[0](3)
"""

    assert [3, 3] == go_on(run_to_stop(source))["result"]


def test_a_full_cache_lets_go_of_what_was_not_used_for_longest():
    from resume.reentry.caches import fill_cache, state_of_cache

    asked = []

    def work(n):
        asked.append(n)
        return n

    old, new = (functools.lru_cache(3)(work) for _ in range(2))
    old("a"), old("b"), old("c"), old("a")
    del asked[:]

    fill_cache(new, state_of_cache(old))
    assert [] == asked
    assert old.cache_info() == new.cache_info()
    new("d"), new("a"), new("c"), new("b")

    assert ["d", "b"] == asked
    assert "a" == new("a")


def test_counts_come_back_whatever_they_count():
    """Calls that raised are misses without a result; a cache that was cleared counts anew."""
    source = """
import functools
from pieces import sync
result = []
size = sum([3])
@functools.lru_cache(HOW)
def inverse(n, *, by=size):
    for _ in [1]:
        return by / n
for turn in range(4):
    for n in [0, 1, turn, 0, 1]:
        try:
            inverse(n)
        except ZeroDivisionError:
            result.append("no")
    sync()
    size += 1
    result.append([*inverse.cache_info(), inverse(2)])
    if turn == 2:
        inverse.cache_clear()
"""
    for how, at in [("None", 3), ("2", 3), ("None", 4), ("0", 2)]:
        text = source.replace("HOW", how)
        names = {"__name__": "piece"}
        with the_stop(lambda: None):
            exec(text, names)

        assert names["result"] == go_on(run_to_stop(text, at=at))["result"], how


def test_no_restore_takes_long_for_counts(monkeypatch):
    from resume.reentry import caches

    monkeypatch.setattr(caches, "MOST_HITS", 7)
    monkeypatch.setattr(caches, "MOST_MISSES", 5)
    old, new = (functools.lru_cache(None)(lambda n: n) for _ in range(2))
    for n in [*range(9), *[3] * 30]:
        old(n)

    caches.fill_cache(new, caches.state_of_cache(old))

    assert (7, 5, None, 9) == new.cache_info()


RUNNING = """
import functools
asked = []

@functools.lru_cache(None)
def chain(n, *, by=1):
    asked.append((n, by))
    total = 0
    for i in range(2):
        total += i
    return total + (chain(n - 1, by=by) if n else 0)

@functools.lru_cache(2)
def pair(n, k=0):
    asked.append((n, k))
    for i in range(2):
        n - k
    return n + k + chain(k)

@functools.lru_cache(None)
def fails(n):
    asked.append(n)
    for i in range(2):
        chain(i)
    raise ValueError(n)

for turn in range(2):
    note(pair(3, k=turn) + pair(3))
    note(chain(3) + chain(1, by=2))
    try:
        fails(turn)
    except ValueError as error:
        note(error.args)
    note([*chain.cache_info(), *pair.cache_info(), fails.cache_info().currsize])
note(asked)
"""


@pytest.mark.parametrize("more", [(), (2,)])
def test_a_call_that_runs_leaves_its_result_in_the_cache(more):
    """Wherever it is saved, and again on the way out: nothing is computed twice, nor counted."""
    expected = plain_log(RUNNING)
    with quiet_heap():
        for lines in itertools.count(1, 7 + len(more)):
            machine = Saving(RUNNING, "program")
            stack = machine.stop(machine.start(), lines)
            if stack is None:
                machine.leave()
                break
            for further in (*more, 0):
                layout, content = machine.save(stack)
                machine.leave()
                machine, held = restored(RUNNING, "program", layout, content)
                stack = machine.stop(held, further) if further else None
                if stack is None:
                    break
            held.finish()
            assert expected == machine.log, lines
            machine.leave()

    assert lines > 100


@pytest.mark.parametrize(
    "head, call",
    [
        ("n", "work(*[3])"),
        ("n", "work(**{'n': 3})"),
        ("*n", "work(3)"),
        ("n, *rest", "work(3, 4)"),
        ("n, **rest", "work(3, k=4)"),
        ("again", "work(3)"),
        ("given", "work(3)"),
    ],
)
def test_a_cache_gets_nothing_where_it_is_not_told_what_it_was_asked(head, call):
    """Arguments that were unpacked, or bound anew: the next call computes it once more."""
    source = f"""
import functools, contextlib
@functools.lru_cache(None)
def work({head}):
    for again in range(2):
        with contextlib.nullcontext() as given:
            note(1)
    return 5
note({call})
note({call})
"""
    machine = Saving(source, "program")
    stack = machine.stop(machine.start(), 6)
    keeping = stack.frames[-1].keeping
    layout, content = machine.save(stack)
    machine.leave()
    machine, held = restored(source, "program", layout, content)
    held.finish()

    assert keeping is None
    assert 5 == machine.log[-1]
    machine.leave()


def test_while_a_frame_goes_on_its_values_are_held_by_it_alone():
    class Thing:
        pass

    thing = Thing()
    seen = weakref.ref(thing)
    cache = functools.lru_cache(None)(lambda n: n)

    def going_on(values):
        held = values["thing"]
        del held
        return seen()

    call = result_kept(going_on, {"thing": thing}, Keeping(cache, (1,), {}))
    del thing

    assert call() is None
    assert (0, 1, None, 1) == cache.cache_info()


def test_a_cache_of_c_code_keeps_no_result_of_ours():
    cache = functools.lru_cache(None)(len)

    assert 3 == keep(cache, ("abc",), {}, 3)
    assert 0 == cache.cache_info().currsize
