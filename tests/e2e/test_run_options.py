"""Options of `resume run` and what the environment says: when it saves, and how it is left."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from reruns import resumed

pytestmark = [pytest.mark.timeout(120), pytest.mark.untraced]  # a tracer holds off saves on 3.11

SCRIPT = """
import os, resource, signal, sys, time
import resume
act = sys.stdin.read()
for i in range(8):
    resume.sync()
    if i == 5 and act == "die":
        resume.save()  # behind what is still on its way to the disk
        if not os.path.exists("healed"):
            os._exit(9)
    if i == 5 and act == "signal":
        os.kill(os.getpid(), signal.SIGUSR1)
        for _ in range(600):
            time.sleep(0.1)
    if i == 5 and act.startswith("full"):
        resume.save()
        resource.setrlimit(resource.RLIMIT_FSIZE, (100, resource.RLIM_INFINITY))
        try:
            resume.save()
        except Exception:
            print("hidden", flush=True)
    print(i, flush=True)
print("done", flush=True)
"""


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "script.py").write_text(SCRIPT, encoding="utf-8")
    return tmp_path


def generations(folder: Path) -> int:
    return len(list((folder / ".checkpoints").glob("*/*.manifest.json")))


def told(folder: Path) -> str:
    return (folder / "log").read_text(encoding="utf-8")


def test_every_nth_sync_and_the_beginning_are_saved(folder):
    """All by themselves: the rate is long. The rerun goes on at the last of them."""
    options = "--rate 1h --iterations 2 --at-start --keep 9".split()
    resumed(folder, *options, "script.py", stdin="die")
    assert generations(folder) in (4, 5)  # the first may be made at a statement before the sync

    (folder / "log").unlink()
    (folder / "healed").touch()
    last = resumed(folder, *options, "script.py")

    assert "resuming script" in last.stderr
    assert told(folder) == "5\n6\n7\ndone\n"
    assert generations(folder) == 0


@pytest.mark.skipif(sys.platform == "win32", reason="no resource")
def test_a_failed_save_ends_the_program_where_that_is_wanted(folder):
    """With the status of the error, whatever the program catches; a rerun goes on from before."""
    ended = resumed(folder, "--on-save-error", "raise", "script.py", stdin="full")

    assert ended.returncode == 30
    assert "resume: cannot save 'script' to " in ended.stderr
    assert "file too large. The previous generation is untouched" in ended.stderr
    assert told(folder) == "0\n1\n2\n3\n4\n"
    assert generations(folder) == 1


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="no resource")
def test_a_failed_save_is_a_line_else(folder):
    ended = resumed(folder, "script.py", stdin="full")

    assert ended.returncode == 0
    assert "⚠ script: could not save: cannot save" in ended.stderr
    assert told(folder).endswith("done\n")


@pytest.mark.skipif(not os.path.isdir("/sys/kernel"), reason="no place that nobody may write to")
def test_a_folder_that_cannot_be_made_is_a_failed_save(folder):
    """Read-only, as of another machine: the text says what to do."""
    options = "--dir /sys/resume --on-save-error raise --iterations 1".split()

    ended = resumed(folder, *options, "script.py")

    assert ended.returncode == 30
    assert "Choose a place that you may write to" in ended.stderr
    assert told(folder) == ""


@pytest.mark.parametrize(
    ("options", "environment"),
    [
        (("--signals", "USR1", "--exit-code", "85"), {}),
        ((), {"RESUME_SIGNALS": "USR1", "RESUME_EXIT_CODE": "85"}),
    ],
)
@pytest.mark.shared
def test_the_signal_and_the_status_are_those_that_were_asked_for(folder, options, environment):
    """On the command line, or by whoever runs the machine."""
    ended = resumed(folder, *options, "script.py", stdin="signal", **environment)

    assert ended.returncode == 85, ended.stderr
    assert generations(folder) == 1


@pytest.mark.slow
def test_auto_is_a_rate_for_a_script_too(folder):
    """By the option and by the environment; a bad share is refused before the script begins."""
    ended = resumed(folder, "--rate=auto", "--max-loss", "0.1s", "script.py")
    assert (ended.returncode, told(folder)[-5:]) == (0, "done\n")

    assert resumed(folder, "script.py", RESUME_RATE="auto").returncode == 0
    assert resumed(folder, "--max-overhead", "0", "script.py").returncode == 2
