"""Signals that a worker leaves to its parent, and runs that answer by something else."""

from __future__ import annotations

import signal

import pytest
from unit.triggers.test_signal_handlers import (
    NUMBER,
    Fake,
    Host,
    handler,
    leave,
    nothing_left,
    send,
    wait_until,
)

from resume.errors import Preempted
from resume.triggers import signals
from resume.triggers.interruption import Terms
from resume.triggers.signals import on_signal, subscribe

__all__ = ["nothing_left"]


@pytest.fixture
def host():
    with handler(Host()) as there:
        yield there


@pytest.fixture
def worker(host):
    """This process answers to a parent."""
    signals.leave_to_parent({NUMBER})
    yield host
    signals._left_to_parent.clear()
    signals._put_back_unneeded()
    assert signal.getsignal(NUMBER) is host


def test_a_signal_that_is_left_to_the_parent_does_nothing(worker):
    send()
    send()

    assert worker.calls == []
    assert signal.getsignal(NUMBER) is on_signal


def test_a_run_in_a_worker_is_asked_and_a_second_counts_for_nothing(worker, caplog):
    """The parent sends one, and the scheduler another."""
    run = Fake()
    subscription = subscribe(run, (NUMBER,))
    send()
    send()
    wait_until(lambda: "epoch" in caplog.text)

    assert len(run.asked) == 1
    assert run.withdrawn == []
    assert caplog.messages == ["⚠ SIGUSR1 at epoch=47/300: saving at the next safe point"]
    assert isinstance(leave(run.asked[0]), Preempted)
    assert worker.calls == []
    assert signal.getsignal(NUMBER) is on_signal  # others may come before the worker has ended
    subscription.close()
    send()
    assert worker.calls == []
    assert signal.getsignal(NUMBER) is on_signal


def test_a_run_that_does_not_save_says_what_it_does(host, caplog):
    """Before others are heard; and so long the signal waits."""
    saves, waits = Fake(), Fake()
    waits.own_terms = Terms("waiting for the others", 0.0, "the others are not there")
    subscriptions = [subscribe(run, (NUMBER,)) for run in (saves, waits)]

    send()
    wait_until(lambda: host.calls)

    assert host.calls == [NUMBER]  # it acts, as a second one does
    assert caplog.messages == [
        "⚠ SIGUSR1 at epoch=47/300: waiting for the others; a second one to stop now",
        "⚠ the others are not there after 0 s: SIGUSR1 acts now",
    ]
    assert [len(run.withdrawn) for run in (saves, waits)] == [1, 1]
    for one in (saves, waits):
        one.left = True
    for subscription in subscriptions:
        subscription.close()
