"""A generation on its way: who waits for it, who is called, and what is told."""

from __future__ import annotations

import gc
import os
import threading
import time
import weakref
from pathlib import Path

import pytest
from crash.disk import in_child

from resume.errors import StoreError
from resume.store import pending as pending_of
from resume.store.pending import Pending, settle, when_settled

pytestmark = pytest.mark.timeout(30)

PLACE = Path("place")


class Held:
    """An act that waits, and ends with *answer*, raised where it is an error."""

    def __init__(self, answer="the manifest"):
        self.gate = threading.Event()
        self._answer = answer

    def __call__(self):
        assert self.gate.wait(20)
        if isinstance(self._answer, BaseException):
            raise self._answer
        return self._answer


def started(act, place=PLACE):
    """A `Pending` whose writer runs *act* in a thread of its own."""
    pending = Pending(place, 7)
    pending.announce()
    threading.Thread(target=pending.run, args=(act,), kwargs={"beside": True}).start()
    return pending


def in_thread(act):
    """Call *act* in a thread; it is given 0.2 s to end."""
    thread = threading.Thread(target=act)
    thread.start()
    thread.join(0.2)
    return thread


def test_it_is_done_when_its_act_has_ended():
    act = Held()
    pending = started(act)
    assert (pending.number, pending.is_done, pending.error) == (7, False, None)

    act.gate.set()

    assert pending.wait() == "the manifest"
    assert (pending.is_done, pending.error) == (True, None)
    assert pending.wait() == "the manifest"


def test_whoever_waits_is_let_go_when_it_is_done():
    """Any number of threads, and the writer's own thread has ended by then."""
    act = Held()
    threads = threading.active_count()
    pending = started(act)
    waiting = [in_thread(pending.settle) for _ in range(3)] + [in_thread(lambda: settle(PLACE))]
    assert all(one.is_alive() for one in waiting)

    act.gate.set()
    for one in waiting:
        one.join()

    assert threading.active_count() == threads


def test_the_place_is_on_its_way_to_the_very_end_of_the_writer():
    """Also for who asks while the callbacks of the writer run."""
    act = Held()
    gate = threading.Event()
    calls = []
    pending = started(act)
    pending.when_done(lambda: calls.append(gate.wait(20)))
    act.gate.set()
    while not pending.is_done:
        time.sleep(0.001)

    waiting = [in_thread(lambda: settle(PLACE)), in_thread(pending.settle)]
    assert all(one.is_alive() for one in waiting)
    gate.set()
    for one in waiting:
        one.join()

    assert calls == [True]


def test_callbacks_are_called_in_the_writers_thread_or_at_once():
    """In their order before it is done; at once, in the caller's thread, behind it."""
    act = Held()
    calls = []
    pending = started(act)
    for name in "ab":
        pending.when_done(lambda name=name: calls.append((name, threading.current_thread())))
    assert calls == []

    act.gate.set()
    pending.settle()
    pending.when_done(lambda: calls.append(("c", threading.current_thread())))

    assert [name for name, _ in calls] == ["a", "b", "c"]
    assert calls[0][1] is calls[1][1]
    assert calls[0][1] is not threading.current_thread()
    assert calls[2][1] is threading.current_thread()


def test_a_callback_may_ask_for_another_and_for_the_place():
    """As a run does that the collector closes in the writer's thread."""
    act = Held()
    calls = []
    pending = started(act)

    def first():
        pending.settle()
        settle(PLACE)
        pending.when_done(lambda: calls.append("inner"))
        when_settled(PLACE, lambda: calls.append("place"))
        calls.append("outer")

    pending.when_done(first)
    act.gate.set()
    pending.settle()

    assert calls == ["inner", "place", "outer"]


def test_the_writer_does_not_wait_for_itself():
    """Something that the act drops may want to settle: it is told that nothing is there yet."""
    seen = []

    def act():
        pending.settle()
        settle(PLACE)
        with pytest.raises(RuntimeError, match="waits for itself"):
            pending.wait()
        seen.append(pending.is_done)
        return "m"

    pending = Pending(PLACE, 1)
    pending.announce()
    thread = threading.Thread(target=pending.run, args=(act,), kwargs={"beside": True})
    thread.start()

    assert pending.wait() == "m"
    assert seen == [False]


def test_a_failure_is_kept_and_raised_by_each_who_waits():
    """`settle` raises nothing; `error` tells."""
    act = Held(StoreError("full"))
    pending = started(act)
    act.gate.set()

    pending.settle()

    assert isinstance(pending.error, StoreError)
    for _ in range(2):
        with pytest.raises(StoreError, match="full"):
            pending.wait()


def test_even_an_interrupt_in_the_act_is_kept_for_who_waits():
    """Where the program's own thread writes."""
    pending = Pending(PLACE, 1)

    def act():
        raise KeyboardInterrupt

    pending.run(act)

    with pytest.raises(KeyboardInterrupt):
        pending.wait()


