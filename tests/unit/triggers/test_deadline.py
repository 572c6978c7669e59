"""When the program has to be gone: what may be given, what the environment says, what is said."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta, timezone

import pytest
from schedulers import Commands

from resume.errors import ConfigError
from resume.triggers import clocks
from resume.triggers.clocks import process_began, since_boot, wall_clock
from resume.triggers.deadline import (
    Deadline,
    announce,
    find_deadline,
    parse_deadline,
    show_span,
)
from resume.triggers.signs import SIGNS, may_have_deadline

UNIX = 1_800_000_000


@pytest.fixture
def said(caplog):
    caplog.set_level("INFO", "resume")
    return caplog


@pytest.mark.parametrize(
    ("given", "seconds"),
    [
        ("23h30m", 84600),
        (" 90 ", 90),
        ("1.5h", 5400),
        (3600, 3600),
        (0.5, 0.5),
        (timedelta(days=1), 86400),
        ("999999999", 999999999),
    ],
)
def test_durations_count_from_the_start_of_the_process(given, seconds):
    """On a clock that nobody sets, and that goes on while the machine sleeps."""
    deadline = parse_deadline(given)

    assert deadline == Deadline(process_began() + seconds, since_boot, "deadline")


@pytest.mark.parametrize(
    ("given", "at"),
    [
        (datetime(2027, 1, 15, 8, 0, tzinfo=UTC), UNIX),
        (datetime(2027, 1, 15, 10, 0, tzinfo=timezone(timedelta(hours=2))), UNIX),
        (datetime.fromtimestamp(UNIX), UNIX),  # noqa: DTZ006 - local time, as people write it
        ("2027-01-15T08:00:00Z", UNIX),
        ("2027-01-15 10:00+02:00", UNIX),
        (datetime.fromtimestamp(UNIX).isoformat(), UNIX),  # noqa: DTZ006
        (str(UNIX), UNIX),
        (f"{UNIX}.5", UNIX + 0.5),
    ],
)
def test_times_are_of_the_wall_clock(given, at):
    """Where that is set the deadline moves with it, as the scheduler's own does."""
    assert parse_deadline(given) == Deadline(at, wall_clock, "deadline")


def test_a_date_is_its_beginning_where_the_program_runs(monkeypatch):
    monkeypatch.setenv("TZ", "UTC-02:00")
    time.tzset()
    try:
        assert parse_deadline("2027-01-15").at == UNIX - 10 * 3600
    finally:
        monkeypatch.undo()
        time.tzset()


@pytest.mark.parametrize(
    "given",
    [
        *("soon", "", "2027-13-45", "2027-01-15T", "-5", "5 parsecs", "9" * 400 + "h"),
        *(-1, True, float("inf"), float("nan"), object(), []),
    ],
)
def test_what_is_no_deadline_is_refused(given):
    with pytest.raises(ConfigError) as caught:
        parse_deadline(given, "--deadline")

    text = str(caught.value)
    assert text.startswith(f"--deadline={given!r} is no deadline: give how long")
    assert text.endswith("Unix seconds), a datetime, 'auto' or None")


def test_none_is_no_deadline():
    assert find_deadline(None) is None
    assert find_deadline("auto") is None


def test_the_operator_s_word(monkeypatch):
    monkeypatch.setenv("RESUME_DEADLINE", "23h30m")

    assert find_deadline("auto") == Deadline(process_began() + 84600, since_boot, "RESUME_DEADLINE")


def test_the_operator_s_word_stands_before_the_scheduler_s(monkeypatch):
    monkeypatch.setenv("SLURM_JOB_END_TIME", str(int(time.time()) + 100))
    monkeypatch.setenv("RESUME_DEADLINE", str(UNIX))
    assert find_deadline("auto") == Deadline(UNIX, wall_clock, "RESUME_DEADLINE")

    monkeypatch.setenv("RESUME_DEADLINE", "None")
    assert find_deadline("auto") is None


def test_a_malformed_word_of_the_operator_is_said_once(monkeypatch, said):
    monkeypatch.setenv("RESUME_DEADLINE", "tomorow")

    assert [find_deadline("auto") for _ in range(3)] == [None, None, None]
    [line] = said.messages
    assert line == (
        "⚠ no deadline: RESUME_DEADLINE='tomorow' is no deadline: give how long the process may "
        "run ('23h30m', 3600), or when it has to end ('2026-11-23T08:00', Unix seconds)"
    )


def test_a_keyword_stands_before_the_environment(monkeypatch):
    monkeypatch.setenv("RESUME_DEADLINE", "1h")

    assert parse_deadline("2h") == find_deadline("2h")


