"""`resume prove`: real scripts, really killed; right ones are found right, wrong ones wrong.

They ask for saves themselves: how many come by time in a short script is up to the machine.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from resume.cli import main

WALK = """
import csv, random, resume, sys, time
from parts import note

class Tally:
    total = 0

def walk(depth):
    for k in range(3):
        if depth:
            yield from walk(depth - 1)
        Tally.total += 1
        yield depth, k, random.randint(0, 99)

def main(often, out):
    words = sys.stdin.readline().split()
    with open("given.txt") as given, open(out, "w", newline="") as table:
        rows = csv.writer(table)
        for row, line in enumerate(given):
            for step in walk(1):
                rows.writerow([row, *step, words[row % len(words)]])
                time.sleep(0.002)
            resume.save()
            print(note(line), Tally.total, flush=True)

random.seed(3)
main(*sys.argv[1:])
sys.exit(3)
"""
PARTS = "def note(line):\n    return line.strip() + '!'\n"
TWICE = """
import os, resume, time
def note(k):
    log = os.open("log.txt", os.O_APPEND | os.O_CREAT | os.O_WRONLY)
    os.write(log, f"{k}\\n".encode())
    os.close(log)
for k in range(300):
    note(k)
    time.sleep(0.001)
    if k == 20:
        resume.save()
