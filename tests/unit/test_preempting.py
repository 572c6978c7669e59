"""`chp.preempt_hook()`: a save that another thread asks for and waits for."""

from __future__ import annotations

import gc
import os
import pickle
import shutil
import threading
import time
import weakref
from collections.abc import Callable
from typing import Any

import pytest

from resume import Checkpoint, ConfigError, NullCheckpoint
from resume.results import Deferred, Saved
from resume.store import Store

PATIENCE_S = 90


class Monitor:
    """Calls a hook in a thread of its own, as a cloud's monitor does."""

    def __init__(self, call: Callable[[], Any]) -> None:
        self.result: Any = None
        self._thread = threading.Thread(target=self._run, args=(call,))
        self._thread.start()

    def _run(self, call: Callable[[], Any]) -> None:
        self.result = call()

    @property
    def is_done(self) -> bool:
        return not self._thread.is_alive()


def count_until(monitor: Callable[[Any], Monitor], **options: Any) -> Any:
    """Count while the monitor waits, and return what it got."""
    chp = Checkpoint("count", rate="1h", exclude=["waiting", "monitor"], **options)
    i = 0
    chp.restore()
    began = time.monotonic()
    waiting = monitor(chp)
    while not waiting.is_done and time.monotonic() < began + PATIENCE_S:
        i += 1
        chp.sync()
    return waiting.result


def newest() -> Any:
    return Store(".checkpoints", "count").newest()


def test_another_thread_gets_the_durable_generation():
    result = count_until(lambda chp: Monitor(chp.preempt_hook()))

    assert result == Saved(1, is_durable=True)
    assert newest().number == 1
    assert newest().draft.trigger == "preempt"


def test_what_both_tell_goes_into_the_manifest_beside_the_checkpoint_s_own():
    def monitor(chp: Any) -> Monitor:
        hook = chp.preempt_hook(extra={"session_id": "s-7", "stage_at_snapshot": "fit"})
        return Monitor(lambda: hook({"stage_at_snapshot": "test", "at": [1, 2]}))

    count_until(monitor, extra={"mine": 1})

    assert newest().draft.extra == {
        "mine": 1,
        "session_id": "s-7",
        "stage_at_snapshot": "test",
        "at": [1, 2],
    }


def test_a_callable_tells_what_is_so_when_the_hook_is_called():
    stages = ["load"]

    def monitor(chp: Any) -> Monitor:
        hook = chp.preempt_hook(lambda: {"stage_at_snapshot": stages[-1]})
        stages.append("fit")
        return Monitor(hook)

    count_until(monitor)

    assert newest().draft.extra == {"stage_at_snapshot": "fit"}


@pytest.mark.parametrize(
    ("info", "told"),
    [
        ("terminate", {"info": "terminate"}),
        ({1: {"at": 3}}, {"1": {"at": 3}}),
        ({"notice": complex(1, 2), "n": 3}, {"notice": "(1+2j)", "n": 3}),
        ({}, None),
    ],
)
def test_a_notice_of_any_form_is_no_reason_not_to_save(info, told):
    """There may be half a minute left."""
    assert count_until(lambda chp: Monitor(lambda: chp.preempt_hook()(info)))

    assert newest().draft.extra == told


def test_many_threads_are_all_answered():
    def monitor(chp: Any) -> Monitor:
        hook = chp.preempt_hook()
        others = [Monitor(hook) for _ in range(5)]

        def all_of_them() -> list[Any]:
            while not all(one.is_done for one in others):
                time.sleep(0.001)
            return [one.result for one in others]

        return Monitor(all_of_them)

    assert all(isinstance(one, Saved) for one in count_until(monitor))


# --- nothing is saved --------------------------------------------------------------------------


def test_no_safe_point_in_time_is_a_falsy_answer_and_the_save_comes_later():
    chp = Checkpoint("count", rate="1h", exclude="monitor")
    i = 1
    chp.restore()
    monitor = Monitor(lambda: chp.preempt_hook(grace=0.05)())
    while not monitor.is_done:
        time.sleep(0.005)
    assert newest() is None

    saved = chp.sync()

    assert not monitor.result
    assert "no safe point has come" in monitor.result.why
    assert saved.generation == i


def test_a_save_that_fails_is_a_falsy_answer_with_the_reason(tmp_path):
    def monitor(chp: Any) -> Monitor:
        shutil.rmtree(tmp_path / ".checkpoints")
        (tmp_path / ".checkpoints").write_text("a file is in the way")
        return Monitor(chp.preempt_hook())

    result = count_until(monitor)

    assert not result
    assert result.why.startswith("the save failed: cannot take the checkpoint 'count'")


def test_after_the_end_it_says_so():
    hooks = []

    def monitor(chp: Any) -> Monitor:
        hooks.append(chp.preempt_hook())
        return Monitor(lambda: None)

    count_until(monitor)
    gc.collect()

    assert hooks[0]() == Deferred("the checkpoint has ended: nothing can be saved any more")


