"""Signals and the one handler: who is asked, what acts instead, what is put back."""

from __future__ import annotations

import _signal
import asyncio
import gc
import os
import pickle
import signal
import threading
import time
from contextlib import contextmanager

import pytest

from resume.errors import Preempted
from resume.triggers import signals
from resume.triggers.signals import on_signal, subscribe

PATIENCE_S = 60.0
NUMBER = signal.SIGUSR1


class Fake:
    """A run that can be asked."""

    def __init__(self, *, expects=True, can=True):
        self.expects, self.can = expects, can
        self.asked, self.withdrawn = [], []
        self.left = False
        self.patience = 0.0
        self.own_terms = None

    def can_save(self):
        return self.can

    def expects_save(self, now):
        return self.can and self.expects

    def ask(self, asked):
        self.asked.append(asked)

    def withdraw(self, asked):
        self.withdrawn.append(asked)

    def place(self):
        return "epoch=47/300"

    def saved_age_s(self):
        return None

    def patience_s(self):
        return self.patience

    def has_left(self):
        return self.left

    def terms(self):
        return self.own_terms


class Host:
    """A handler of the program's own."""

    def __init__(self):
        self.calls = []

    def __call__(self, number, frame):
        self.calls.append(number)


@contextmanager
def handler(there):
    before = signal.signal(NUMBER, there)
    try:
        yield there
    finally:
        signal.signal(NUMBER, before)


@pytest.fixture
def host():
    with handler(Host()) as there:
        yield there


@pytest.fixture(autouse=True)
def nothing_left():
    """No handler, no thread, no file descriptor, no wakeup."""
    files = len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0
    before = {n: signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)}
    yield
    assert {n: signal.getsignal(n) for n in before} == before
    assert signal.getsignal(NUMBER) is not on_signal
    assert signals._interruption is None
    assert not signals._subscriptions
    wait_until(lambda: not ours())
    assert signal.set_wakeup_fd(-1) == -1
    if files:
        wait_until(lambda: len(os.listdir("/proc/self/fd")) <= files)


def ours():
    return [one for one in threading.enumerate() if one.name == "resume-interrupt"]


def wait_until(is_true):
    deadline = time.monotonic() + PATIENCE_S
    while not is_true():
        assert time.monotonic() < deadline
        time.sleep(0.001)


def send(number=NUMBER):
    os.kill(os.getpid(), number)
    for _ in range(10):  # handlers run between two instructions
        pass


def leave(asked, generation=1):
    """What a save does that ends well."""
    asked.answer(generation, None)
    asked.leaves.before()
    return asked.leaves.error()


# -- handlers


def test_handlers_are_taken_while_a_run_wants_them(host):
    one, other = Fake(), Fake()
    first, second = subscribe(one, (NUMBER,)), subscribe(other, (NUMBER,))
    assert signal.getsignal(NUMBER) is on_signal

    first.close()
    assert signal.getsignal(NUMBER) is on_signal
    second.close()
    second.close()
    assert signal.getsignal(NUMBER) is host


def test_each_run_has_signals_of_its_own(host):
    one, other = Fake(), Fake()
    first, second = subscribe(one), subscribe(other, (NUMBER,))
    send()
    (asked,) = other.asked
    leave(asked)

    assert one.asked == []
    first.close()
    second.close()


def test_an_ignored_signal_stays_ignored():
    """As `nohup` wants it."""
    with handler(signal.SIG_IGN):
        subscription = subscribe(Fake(), (NUMBER,))
        assert signal.getsignal(NUMBER) == signal.SIG_IGN
        subscription.close()


def test_a_handler_that_the_program_sets_later_stays(host):
    run, later = Fake(), Host()
    subscription = subscribe(run, (NUMBER,))
    signal.signal(NUMBER, later)
    send()
    subscription.close()

    assert signal.getsignal(NUMBER) is later
    assert (later.calls, run.asked) == ([NUMBER], [])


