"""A first signal that waits in vain: what is said, and what acts in the end."""

from __future__ import annotations

import signal
import time

from test_signal_handlers import (  # noqa: F401 - fixtures
    NUMBER,
    Fake,
    host,
    leave,
    nothing_left,
    send,
    wait_until,
)

from resume.triggers.signals import subscribe


def test_without_a_safe_point_it_is_said_again(host, caplog, monkeypatch):  # noqa: F811
    monkeypatch.setattr("resume.triggers.interruption._PATIENCE_S", 0.01)
    run = Fake()
    subscription = subscribe(run, (NUMBER,))
    send()
    wait_until(lambda: len(caplog.messages) == 2)
    leave(run.asked[0])
    subscription.close()

    assert "SIGUSR1 at epoch=47/300" in caplog.messages[0]
    assert "no safe point for" in caplog.messages[1]
    assert "nothing is saved yet" in caplog.messages[1]


def test_a_signal_that_nobody_can_repeat_acts_when_no_safe_point_comes(host, caplog, monkeypatch):  # noqa: F811
    monkeypatch.setattr("resume.triggers.interruption._PATIENCE_S", 0.01)
    monkeypatch.setattr("resume.triggers.interruption._HANG_S", 0.02)
    run = Fake()
    subscription = subscribe(run, (NUMBER,))
    send()
    wait_until(lambda: host.calls == [NUMBER])
    run.left = True
    subscription.close()

    assert "acts now, without a save" in caplog.messages[2]
    assert run.withdrawn == run.asked


def test_it_waits_as_long_as_a_safe_point_may_take(host, caplog, monkeypatch):  # noqa: F811
    monkeypatch.setattr("resume.triggers.interruption._PATIENCE_S", 0.01)
    monkeypatch.setattr("resume.triggers.interruption._HANG_S", 0.0)
    run = Fake()
    run.patience = 3600.0
    subscription = subscribe(run, (NUMBER,))
    send()
    wait_until(lambda: len(caplog.messages) == 2)
    leave(run.asked[0])
    subscription.close()

    assert host.calls == [NUMBER]  # once: behind the save
    assert len(caplog.messages) == 2


def test_a_ctrl_c_waits_for_the_second(caplog, monkeypatch):
    monkeypatch.setattr("resume.triggers.interruption._PATIENCE_S", 0.0)
    monkeypatch.setattr("resume.triggers.interruption._HANG_S", 0.0)
    run = Fake()
    subscription = subscribe(run)
    send(signal.SIGINT)
    wait_until(lambda: len(caplog.messages) == 2)
    time.sleep(0.05)
    leave(run.asked[0])
    subscription.close()

    assert len(caplog.messages) == 2
