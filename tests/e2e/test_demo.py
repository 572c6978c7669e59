"""`resume demo`: the main job, seen by somebody who has just installed the package."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from resume.cli.demo_runs import steps_for

DEMO = [sys.executable, "-m", "resume", "demo", "--steps", "300"]
SHORT_DEMO = [*DEMO[:-1], "60"]
"""Too short for a save in between."""


@pytest.fixture
def scratch(tmp_path, monkeypatch) -> Path:
    """Where temporary folders are made."""
    folder = tmp_path / "scratch"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    return folder


def test_the_demo_kills_three_times_and_ends_equal(scratch, tmp_path):
    """Loss, weights and random state equal those of the uninterrupted run; nothing is left."""
    done = subprocess.run(
        [*DEMO, "--json"], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stderr
    record = json.loads(done.stdout)
    assert list(record) == [
        "equal", "steps", "kills", "uninterrupted", "interrupted", "seconds",
    ]  # fmt: skip
    assert record["equal"] is True
    assert len(record["kills"]) == 3
    assert all(0 < step < 300 for step in record["kills"])
    assert set(record["uninterrupted"]) == {"loss", "weights", "random"}
    assert record["uninterrupted"] == record["interrupted"]
    assert list(scratch.iterdir()) == []
    assert list(tmp_path.iterdir()) == [scratch]


def test_without_a_terminal_it_speaks_in_plain_lines(scratch):
    """The program, each kill, each return and the verdict are lines that a log file can hold."""
    done = subprocess.run(
        DEMO, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stderr
    assert "chp.restore()" in done.stdout
    assert done.stdout.count("SIGKILL at step") == 3
    assert "resuming train" in done.stdout
    assert done.stdout.endswith("equal, bit for bit\n")
    assert "\x1b" not in done.stdout
    assert done.stderr == ""


def test_on_a_terminal_it_shows_a_progress_bar(scratch):
    """The same, with a bar that moves."""
    mine, its = pty.openpty()
    environment = os.environ | {"TERM": "xterm", "COLUMNS": "100"}
    with subprocess.Popen(
        SHORT_DEMO, stdin=subprocess.DEVNULL, stdout=its, stderr=its, env=environment
    ) as demo:
        os.close(its)
        seen = b"".join(iter(lambda: read_terminal(mine), b"")).decode()
    os.close(mine)

    assert demo.returncode == 0, seen
    assert "━" in seen
    assert "killed 3 times" in seen
    assert "equal, bit for bit" in seen


def read_terminal(descriptor: int) -> bytes:
    """What the other side wrote; nothing when it is gone."""
    try:
        return os.read(descriptor, 1 << 16)
    except OSError:  # Linux says EIO where the last writer has left
        return b""


def test_a_result_that_differs_is_told_and_is_an_error(scratch, tmp_path, monkeypatch):
    """The demo can fail: where the killed run draws other numbers, it says so, exit code 1."""
    saboteur = tmp_path / "saboteur"
    saboteur.mkdir()
    (saboteur / "sitecustomize.py").write_text(
        "import os, random\n"
        "if os.path.basename(os.getcwd()) == 'killed':\n"
        "    random.uniform = lambda a, b: a\n"
    )
    monkeypatch.setenv("PYTHONPATH", f"{saboteur}{os.pathsep}{os.environ['PYTHONPATH']}")

    done = subprocess.run(
        SHORT_DEMO, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )

    assert done.returncode == 1
    assert "DIFFERENT" in done.stdout
    assert "NOT EQUAL" in done.stdout
    assert list(scratch.iterdir()) == []


def test_a_program_that_fails_is_shown_with_its_last_lines(scratch, tmp_path, monkeypatch):
    """An error inside the child reaches the person who runs the demo."""
    saboteur = tmp_path / "saboteur"
    saboteur.mkdir()
    (saboteur / "sitecustomize.py").write_text(
        "import os, random\n"
        "if os.path.basename(os.getcwd()) == 'straight':\n"
        "    random.uniform = None\n"
    )
    monkeypatch.setenv("PYTHONPATH", f"{saboteur}{os.pathsep}{os.environ['PYTHONPATH']}")

    done = subprocess.run(
        SHORT_DEMO, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )

    assert done.returncode == 1
    assert "no result" in done.stderr
    assert "TypeError" in done.stderr


def test_the_program_runs_as_its_first_lines_say(tmp_path):
    """It is a program like any other: it runs by hand, and a rerun says the same result."""
    program = [sys.executable, "-m", "resume.cli.demo_program", "40"]

    first, second = (
        subprocess.run(program, capture_output=True, text=True, check=True) for _ in range(2)
    )

    assert first.stdout.splitlines()[-2].startswith("step 40 loss ")
    assert first.stdout.splitlines()[-1].startswith("result {")
    assert second.stdout.splitlines()[-1] == first.stdout.splitlines()[-1]


def test_its_length_follows_the_machine(tmp_path):
    """Twice the time is about twice the steps, told by a trial of the program itself."""
    short, long = (steps_for(seconds, tmp_path / str(seconds)) for seconds in (0.01, 60))

    assert short == 200
    assert long > 1000
    assert long % 100 == 0


def test_ctrl_c_leaves_nothing_behind(scratch):
    """Interrupted by its user, the demo takes its child and its folder with it."""
    # a shell's background job ignores SIGINT, and its children inherit that
    program = (
        "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "from resume.cli import main; main(['demo', '--steps', '100000'])"
    )
    demo = subprocess.Popen(
        [sys.executable, "-c", program],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    with demo:
        next(line for line in demo.stdout if "-- never interrupted" in line)
        (folder,) = scratch.iterdir()
        demo.send_signal(signal.SIGINT)
        demo.communicate(timeout=30)

    assert demo.returncode == 1
    assert list(scratch.iterdir()) == []
    left = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True)
    assert str(folder) not in left.stdout
