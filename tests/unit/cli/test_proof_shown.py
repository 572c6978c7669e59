"""What `resume prove` says of what it found."""

from __future__ import annotations

import os
import pty
import sys
from collections import Counter

import pytest

from resume.cli.proof_shown import Watching, print_proof, record_of
from resume.proving import Difference, Kills, Plan, Proof, Verdict


@pytest.fixture
def shown(capsys):
    """Call it with fields of a proof: returns the lines that are shown."""

    def lines(verdict: Verdict, **fields) -> list[str]:
        print_proof(Proof(Plan(kills=20, seed=7), verdict, **fields))
        return capsys.readouterr().out.splitlines()

    return lines


def field(lines: list[str], name: str) -> str:
    (found,) = (line for line in lines if line.startswith(f"{name} "))
    return found.removeprefix(name).strip()


def test_kills_are_told_by_when_they_came(shown):
    """Those that prove nothing are called so; what did not happen is not told."""
    some = shown(Verdict.EQUAL, kills=Kills(17, 2, 1), rounds=3, went_on=19)
    one = shown(Verdict.EQUAL, kills=Kills(working=1), rounds=1, went_on=1)

    assert field(some, "kills") == (
        "20 in 3 rounds from beginning to end: 17 at work behind a save, 2 on the way back to a "
        "save, 1 before the first save, which prove nothing; 19 times it went on from a save"
    )
    assert field(one, "kills") == (
        "1 in 1 round from beginning to end: 1 at work behind a save; 1 time it went on from a save"
    )


def test_the_overhead_of_a_short_script_is_that_of_its_start(shown):
    """Else it is a ratio that says something."""
    short = shown(Verdict.EQUAL, python_cpu_s=0.05, resume_cpu_s=0.2)
    long = shown(Verdict.EQUAL, python_cpu_s=100.0, resume_cpu_s=102.0)
    unmeasured = shown(Verdict.EQUAL, python_cpu_s=0.0, resume_cpu_s=0.1)

    assert field(short, "overhead").startswith("4.00 times")
    assert field(short, "overhead").endswith("a start takes most of the difference")
    assert field(long, "overhead") == (
        "1.02 times the processor time: python 100.00 s, resume run undisturbed 102.00 s"
    )
    assert field(unmeasured, "overhead").startswith("python 0.00 s")


def test_reasons_and_warnings_are_listed(shown):
    """The most frequent first; the rest is counted."""
    reasons = Counter({f"reason {number}": number for number in range(1, 9)})

    lines = shown(Verdict.EQUAL, postponed=reasons, warnings=["⚠ x: one", "⚠ x: two"])

    assert field(lines, "postponed") == "8 times: reason 8"
    assert [line.strip() for line in lines if "reason" in line][1:] == [
        *(f"{number} times: reason {number}" for number in range(7, 2, -1)),
        "and 2 more reasons",
    ]
    assert field(lines, "warnings") == "⚠ x: one"


def test_the_verdict_comes_last(shown):
    """With what was equal, or in which way it was not."""
    equal = shown(Verdict.EQUAL, stdout_bytes=2048, written=["a", "b"])
    failing = shown(Verdict.EQUAL, code=1, last_words="KeyError: 3")
    other = shown(Verdict.NOT_COMPARABLE, why="two differ", difference=Difference(("a",), "a: b"))
    never = shown(Verdict.NEVER_SAVED, why="no save")

    assert equal[-1] == "equal: exit code 0, 2.0 KiB of stdout, 2 written files"
    assert failing[-2:] == [
        "equal: exit code 1, 0 B of stdout, 0 written files",
        "the script itself fails, in each run: KeyError: 3",
    ]
    assert other[-2] == "not comparable: two differ"
    assert "seed its random numbers" in other[-1]
    assert never[-1] == "nothing is proved: no save"


def test_the_difference_is_clean_of_escape_sequences(shown):
    """A program may print what it likes; the other names that differ are told."""
    difference = Difference(("stdout", *"abcde"), "--- stdout\n+\x1b[31mred")

    lines = shown(Verdict.DIFFERENT, why="killed", difference=difference, last_words="Oh")

    title = lines.index("difference, the first of 6: stdout, a, b, c, +2")
    assert lines[title + 1 : title + 3] == ["--- stdout", "+\\x1b[31mred"]
    assert "Oh" not in lines
    assert lines[-1] == "DIFFERENT from plain python: killed"


def test_the_last_line_of_stderr_is_told_where_the_end_differs(shown):
    """An exit code, or no end at all."""
    difference = Difference(("exit code",), "exit code: 0, 1")

    for more in ({"difference": difference}, {}):
        assert "Oh" in shown(Verdict.DIFFERENT, last_words="Oh", **more)


def test_the_record_without_any_run():
    """Nothing is made up for runs that were not made."""
    record = record_of(Proof(Plan(kills=1, seed=2)))

    assert record["overhead"] is None
    assert record["difference"] is None
    assert record["kills"] == {"working": 0, "returning": 0, "unsaved": 0}


def test_a_terminal_shows_what_goes_on(monkeypatch):
    """And keeps a line for each run; `--json` keeps it silent."""
    mine, its = pty.openpty()
    monkeypatch.setenv("TERM", "xterm")
    with os.fdopen(its, "w") as terminal:
        monkeypatch.setattr(sys, "stdout", terminal)
        for quiet in (True, False):
            watching = Watching(5, quiet=quiet)
            with watching:
                watching.was_killed(3)
                watching.ends("it took 1 s")
        terminal.flush()
        seen = os.read(mine, 1 << 16).decode()
        while "killed 3 of 5 times" not in seen:
            seen += os.read(mine, 1 << 16).decode()
    os.close(mine)

    assert seen.count("it took 1 s") == 1