def test_who_waits_when_the_run_ends_is_told_at_once():
    waiting = []

    def run() -> None:
        chp = Checkpoint("count", rate="1h")
        chp.restore()
        waiting.append(Monitor(lambda: chp.preempt_hook(grace="1h")()))
        while not chp._run.asking.is_asked:
            time.sleep(0.001)

    run()
    until = time.monotonic() + PATIENCE_S
    while not waiting[0].is_done and time.monotonic() < until:
        gc.collect()
        time.sleep(0.005)

    assert "ended" in waiting[0].result.why


def test_a_run_that_ends_while_it_is_asked_answers_nobody():
    """It was live when the hook looked, and had told all who waited when the hook asked."""
    chp = Checkpoint("count", rate="1h")
    chp.restore()
    hook = chp.preempt_hook(lambda: chp._run.close() or {}, grace="1h")
    monitor = Monitor(hook)
    until = time.monotonic() + PATIENCE_S
    while not monitor.is_done and time.monotonic() < until:
        time.sleep(0.005)

    assert "ended" in monitor.result.why


def test_where_nothing_is_saved_the_answer_is_falsy(monkeypatch):
    monkeypatch.setenv("RESUME_DISABLE", "1")
    chp = Checkpoint("count")

    assert isinstance(chp, NullCheckpoint)
    assert "switched off" in chp.preempt_hook()({"at": 1}).why


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_in_a_forked_child_the_answer_is_falsy():
    chp = Checkpoint("count", rate="1h")
    chp.restore()
    hook = chp.preempt_hook()
    child = os.fork()
    if child == 0:
        try:
            os._exit(3 if "switched off" in getattr(hook(), "why", "") else 4)
        finally:
            os._exit(5)

    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 3


@pytest.mark.parametrize("options", [{"extra": [1]}, {"extra": {"a": 1j}}, {"grace": "soon"}])
def test_a_hook_that_could_not_work_is_refused_when_it_is_made(options):
    chp = Checkpoint("count")

    with pytest.raises(ConfigError, match=next(iter(options))):
        chp.preempt_hook(**options)


# --- in the thread that saves ------------------------------------------------------------------


def test_called_by_the_program_itself_it_saves_where_it_stands():
    chp = Checkpoint("count", rate="1h")
    total = 7
    chp.restore()

    result = chp.preempt_hook()({"why": "a test"})

    assert result == Saved(1)
    assert newest().draft.extra == {"why": "a test"}
    assert [row.preview for row in newest().draft.variables if row.name == "total"] == [str(total)]


def test_in_an_item_of_a_loop_it_is_saved_at_its_end():
    chp = Checkpoint("count", rate="1h")
    answers = []
    chp.restore()
    hook = chp.preempt_hook()
    for item in chp.loop(range(3)):
        if item == 1:
            answers.append(hook())

    assert not answers[0]
    assert "end of the loop's item" in answers[0].why
    assert newest().draft.position["loops"][0]["done"] == 2


def test_what_cannot_be_saved_here_is_said_and_not_raised():
    def first() -> None:
        chp = Checkpoint("count")
        chp.restore()
        chp.save()

    first()
    chp = Checkpoint("count")

    result = chp.preempt_hook()()

    assert not result
    assert "restore()" in result.why


# --- what it holds -----------------------------------------------------------------------------


class Big:
    pass


def test_a_hook_keeps_nothing_of_the_program_alive():
    hooks = []

    def run() -> weakref.ref[Big]:
        model = Big()
        chp = Checkpoint("count", rate="1h")
        chp.restore()
        hooks.append(chp.preempt_hook())
        return weakref.ref(model)

    gone = run()
    gc.collect()

    assert gone() is None
    assert not hooks[0]()


def test_a_hook_among_the_variables_is_the_rerun_s_own():
    """As a name it stays what the rerun has made; inside an object it is made again."""

    def run(until: int) -> list[Any]:
        chp = Checkpoint("count", rate="1h")
        hook = chp.preempt_hook(grace=5)
        kept = [hook]
        answers: list[Any] = []
        i = 0
        chp.restore()
        while i < until:
            i += 1
            answers = [hook(), kept[0](), kept[0] is hook, repr(kept[0])]
        return answers

    shown = "<PreemptHook grace=5 s>"
    assert run(1) == [Saved(1), Saved(2), True, shown]
    gc.collect()

    assert run(2) == [Saved(3), Saved(4), False, shown]


def test_a_hook_of_nothing_comes_back_as_one():
    hook = NullCheckpoint().preempt_hook({"a": 1}, grace=3)

    again = pickle.loads(pickle.dumps(hook))

    assert "switched off" in again().why
    assert repr(again) == "<PreemptHook grace=3 s>"
