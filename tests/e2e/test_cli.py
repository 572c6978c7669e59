"""The command line as a process of its own, on checkpoints of real programs."""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
from importlib import import_module
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
PROGRAM = """
import sys
from resume import Checkpoint

def train(fold, data):
    total = 0
    chp = Checkpoint(rate=0)
    chp.restore()
    for item in chp.loop(range(5)):
        total += item * fold
    chp.save()
    if "wait" in sys.argv:
        print("ready", flush=True)
        sys.stdin.read()
    return total

print(train(1, [1, 2]), train(2, [1, 2]))
"""


def command(*args: str, **options) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "resume", *args],
        capture_output=True,
        text=True,
        check=False,
        **options,
    )


def test_a_programs_checkpoints_are_listed_shown_verified_and_removed(run_program):
    """The road of a user after a run: `ls`, `show`, `log`, `diff`, `verify`, `rm`."""
    done = run_program(PROGRAM)
    assert done.returncode == 0, done.stderr

    rows = json.loads(command("ls", "--json").stdout)
    assert [row["shown_as"] for row in rows] == ["train", "train(fold=2)"]

    shown = command("show", "train(fold=2)").stdout
    assert "total" in shown
    assert "program.py" in shown
    assert json.loads(command("log", "train", "--json").stdout)[0]["generation"] > 1
    assert command("diff", "train").returncode == 0
    assert command("verify").returncode == 0
    assert command("rm", "--yes", "train", "train(fold=2)").returncode == 0
    assert command("ls", "--json").stdout.strip() == "[]"


def test_a_running_program_keeps_its_checkpoint(tmp_path):
    """While the program lives, `ls` says busy and `rm` is refused with exit code 31."""
    (tmp_path / "program.py").write_text(PROGRAM)
    with subprocess.Popen(
        [sys.executable, "program.py", "wait"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as program:
        assert program.stdout.readline() == "ready\n"

        listed = json.loads(command("ls", "--json").stdout)
        refused = command("rm", "--yes", "train")
        program.communicate("")

    assert listed[0]["state"] == "busy"
    assert refused.returncode == 31
    assert refused.stderr.startswith("resume: ")
    assert "Traceback" not in refused.stderr


def test_an_error_is_a_line_on_stderr_and_an_exit_code():
    """No traceback for what a person can put right."""
    done = command("show", "nothing")

    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith("resume: no checkpoint 'nothing' in ")
    assert "Traceback" not in done.stderr


def test_a_reader_that_goes_away_is_no_error(run_program):
    """`resume show train | head -1` leaves without a word."""
    assert run_program(PROGRAM).returncode == 0

    done = subprocess.run(
        f"'{sys.executable}' -m resume show train --json | head -1",
        shell=True,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.stdout == "{\n"
    assert done.stderr == ""


def test_the_console_script_is_the_same_command():
    """`resume` in the package's metadata leads to a function."""
    scripts = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["project"]["scripts"]
    module, _, name = scripts["resume"].partition(":")

    assert callable(getattr(import_module(module), name))