def test_in_another_thread_no_handler_is_set(host):
    run, found = Fake(), []

    def work():
        subscription = subscribe(run, (NUMBER,), in_main=False)
        found.append(signal.getsignal(NUMBER))
        subscription.close()

    thread = threading.Thread(target=work)
    thread.start()
    thread.join(PATIENCE_S)

    assert found == [host]


def test_a_run_that_was_dropped_is_asked_no_more(host):
    run = Fake()
    subscription = subscribe(run, (NUMBER,))
    del run
    gc.collect()
    send()

    assert host.calls == [NUMBER]
    subscription.close()


def test_the_handler_is_pickled_by_reference():
    """A program may keep what `signal.signal` returns, and that is part of its state."""
    assert pickle.loads(pickle.dumps(on_signal)) is on_signal


# -- the first signal


@pytest.mark.parametrize("run", [Fake(expects=False), Fake(can=False)], ids=["late", "cannot"])
def test_where_no_safe_point_is_to_be_expected_the_earlier_handler_acts(host, run):
    subscription = subscribe(run, (NUMBER,))
    send()
    subscription.close()

    assert host.calls == [NUMBER]
    assert run.asked == []


def test_a_ctrl_c_without_safe_points_is_an_ordinary_one():
    subscription = subscribe(Fake(expects=False))
    try:
        with pytest.raises(KeyboardInterrupt):
            send(signal.SIGINT)
    finally:
        subscription.close()


def test_all_runs_that_can_save_are_asked_where_one_is_expected(host):
    runs = [Fake(expects=False), Fake(), Fake(can=False)]
    subscriptions = [subscribe(run, (NUMBER,)) for run in runs]
    send()

    assert [len(run.asked) for run in runs] == [1, 1, 0]
    assert host.calls == []
    asked = runs[1].asked[0]
    assert (asked.trigger, asked.why) == ("signal", "SIGUSR1")
    leave(asked)
    assert runs[0].withdrawn  # the program is left: nobody else is to leave it again
    assert signal.getsignal(NUMBER) is host
    for one in subscriptions:
        one.close()


def test_a_handler_of_the_program_has_its_say_behind_the_save(host):
    run = Fake()
    subscription = subscribe(run, (NUMBER,))
    send()
    error = leave(run.asked[0])
    subscription.close()

    assert host.calls == [NUMBER]
    assert isinstance(error, Preempted)
    assert error.code == 143


def test_it_may_leave_in_its_own_way():
    class Own(BaseException):
        pass

    def host(number, frame):
        raise Own

    run = Fake()
    with handler(host):
        subscription = subscribe(run, (NUMBER,))
        send()
        with pytest.raises(Own):
            leave(run.asked[0])
        subscription.close()


@pytest.mark.parametrize(
    ("number", "exit_code", "kind", "code"),
    [
        (signal.SIGINT, None, KeyboardInterrupt, None),
        (signal.SIGINT, 85, Preempted, 85),
        (signal.SIGTERM, None, Preempted, 143),
        (signal.SIGTERM, 0, Preempted, 0),
    ],
)
def test_how_the_program_is_left(number, exit_code, kind, code):
    run = Fake()
    subscription = subscribe(run, exit_code=exit_code)
    send(number)
    error = leave(run.asked[0])
    subscription.close()

    assert type(error) is kind
    assert getattr(error, "code", None) == code


def test_it_is_said_at_once(host, caplog):
    run = Fake()
    subscription = subscribe(run)
    send(signal.SIGINT)
    wait_until(lambda: caplog.messages)
    leave(run.asked[0])
    subscription.close()

    assert caplog.messages == [
        "⚠ interrupted at epoch=47/300: saving at the next safe point; Ctrl-C again to stop now"
    ]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_child_has_no_handler_of_ours_even_if_the_program_has_put_it_back():
    subscription = subscribe(Fake(), (NUMBER,))
    held = signal.getsignal(NUMBER)
    subscription.close()
    with handler(held):
        child = os.fork()
        if child == 0:
            os._exit(signal.getsignal(NUMBER) is not signal.SIG_DFL)

    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_a_run_of_another_thread_saves_and_leaves_nothing(host):
    main, worker = Fake(), Fake()
    subscriptions = [
        subscribe(main, (NUMBER,)),
        subscribe(worker, (NUMBER,), in_main=False),
    ]
    send()

    assert worker.asked[0].leaves is None
    leave(main.asked[0])
    assert worker.withdrawn == []
    for one in subscriptions:
        one.close()


