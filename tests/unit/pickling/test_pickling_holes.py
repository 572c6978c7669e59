"""What belongs to the process: made fresh, found again, or named as the culprit."""

from __future__ import annotations

import io
import itertools
import logging
import queue
import random
import sys
import threading
import weakref

import numpy as np
import pytest

from resume.pickling import encode


class Node:
    pass


def test_locks_come_back_free(again):
    lock, rlock = threading.Lock(), threading.RLock()
    with lock, rlock:
        values = again(a=lock, b=[lock], c=rlock, d=threading.Semaphore(2), e=threading.Event())

    assert values["a"] is values["b"][0]
    assert all(values[name].acquire(blocking=False) for name in "acd")
    assert not values["e"].is_set()


def test_a_queue_keeps_what_waits_in_it(again):
    jobs = queue.Queue(maxsize=3)
    jobs.put("one")
    jobs.put(["two"])

    made = again(jobs=jobs)["jobs"]

    assert ("one", ["two"], 3) == (made.get_nowait(), made.get_nowait(), made.maxsize)
    with pytest.raises(queue.Empty):
        made.get(timeout=0.01)


def test_loggers_modules_and_streams_are_found_again(again):
    values = again(
        log=logging.getLogger("a.b"), root=logging.getLogger(), m=np.linalg, out=sys.stdout
    )

    assert values["log"] is logging.getLogger("a.b")
    assert values["root"] is logging.getLogger()
    assert values["m"] is np.linalg
    assert values["out"] is sys.stdout


def test_thread_locals_keep_this_threads_values(again):
    held = threading.local()
    held.x = [1]

    values = again(held=held, x=held.x)

    assert values["held"].x is values["x"]


def test_global_generators_go_by_reference(again):
    """`draw = random.random` draws from the generator that a restore sets, not from a copy."""
    values = again(a=random.random, b=random._inst, c=np.random.normal, d=np.random.mtrand._rand)

    assert values["a"].__self__ is random._inst is values["b"]
    assert values["c"].__self__ is np.random.mtrand._rand is values["d"]


def test_weak_references(again):
    target, gone = Node(), Node()
    dead = weakref.ref(gone)
    del gone
    table = weakref.WeakValueDictionary(a=target)
    keys = weakref.WeakKeyDictionary({target: [1]})

    values = again(
        target=target,
        ref=weakref.ref(target),
        dead=dead,
        table=table,
        keys=keys,
        all=weakref.WeakSet([target]),
        proxy=[weakref.proxy(target)],
    )

    made = values["target"]
    assert values["ref"]() is made
    assert values["dead"]() is None
    assert values["table"]["a"] is made
    assert [1] == values["keys"][made]
    assert [made] == list(values["all"])
    made.x = 3
    assert 3 == values["proxy"][0].x


@pytest.mark.parametrize(
    ("make", "word"),
    [
        (lambda: (n for n in "ab"), "generator"),
        (lambda: sys._getframe(), "frame"),
        (lambda: threading.Thread(target=print), "thread"),
        (lambda: open(__file__), "open file"),
        (lambda: queue_with_one(), "SimpleQueue"),
    ],
)
def test_what_has_no_recipe_says_why(make, word):
    held = make()
    encoded = encode({"x": {"held": held}, "y": 1})
    if hasattr(held, "close"):
        held.close()

    (skip,) = encoded.skipped
    assert "x['held']" == skip.path
    assert word in skip.why
    assert skip.remedy


def queue_with_one():
    made = queue.SimpleQueue()
    made.put(1)
    return made


def test_memory_files_are_plain_objects(again):
    held = io.BytesIO(b"abc")
    held.read(1)

    assert b"bc" == again(f=held)["f"].read()


def test_an_iterator_beyond_a_shrunken_list_keeps_its_place(again):
    items = list(range(10))
    beyond = iter(items)
    for _ in range(6):
        next(beyond)
    del items[3:]

    values = again(items=items, it=beyond)

    assert 6 == values["it"].__reduce__()[2]
    values["items"].extend(range(3, 12))
    assert list(range(6, 12)) == list(values["it"])


def test_an_iterator_over_an_anchored_list_keeps_its_place(again):
    items = list(range(10))
    running = iter(items)
    next(running)
    next(running)

    values = again({"anchors": {"items": items}}, it=running, items=items)

    values["items"].append(10)
    assert list(range(2, 11)) == list(values["it"])


@pytest.mark.skipif(sys.version_info >= (3, 14), reason="itertools no longer pickle")
def test_itertools_go_on_without_a_warning(again):
    items = [1, 2, 3]
    roots = {
        "chain": itertools.chain(items, [4]),
        "cycle": itertools.cycle(items),
        "islice": itertools.islice(iter(items), 1, None),
        "product": itertools.product(items, items),
        "zip": zip(iter(items), "abc"),
        "enumerate": enumerate(items),
        "count": itertools.count(5, 2),
        "map": map(str, items),
        "tee": itertools.accumulate(items),
        "reversed": reversed(items),
    }
    for it in roots.values():
        next(it)

    values = again(**roots)

    for name, it in roots.items():
        assert list(itertools.islice(it, 4)) == list(itertools.islice(values[name], 4)), name


def test_a_user_s_reducer_comes_first(again):
    class Odd:
        def __init__(self, x):
            self.x = x

        def __reduce__(self):
            raise AssertionError

    encoded = again({"reducers": {Odd: lambda odd: (complex, (odd.x,))}}, odd=[Odd(3)])

    assert [3 + 0j] == encoded["odd"]