def test_a_scheduler_is_asked_once_for_the_whole_process(tmp_path, monkeypatch):
    """However many checkpoints there are: its controller has others to answer, too."""
    commands = Commands(tmp_path / "bin")
    monkeypatch.setenv("PATH", f"{commands.folder}:/usr/bin:/bin")
    monkeypatch.setenv("SLURM_JOB_ID", f"{os.getpid()}")
    commands.prints("squeue", "1:00:00")

    found = {find_deadline("auto") for _ in range(5)}

    assert len(found) == 1
    assert next(iter(found)).why == "squeue"
    assert len(commands.calls("squeue")) == 1


@pytest.mark.parametrize("sign", ["RESUME_DEADLINE", *SIGNS])
def test_only_where_there_is_a_sign_of_a_deadline_it_is_looked_for(sign, monkeypatch):
    assert not may_have_deadline("auto")
    assert not may_have_deadline(None)
    assert may_have_deadline("1h")

    monkeypatch.setenv(sign, "x")

    assert may_have_deadline("auto")
    assert not may_have_deadline(None)


def test_a_look_outside_of_a_job_imports_nothing():
    """Every start of a program waits for it."""
    code = (
        "import sys\n"
        "from resume.triggers.signs import may_have_deadline\n"
        "assert not may_have_deadline('auto')\n"
        "import resume.triggers.deadline as module\n"
        "assert module.find_deadline('auto') is None\n"
        "heavy = {'subprocess', 'resume.triggers.schedulers'} & set(sys.modules)\n"
        "print(sorted(heavy))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout == "[]\n"


# --- clocks ------------------------------------------------------------------------------------


def test_when_the_process_began():
    """It began before this test, and a child of it later."""
    assert 0 < process_began() < since_boot()
    code = "from resume.triggers.clocks import *; print(process_began(), since_boot())"
    before = since_boot()
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    began, now = map(float, done.stdout.split())
    assert before - 0.02 <= began <= now  # the system counts in hundredths


def test_where_the_system_does_not_tell_the_process_began_when_it_was_asked(monkeypatch):
    monkeypatch.setattr(clocks, "_stat", lambda _: [])
    process_began.cache_clear()
    try:
        before = since_boot()
        assert before <= process_began() <= since_boot()
        assert clocks._parent_of(1) == 0
    finally:
        process_began.cache_clear()


def test_a_process_that_is_gone():
    assert clocks.began_of("999999999") is None
    assert clocks.outermost_with("NO_SUCH=1") == process_began()


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="/proc tells of other processes")
def test_the_outermost_process_of_a_job():
    """The parents are gone up as long as they bear the mark."""
    inner = (
        "import os; from resume.triggers import clocks; "
        "print(clocks.outermost_with('OUR_JOB=1'), clocks.began_of(str(os.getppid())))"
    )
    outer = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {inner!r}], check=True)"
    run = [sys.executable, "-c", outer]
    env = {**os.environ, "OUR_JOB": "1"}

    told = subprocess.run(run, env=env, capture_output=True, text=True, check=True).stdout.split()

    assert told[0] == told[1]
    assert process_began() <= float(told[0])
    assert not clocks._bears(999999999, b"OUR_JOB=1")


def test_the_clock_without_a_name_of_its_own(monkeypatch):
    monkeypatch.setattr(clocks, "_SINCE_BOOT", None)

    assert abs(since_boot() - time.monotonic()) < 10


# --- what is said ------------------------------------------------------------------------------


def in_s(seconds, why):
    return Deadline(100.0 + seconds, lambda: 100.0, why)


def test_the_line_at_the_start_is_said_once(said):
    """Several checkpoints of one process have one end."""
    for _ in range(3):
        announce(in_s(86399, "A"), 300)

    assert said.messages == ["⏱ wall clock: 23h59m left (A): will save and leave at 23h54m"]


def test_too_little_time_is_said_at_the_start(said):
    announce(in_s(120, "B"), 300)

    [line] = said.messages
    assert line == (
        "⚠ wall clock: 2m left (B), and before_end is 5m: will save at the next safe point and "
        "leave, and so will each rerun until then; a shorter before_end lets it go on"
    )


def test_a_deadline_that_is_past_is_said_at_the_start(said):
    """A program that is started again whenever it ends would come no further, and nobody knew."""
    announce(in_s(-7200, "C"), 300)

    [line] = said.messages
    assert line == (
        "⚠ wall clock: the time was up 2h ago (C): will save at the next safe point and leave, and "
        "so will each rerun; RESUME_DEADLINE=none lets it go on"
    )


def test_the_remedy_fits_who_has_set_the_deadline(said):
    announce(in_s(-7200, "deadline"), 300)

    assert "each rerun; a later deadline, or none, lets it go on" in said.text


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (0, "0s"),
        (-3, "0s"),
        (0.9, "0s"),
        (59.9, "59s"),
        (60, "1m"),
        (270, "4m30s"),
        (3600, "1h"),
        (3605, "1h"),
        (86399, "23h59m"),
        (86400, "1d"),
        (93600, "1d2h"),
    ],
)
def test_spans_are_cut_to_two_units(seconds, shown):
    assert show_span(seconds) == shown
