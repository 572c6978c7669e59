"""The line that tells how far a sweep is."""

from __future__ import annotations

import io
import sys

import pytest

from resume.sweep import progress as progress_module
from resume.sweep.progress import Progress

COUNTS = {"items": 100, "done": 60, "failed": 3, "set_aside": 1, "pending": 36}


class Terminal(io.StringIO):
    def isatty(self):
        return True


class GoneTerminal(Terminal):
    def write(self, text):
        raise OSError(5, "gone")


def test_rate_and_time_left_count_from_this_launch():
    """Not from what earlier ones have done."""
    line = Progress("grid", 50, shown=True).text(COUNTS, running=4, elapsed_s=20)

    assert line == "grid: 60/100 done, 3 failed, 1 set aside, 4 running, 30/min, 72 s left"


def test_a_fast_sweep_has_a_rate_per_second():
    line = Progress("grid", 0, shown=True).text(COUNTS, running=0, elapsed_s=20)

    assert "3/s, 12 s left" in line


def test_nothing_is_guessed_before_the_first_is_done():
    plain = {"items": 5, "done": 0, "failed": 0, "set_aside": 0, "pending": 5}

    assert "grid: 0/5 done" == Progress("grid", 0, shown=True).text(plain, running=0, elapsed_s=9)


def test_a_terminal_has_one_line_that_is_written_over(monkeypatch):
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setattr(progress_module, "ON_TERMINAL_S", 0.0)
    line = Progress("grid", 0, shown=True)

    line.show(lambda: COUNTS, running=2)
    line.show(lambda: {**COUNTS, "done": 61}, running=0)
    line.end()
    line.end()

    assert terminal.getvalue().startswith("\rgrid: [############........] 60/100 done, ")
    assert terminal.getvalue().count("\n") == 0
    assert terminal.getvalue().endswith(" \r")


def test_a_line_is_not_written_over_too_often(monkeypatch):
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setattr(progress_module, "ON_TERMINAL_S", 3600.0)
    line = Progress("grid", 0, shown=True)

    for _ in range(5):
        line.show(lambda: COUNTS, running=2)

    assert terminal.getvalue().count("\r") == 1


def test_elsewhere_it_is_a_line_now_and_then(caplog, monkeypatch):
    """A log file is no terminal."""
    caplog.set_level("INFO", "resume")
    line = Progress("grid", 0, shown=True)
    line.show(lambda: COUNTS, running=2)
    assert caplog.text == ""
    monkeypatch.setattr(progress_module, "ELSEWHERE_S", 0.0)

    line.show(lambda: COUNTS, running=2)
    line.end()

    assert "grid: 60/100 done" in caplog.text


@pytest.mark.parametrize("how", ["progress=False", "RESUME_QUIET", "no stderr"])
def test_silence(how, monkeypatch):
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", None if how == "no stderr" else terminal)
    monkeypatch.setattr(progress_module, "ON_TERMINAL_S", 0.0)
    if how == "RESUME_QUIET":
        monkeypatch.setenv("RESUME_QUIET", "1")

    line = Progress("grid", 0, shown=how != "progress=False")
    line.show(lambda: COUNTS, running=2)
    line.end()

    assert terminal.getvalue() == ""


def test_a_terminal_that_is_gone_stops_nothing(monkeypatch):
    monkeypatch.setattr(sys, "stderr", GoneTerminal())
    line = Progress("grid", 0, shown=True)

    line.show(lambda: COUNTS, running=2)
    line.end()


def test_a_closed_stream_is_no_terminal(monkeypatch):
    closed = Terminal()
    monkeypatch.setattr(Terminal, "isatty", lambda _: io.StringIO.isatty(closed))
    closed.close()
    monkeypatch.setattr(sys, "stderr", closed)

    Progress("grid", 0, shown=True).show(lambda: COUNTS, running=2)
