"""Scripts run as under python while saves are due all the time."""

from __future__ import annotations

import signal
import textwrap
import time
from pathlib import Path

import pytest
from scripts_to_run import SCRIPTS, UNMEASURED, Ended, plainly, run, start, write

ARMED = """
import os, sys
from resume.script.command import run
from resume.script.options import NoSaving

class Recorder(NoSaving):
    points = 0
    def wait_s(self):
        return 0.001
    def begin(self, code, running):
        self.running, self.process = running, os.getpid()
        return code
    def at_point(self, frame):
        assert os.getpid() == self.process
        assert self.running.program().find(frame.f_code) is not None
        self.points += 1
        return self.points % 3 == 0
    def ended(self, raised):
        with open(os.environ["RECORD"], "w") as file:
            print(self.points, type(raised).__name__, dict(self.running.reasons()), file=file)

run(sys.argv[1:], Recorder)
"""


def run_armed(*words: str, **options) -> tuple[Ended, list[str]]:
    """Run with a save that is always due; also what `Recorder` wrote at the end."""
    record = Path.cwd() / ".record"
    record.unlink(missing_ok=True)
    done = run("-c", ARMED, *words, RECORD=str(record), **UNMEASURED, **options)
    return done, record.read_text().split(maxsplit=2) if record.exists() else []


@pytest.mark.shared
@pytest.mark.parametrize("what", SCRIPTS)
def test_a_script_behaves_the_same_while_saves_are_due(what):
    """The timer, its line events and the points change nothing that the script shows."""
    Path("script.py").write_text(textwrap.dedent(SCRIPTS[what]).lstrip("\n"))
    words, stdin = ("script.py", "one", "--rate", "3"), b"Ann\nsecond\nthird\nfourth\n"
    plain, (ours, _) = run(*words, stdin=stdin), run_armed(*words, stdin=stdin)

    assert plainly(ours.stderr).decode() == plainly(plain.stderr).decode()
    assert plainly(ours.stdout).decode() == plainly(plain.stdout).decode()
    assert ours.code == plain.code


LONG = """
    import pkg.work, sys, time
    def main(seconds):
        until = time.monotonic() + seconds
        total = 0
        while time.monotonic() < until:
            total += pkg.work.step(3)
        return total
    try:
        assert main(float(sys.argv[1])) > 0
    finally:
        print("done", flush=True)
    sys.exit(len(sys.argv))
    """
WORK = """
    def step(n):
        found = 0
        for i in range(n):
            for j in range(n):
                found += i + j
        return found
    """


def test_points_are_found_in_all_modules_from_the_second_start_on_too():
    """Code that was kept has its tables when a save is due; the end of the program is told."""
    write({"script.py": LONG, "pkg/__init__.py": "", "pkg/work.py": WORK})

    for _ in range(2):
        done, record = run_armed("script.py", "1")
        assert (done.stdout, done.stderr, done.code) == (b"done\n", b"", 2)
        assert int(record[0]) > 0
        assert record[1:] == ["SystemExit", "{}\n"]


def test_a_module_runs_with_a_timer_too():
    """`-m`: `runpy` stands below the program's frames, and the points are found above it."""
    write({"pkg/__init__.py": "", "pkg/work.py": WORK, "pkg/main.py": LONG})
    done, record = run_armed("-m", "pkg.main", "1")

    assert (done.stdout, done.stderr, done.code) == (b"done\n", b"", 2)
    assert int(record[0]) > 0


def test_an_interrupt_is_never_lost_while_saves_are_due():
    """Ctrl-C at any moment ends the program, with a traceback that shows only the program."""
    begun = Path("begun")
    long = LONG.replace("until =", f"open({begun.name!r}, 'w').close(); until =")
    write({"script.py": long, "pkg/__init__.py": "", "pkg/work.py": WORK})
    for attempt in range(6):
        begun.unlink(missing_ok=True)
        process = start(
            "-c", ARMED, "script.py", "30", RECORD=str(Path.cwd() / ".record"), **UNMEASURED
        )
        while not begun.exists():
            assert process.poll() is None
            time.sleep(0.001)
        time.sleep(attempt * 0.017)
        process.send_signal(signal.SIGINT)
        stdout, stderr = process.communicate(timeout=25)

        assert process.returncode == -signal.SIGINT, stderr
        assert stdout == b"done\n"
        assert stderr.endswith(b"KeyboardInterrupt\n")
        assert b"arm.py" not in stderr
        assert b"lines.py" not in stderr
