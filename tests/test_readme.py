"""README.md and CHANGELOG.md say what is true: every code block runs, every table matches the code.

The two set-up commands need the network; `.ci/run` runs them, taken from README.md as they stand.
"""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from resume import errors
from resume.cli import main
from resume.cli.checks import VARIABLES

CHECKOUT = Path(__file__).resolve().parent.parent
README = (CHECKOUT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
PYTHON = {
    name: next(text for kind, text in BLOCKS if kind == "python" and mark in text)
    for name, mark in {
        "primes": "def compute_primes",
        "chain": "def longest_chain",
        "walk": "def walk",
        "estimate": "class Estimate",
        "dice": 'Checkpoint("dice")',
        "load": "resume.load",
        "sweep": "ResumableSweep(",
    }.items()
}
COMMANDS = [
    line.removeprefix("$ ")
    for kind, text in BLOCKS
    if kind == "console"
    for line in text.splitlines()
    if line.startswith("$ ")
]
SET_UP = [command for command in COMMANDS if "venv" in command]

# Python runs it before the program: a SIGKILL in the middle of commit number DIE_AT.
DYING = """
import os, signal, sys
commits = 0
def die(event, args):
    global commits
    if event == "os.link":
        commits += 1
        if commits == int(os.environ.get("DIE_AT", 0)):
            os.kill(os.getpid(), signal.SIGKILL)
sys.addaudithook(die)
"""


def run_block(name: str, folder: Path, *, die_at: int = 0) -> subprocess.CompletedProcess[str]:
    """Run a python block of the README in *folder*; it saves at each chance that it gets."""
    folder.mkdir(exist_ok=True)
    (folder / "sitecustomize.py").write_text(DYING)
    (folder / f"{name}.py").write_text(PYTHON[name], encoding="utf-8")
    paths = [str(folder), os.environ["PYTHONPATH"]]
    settings = {"RESUME_RATE": "0", "DIE_AT": str(die_at), "PYTHONPATH": os.pathsep.join(paths)}
    return subprocess.run(
        [sys.executable, f"{name}.py"],
        cwd=folder,
        env=os.environ | settings,
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_tests_know_every_code_block():
    """A new block in the README needs a test here."""
    assert sorted(kind for kind, _ in BLOCKS) == ["console"] * 3 + ["python"] * len(PYTHON)
    assert len(set(PYTHON.values())) == len(PYTHON)


@pytest.mark.shared
@pytest.mark.parametrize("name", ["primes", "walk", "estimate", "dice"])
def test_a_python_block_killed_and_rerun_prints_the_same(name, tmp_path):
    """Killed in the 1st, 6th and 2nd commit of its runs, it ends as the uninterrupted one."""
    straight = run_block(name, tmp_path / "straight")
    assert straight.returncode == 0, straight.stderr

    folder = tmp_path / "killed"
    for die_at in (1, 6, 2):
        killed = run_block(name, folder, die_at=die_at)
        assert killed.returncode == -signal.SIGKILL, killed.stderr
    last = run_block(name, folder)

    assert last.returncode == 0, last.stderr
    assert "resuming" in last.stderr
    assert last.stdout == straight.stdout
    assert last.stdout.strip()


@pytest.mark.untraced
def test_the_decorated_function_killed_and_rerun_prints_the_same(tmp_path):
    """Killed in the second commit, with the first one to go on from."""
    folder = tmp_path / "killed"
    killed = run_block("chain", folder, die_at=2)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    last = run_block("chain", folder)

    assert last.returncode == 0, last.stderr
    assert "resuming longest_chain" in last.stderr
    assert last.stdout == "(142587, 375)\n"


def test_the_primes_are_the_primes(tmp_path):
    """The first example does what its docstring says."""
    done = run_block("primes", tmp_path / "primes")

    assert done.stdout == "[2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31]\n"


def test_looking_at_the_saved_names_of_the_dice(tmp_path):
    """`resume.load` in another program gives what the module-level example saved."""
    assert run_block("dice", tmp_path / "dice").returncode == 0

    looked = run_block("load", tmp_path / "dice")

    assert looked.returncode == 0, looked.stderr
    assert looked.stdout.startswith("100 ")


def test_the_sweep_goes_on_with_the_rest(tmp_path):
    """Cut off in the middle of its log, it prints what the uninterrupted one prints."""
    straight = run_block("sweep", tmp_path / "sweep")
    assert straight.returncode == 0, straight.stderr
    log = tmp_path / "sweep" / ".checkpoints" / "distances" / "sweep.jsonl"
    whole = log.read_bytes()
    log.write_bytes(whole[: len(whole) // 2])
    log.with_name("sweep.manifest.json").unlink()

    again = run_block("sweep", tmp_path / "sweep")

    assert again.returncode == 0, again.stderr
    assert "continuing the sweep distances" in again.stderr
    assert again.stdout == straight.stdout
    assert "64 of 64 done" in again.stdout


def test_the_commands_of_the_console_block_work_after_the_dice(tmp_path):
    """`ls`, `show`, `log`, `verify` and `rm` run as they are written."""
    folder = tmp_path / "dice"
    assert run_block("dice", folder).returncode == 0
    (folder / "bin").mkdir()
    script = folder / "bin" / "resume"
    script.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m resume "$@"\n')
    script.chmod(0o755)
    commands = [command for command in COMMANDS if command not in SET_UP]

    for command in commands:
        done = subprocess.run(
            command,
            shell=True,
            cwd=folder,
            env=os.environ | {"PATH": f"{script.parent}{os.pathsep}{os.environ['PATH']}"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, (command, done.stderr)
        assert done.stdout.strip(), command

    assert [command.split()[1] for command in commands] == ["ls", "show", "log", "verify", "rm"]


def test_two_commands_do_all_the_set_up():
    """One installs and runs the demo, one installs the test extra and runs the tests."""
    install, test = SET_UP

    assert install.endswith("&& .venv/bin/pip install . && .venv/bin/resume demo")
    assert test.endswith('-e ".[test]" && .venv/bin/python -m pytest')
    assert all(command.startswith("python3 -m venv .venv && ") for command in SET_UP)


def test_the_table_of_commands_is_the_command_line():
    """Each command is in the README, and the README names no other."""
    named = re.findall(r"^\| `resume (\w+)", README, re.MULTILINE)

    assert named == list(main.commands)


def test_the_table_of_variables_is_what_the_library_reads():
    """Each variable is documented, known to the doctor, and read somewhere."""
    named = set(re.findall(r"^\| `(RESUME_\w+)`", README, re.MULTILINE))
    sources = [
        path.read_text(encoding="utf-8")
        for path in (CHECKOUT / "resume").rglob("*.py")
        if "cli" not in path.parts
    ]
    read = {name for text in sources for name in re.findall(r'"(RESUME_[A-Z_]+)"', text)}

    assert named == set(VARIABLES)
    assert named == read


def test_the_exit_codes_are_those_of_the_errors():
    """The numbers in the README are the errors' own."""
    (sentence,) = re.findall(r"^Exit codes: (.*)$", README, re.MULTILINE)
    told = {int(number) for number in re.findall(r"\d+", sentence)}

    assert told == {
        errors.ConfigError.exit_code,
        errors.CaptureError.exit_code,
        errors.StoreError.exit_code,
        errors.CheckpointBusyError.exit_code,
        errors.IntegrityError.exit_code,
        errors.SchemaVersionError.exit_code,
        errors.TrustError.exit_code,
        errors.RestoreError.exit_code,
    }


@pytest.mark.parametrize("name", ["README.md", "CHANGELOG.md"])
def test_nothing_is_claimed_that_does_not_exist(name):
    """What is planned is not promised to a reader of today."""
    text = (CHECKOUT / name).read_text(encoding="utf-8")

    for planned in ("RESUME_MIRROR", "RESUME_FROM"):
        assert planned not in text