"""
Prove = Callable[..., Result]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the user is; beside it the temporary folder."""
    mine, scratch = tmp_path / "mine", tmp_path / "scratch"
    for each in (mine, scratch):
        each.mkdir()
    monkeypatch.setenv("TMPDIR", str(scratch))
    monkeypatch.setattr("tempfile.tempdir", None)
    # A tracer holds off saves on 3.11; the runs that are killed are measured elsewhere.
    for name in [name for name in os.environ if name.startswith("COV")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(mine)
    return mine


@pytest.fixture
def prove(folder: Path) -> Prove:
    """Call it with a script and the words behind `resume prove`; nothing may be left behind."""

    def proved(text: str, *words: str) -> Result:
        (folder / "script.py").write_text(text)
        before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
        result = CliRunner().invoke(main, ["prove", *words])
        after = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
        assert before == after
        assert list(folder.parent.joinpath("scratch").iterdir()) == []
        return result

    return proved


def test_a_right_script_is_found_right(prove, folder):
    """Arguments, stdin, modules and files beside it, a table that it writes, another exit code."""
    (folder / "parts.py").write_text(PARTS)
    (folder / "given.txt").write_text("".join(f"line {number}\n" for number in range(14)))
    (folder / "in.txt").write_text("a b c\n")
    words = ("--kills", "2", "--seed", "7", "--stdin", "in.txt", "--json", "script.py", "14")

    result = prove(WALK, *words, str(folder / "out.csv"))

    found = json.loads(result.stdout)
    assert (result.exit_code, found["verdict"], found["difference"]) == (0, "equal", None), found
    assert (found["exit_code"], found["written"], found["seed"]) == (3, ["out.csv"], 7)
    assert found["kills"]["working"] > 0
    assert found["went_on"] > 0
    assert found["saves"] > 0
    assert found["stdout_bytes"] > 100
    assert found["overhead"] > 0


def test_a_module_keeps_the_words_behind_its_name(prove, folder):
    """Those that are ours, too; what is told is one line a run, and the verdict comes last."""
    (folder / "pack").mkdir()
    (folder / "pack" / "__init__.py").touch()
    (folder / "pack" / "__main__.py").write_text(
        "import resume, sys, time\nfor k in range(30):\n    print(k, sys.argv[1:], flush=True)\n"
        "    time.sleep(0.004)\n    resume.save()\n"
    )

    result = prove("", "--kills=2", "--rate", "0.05", "-m", "pack", "--kills", "x", "--json")

    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert lines[0].startswith("copied this folder: 3 files")
    assert [line.partition(":")[0] for line in lines[1:5]] == [
        "python, first run",
        "python, second run",
        "resume run, a save every 0.05 s",
        lines[4],
    ]
    assert lines[4].startswith("resume run, killed ")
    assert lines[-1].startswith("equal: exit code 0, ")
    assert "0 written files" in lines[-1]


def test_what_happens_twice_is_found_different(prove):
    """It appends behind the back of the library: the first lines that differ are shown."""
    result = prove(TWICE, "--kills", "4", "--rate", "60", "script.py")

    assert result.exit_code == 1, result.output
    assert "--- log.txt, with plain python, from line" in result.stdout
    assert "\n+" in result.stdout
    assert "DIFFERENT from plain python: killed" in result.stdout.splitlines()[-1]


def test_what_is_refused_is_found_different(prove):
    """With the reason that the run told."""
    text = "import asyncio\nasync def main():\n    pass\nasyncio.run(main())\n"

    result = prove(text, "script.py")

    assert result.exit_code == 1
    assert "exit code: 0 with plain python, 10 under `resume run`" in result.stdout
    assert "its last line on stderr\n" in result.stdout
    assert "async" in result.stdout.split("its last line on stderr")[1]


def test_a_script_that_differs_from_itself_is_not_comparable(prove):
    """Nobody is blamed, and the script is not run any more."""
    result = prove("import os\nprint('process', os.getpid())\n", "script.py")

    assert result.exit_code == 3
    assert "+++ stdout, in the second run" in result.stdout
    assert "not comparable: two runs of plain python differ" in result.stdout
    assert "resume run" not in result.stdout


def test_a_script_that_never_ends_is_not_comparable(prove):
    result = prove("import time\ntime.sleep(900)\n", "--timeout", "0.2s", "script.py")

    assert result.exit_code == 3
    assert "not comparable: python, first run: it did not end in 0.2" in result.stdout


def test_a_script_that_does_not_end_under_resume_run_is_different(prove):
    """The time that plain python took, or that was given, decides."""
    text = "import sys, time\nif 'resume' in sys.modules:\n    time.sleep(900)\n"

    result = prove(text, "--timeout", "3s", "script.py")

    assert result.exit_code == 1
    assert "it did not end in 3" in result.stdout


def test_a_script_that_is_never_saved_proves_nothing(prove):
    """What was in the way is told, with its count."""
    text = "import resume\nclass Body:\n    for k in range(3):\n        resume.save()\n"

    result = prove(text, "--kills", "3", "script.py")

    assert result.exit_code == 3
    assert "6 times: `Body` runs: the body of a class" in result.stdout
    assert "nothing is proved: no save was made in the " in result.stdout
    assert "longer" not in result.stdout


def test_a_script_that_ends_before_a_save_proves_nothing(prove):
    """It is told to work longer."""
    chosen = prove("print(1)\n", "script.py")
    given = prove("print(1)\n", "--rate", "9", "script.py")

    assert chosen.exit_code == given.exit_code == 3
    assert chosen.stdout.endswith(": let it work longer\n")
    assert given.stdout.endswith(": let it work longer, or give a shorter --rate\n")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["nowhere.py"], "nowhere.py cannot be run"),
        (["../far.py"], "../far.py does not lie in"),
        ([], "name the script"),
        (["--rate", "0", "script.py"], "--rate=0 is no time"),
        (["--link", "../scratch", "script.py"], "--link ../scratch does not lie in"),
        (["--limit", "3B", "script.py"], "--limit"),
    ],
)
def test_wrong_use_is_told(prove, folder, words, told):
    """Before anything is run."""
    (folder.parent / "far.py").touch()

    result = prove("print(1)\n", *words)

    assert result.exit_code == 2
    assert told in result.stderr
    assert "python, first run" not in result.stdout


def test_where_no_process_can_be_killed_it_says_so(prove, monkeypatch):
    monkeypatch.delattr(signal, "SIGKILL")

    result = prove("", "script.py")

    assert result.exit_code == 2
    assert "Linux and macOS" in result.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_whoever_stops_it_leaves_nothing_behind(folder, number):
    """Neither the script's process nor the scratch folder; the exit code is no verdict."""
    (folder / "script.py").write_text(
        "import os, sys, time\nopen(os.environ['TELL'], 'w').write(f'{os.getpid()}.')\n"
        "time.sleep(900)\n"
    )
    pid = folder.parent / "pid"
    command = [sys.executable, "-m", "resume", "prove", "script.py"]
    environment = os.environ | {"TELL": str(pid)}

    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as proving:
        while not pid.exists() or not pid.read_text().endswith("."):
            assert proving.poll() is None
            time.sleep(0.02)
        proving.send_signal(number)
        said = proving.communicate(timeout=60)[1]

    assert proving.returncode == 128 + number
    assert "Traceback" not in said
    assert not _runs(int(pid.read_text()[:-1]))
    assert list((folder.parent / "scratch").iterdir()) == []


def _runs(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True