def test_a_program_that_goes_on_is_asked_again(host):
    """It has caught what was to leave it, and came to a safe point."""
    run = Fake()
    subscription = subscribe(run, (NUMBER,))
    send()
    leave(run.asked[0])
    assert signal.getsignal(NUMBER) is host

    subscription.look(0.0)
    assert signal.getsignal(NUMBER) is on_signal
    send()
    assert len(run.asked) == 2
    leave(run.asked[1])
    subscription.close()


def test_what_the_program_set_meanwhile_is_not_taken_again(host):
    run, later = Fake(), Host()
    subscription = subscribe(run, (NUMBER,))
    send()
    leave(run.asked[0])
    signal.signal(NUMBER, later)
    subscription.look(0.0)
    subscription.close()

    assert signal.getsignal(NUMBER) is later


# -- the second signal, and others


def test_the_second_acts_as_without_a_checkpoint(host):
    run = Fake()
    subscription = subscribe(run, (NUMBER,))
    send()
    send()

    assert host.calls == [NUMBER]
    assert run.withdrawn == run.asked
    assert signal.getsignal(NUMBER) is host
    subscription.close()


def test_the_second_may_be_another_signal(host):
    run = Fake()
    subscription = subscribe(run, (NUMBER, signal.SIGINT))
    send()
    try:
        with pytest.raises(KeyboardInterrupt):
            send(signal.SIGINT)
    finally:
        subscription.close()


def test_a_second_by_default_ends_the_process():
    child = os.fork()
    if child == 0:
        signal.signal(NUMBER, signal.SIG_DFL)
        run = Fake()
        subscription = subscribe(run, (NUMBER,))
        send()
        send()
        os._exit(7)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -NUMBER


def test_where_the_run_ends_without_a_safe_point_the_signal_acts_later(host):
    run = Fake()
    subscription = subscribe(run, (NUMBER,))
    send()
    subscription.close()

    wait_until(lambda: host.calls)
    assert host.calls == [NUMBER]


def test_where_another_run_can_still_leave_it_is_waited_for(host):
    runs = [Fake(), Fake()]
    first, second = (subscribe(run, (NUMBER,)) for run in runs)
    send()
    first.close()
    leave(runs[1].asked[0])
    second.close()

    assert host.calls == [NUMBER]


def test_a_program_that_is_left_to_itself_gets_no_signal_later(host):
    run = Fake()
    subscription = subscribe(run, (NUMBER,), delivers=False)
    send()
    subscription.close()

    time.sleep(0.1)
    assert host.calls == []


def test_a_forked_child_has_the_earlier_handler(host):
    run = Fake()
    subscription = subscribe(run, (NUMBER,))
    send()
    child = os.fork()
    if child == 0:
        is_back = signal.getsignal(NUMBER) is host and signal.set_wakeup_fd(-1) == -1
        send()
        os._exit(0 if is_back and host.calls == [NUMBER] else 1)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    leave(run.asked[0])
    subscription.close()

    assert status == 0