def test_a_kept_failure_holds_no_frames(tmp_path):
    """What the act had in its hands is free, also behind the cause; the way is kept as text."""

    class Large:
        pass

    seen = []

    def inner():
        large = Large()
        seen.append(weakref.ref(large))
        raise KeyError("inner")

    def act():
        large = Large()
        seen.append(weakref.ref(large))
        try:
            inner()
        except KeyError as why:
            raise ZeroDivisionError("outer") from why

    gc.disable()
    try:
        pending = started(act)
        pending.settle()
        assert [one() for one in seen] == [None, None]
    finally:
        gc.enable()
    (note,) = pending.error.__notes__
    assert "in act" in note
    assert "in inner" in note
    assert "KeyError: 'inner'" in note
    assert pending.error.__cause__.args == ("inner",)


def test_only_the_writers_own_thread_counts_its_processor_time():
    """What the program's thread writes is in its pause already."""

    def act():
        deadline = time.thread_time() + 0.02
        while time.thread_time() < deadline:
            pass
        return "m"

    beside, here = started(act), Pending(PLACE, 2)
    beside.settle()
    here.run(act)

    assert beside.writer_s >= 0.02
    assert here.writer_s == 0.0


def test_when_settled_calls_at_once_where_nothing_is_on_its_way():
    act = Held()
    pending = started(act)
    calls = []
    when_settled(Path("other"), lambda: calls.append("other"))
    when_settled(PLACE, lambda: calls.append("place"))
    assert calls == ["other"]

    act.gate.set()
    pending.settle()

    assert calls == ["other", "place"]


def test_a_place_is_one_place_by_whatever_path(tmp_path):
    """A link to the folder of the checkpoints leads to the same writer."""
    (tmp_path / "real" / "x").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "real")
    act = Held()
    pending = started(act, tmp_path / "real" / "x")

    waiting = in_thread(lambda: settle(tmp_path / "link" / "x"))
    assert waiting.is_alive()

    act.gate.set()
    waiting.join()
    assert pending.is_done


def test_what_is_done_and_let_go_is_forgotten(monkeypatch):
    """Of all places, the record of the last alone stays behind."""
    monkeypatch.setattr(pending_of, "_in_flight", [])  # what other tests hold is theirs
    for row in range(5):
        pending = started(lambda: "m", Path(f"place-{row}"))
        pending.settle()
        assert pending_of._on_its_way_to(Path(f"place-{row}")) is pending
        del pending
        gc.collect()

    assert [get() for get in pending_of._in_flight] == [None]
    assert pending_of._on_its_way_to(Path("place-4")) is None


def test_nothing_is_called_when_it_is_let_go():
    """A Ctrl-C in the callback of a weak reference would be printed, and lost."""
    pending = started(lambda: "m")

    assert [one.__callback__ for one in weakref.getweakrefs(pending)] == [None]
    pending.settle()


def test_the_collector_may_wait_amid_the_end_of_another_writer(monkeypatch):
    """A run that it closes there waits for its own writer, which must not need what is held."""
    first, second = Held(), Held()
    pending, other = started(first, Path("first")), started(second, Path("second"))
    ended = []

    class Latch:
        """The last step of the first writer; the collector comes right behind it."""

        def release(self):
            latch.release()
            second.gate.set()
            other.settle()
            ended.append(other.is_done)

    latch, pending._latch = pending._latch, Latch()
    first.gate.set()
    pending._thread.join(10)

    assert ended == [True]


def test_callbacks_from_many_threads_are_each_called_once():
    """Some are added while it ends: by its writer, or at once."""
    act = Held()
    pending = started(act)
    calls = []
    adding = [
        threading.Thread(
            target=lambda row=row: [
                pending.when_done(lambda k=k: calls.append((row, k))) for k in range(200)
            ]
        )
        for row in range(4)
    ]

    for thread in adding[:2]:
        thread.start()
    act.gate.set()
    for thread in adding[2:]:
        thread.start()
    for thread in adding:
        thread.join()
    pending.settle()

    assert sorted(calls) == [(row, k) for row in range(4) for k in range(200)]


def test_a_save_that_never_began_keeps_nobody_waiting():
    """An interrupt came between its making and its first step."""
    pending = Pending(PLACE, 1)
    calls = []

    settle(PLACE)
    when_settled(PLACE, lambda: calls.append(1))

    assert not pending.is_done
    assert calls == [1]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
def test_a_forked_child_forgets_what_its_parent_writes():
    """It waits for nobody."""
    act = Held()
    pending = started(act)

    def look():
        settle(PLACE)
        calls = []
        when_settled(PLACE, lambda: calls.append(1))
        assert calls == [1]
        own = started(lambda: "own")
        assert own.wait() == "own"

    try:
        assert in_child(look) == 0
    finally:
        act.gate.set()

    assert pending.wait() == "the manifest"