def test_a_signal_to_a_child_that_is_just_forked_is_not_lost():
    """A pool that ends at once sends SIGTERM to workers that have not begun yet, and waits."""
    with handler(signal.SIG_DFL):
        run = Fake(expects=False)
        subscription = subscribe(run, (NUMBER,))
        ends = set()
        for _ in range(50):
            child = os.fork()
            if child == 0:
                signal.alarm(20)
                while True:
                    signal.pause()
            os.kill(child, NUMBER)
            ends.add(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
        subscription.close()

    assert ends == {-NUMBER}


# -- the wakeup of the interpreter


def test_a_wakeup_of_the_program_stays_and_hears_all(host):
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    before = signal.set_wakeup_fd(writing)
    run = Fake()
    subscription = subscribe(run, (NUMBER,))
    try:
        send()
        assert signal.set_wakeup_fd(writing) == writing
        send()
        assert os.read(reading, 100) == bytes([NUMBER, NUMBER])
    finally:
        subscription.close()
        assert signal.set_wakeup_fd(before) == writing
        os.close(reading)
        os.close(writing)


def test_a_wakeup_that_the_program_sets_meanwhile_stays(host):
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    run = Fake()
    subscription = subscribe(run, (NUMBER,))
    send()
    signal.set_wakeup_fd(writing)
    try:
        leave(run.asked[0])
        subscription.close()
    finally:
        assert signal.set_wakeup_fd(-1) == writing
        os.close(reading)
        os.close(writing)


def test_the_handler_of_a_loop_of_asyncio_runs_as_well():
    run, heard = Fake(), []

    async def main():
        loop = asyncio.get_running_loop()
        done = loop.create_future()
        loop.add_signal_handler(NUMBER, lambda: (heard.append(True), done.set_result(None)))
        subscription = subscribe(run, (NUMBER,))
        send()
        await asyncio.wait_for(done, PATIENCE_S)
        leave(run.asked[0])
        subscription.close()
        loop.remove_signal_handler(NUMBER)

    asyncio.run(main())

    assert heard == [True]
    assert len(run.asked) == 1


def test_the_numbers_are_those_of_the_library():
    assert signals.USUAL == (signal.SIGINT, signal.SIGTERM)
    assert _signal.SIGINT == signal.SIGINT


# -- what ends the process, and what is not to be had


@pytest.mark.parametrize("has_left", [True, False])
def test_where_the_program_is_not_left_in_time_the_process_ends(
    host, caplog, monkeypatch, has_left
):
    ended = []
    monkeypatch.setattr(os, "_exit", ended.append)
    monkeypatch.setattr("resume.triggers.interruption._CLEANUP_S", 0.01)
    run = Fake()
    run.left = has_left
    subscription = subscribe(run, (NUMBER,))
    send()
    wait_until(lambda: caplog.messages)
    send()
    wait_until(lambda: not ours())
    subscription.close()

    assert ended == ([] if has_left else [128 + NUMBER])
    assert any("has not come to its end" in line for line in caplog.messages) != has_left


def test_without_a_pipe_it_goes_as_well(host, caplog, monkeypatch):
    def none_left():
        raise OSError

    run = Fake()
    subscription = subscribe(run, (NUMBER,))
    with monkeypatch.context() as patch:
        patch.setattr(os, "pipe", none_left)
        send()
    wait_until(lambda: caplog.messages)
    leave(run.asked[0])
    subscription.close()

    assert host.calls == [NUMBER]


def test_without_a_thread_it_goes_as_well(host, monkeypatch):
    import _thread

    def none_left(*_):
        raise RuntimeError

    run = Fake()
    subscription = subscribe(run, (NUMBER,))
    with monkeypatch.context() as patch:
        patch.setattr(_thread, "start_new_thread", none_left)
        send()
    leave(run.asked[0])
    assert host.calls == [NUMBER]
    subscription.close()


def test_a_program_under_resume_run_sees_no_handler_of_ours(host):
    from resume.triggers import hidden

    run, own = Fake(), Host()
    subscription = subscribe(run, (NUMBER,))
    hidden.hide()
    try:
        assert signal.getsignal(NUMBER) is host
        assert signal.signal(NUMBER, own) is host
        assert signal.getsignal(NUMBER) is own
        send()
        assert signal.signal(NUMBER, host) is own
        assert signal.getsignal(NUMBER) is host
        send()
    finally:
        hidden.show()
    assert signal.getsignal(NUMBER) is on_signal
    assert (own.calls, host.calls, len(run.asked)) == ([NUMBER], [], 1)
    leave(run.asked[0])
    subscription.close()
