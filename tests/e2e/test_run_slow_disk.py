"""A script under `resume run` whose disk is slow, or refuses: the program goes on meanwhile."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

pytestmark = pytest.mark.timeout(120)

DRIVER = """
import os, sys, threading, time
import resume.execution
from resume.script.command import run
from resume.store.files import Disk

def hold(self, descriptor):
    "What is written beside the program waits, the first time, to be let go; then it may fail."
    if threading.current_thread() is not threading.main_thread() and not os.path.exists("reached"):
        open("reached", "w").close()
        until = time.monotonic() + 20
        while not os.path.exists("go"):
            assert time.monotonic() < until, "the program waited for the disk"
            time.sleep(0.002)
        if os.environ["DISK"] == "full":
            raise OSError(28, "No space left on device")

resume.execution._LEAST_WORK = 0.0  # the next is due after the rate, however slow the machine
Disk.fsync = hold
Disk.sync_folder = lambda self, path: None
run(sys.argv[1:])
"""

BUSY = """
import glob, os, resume, time

def saved():
    return len(glob.glob(".checkpoints/*/*.manifest.json"))

def until(done, ask):
    "Statements and calls at which saves are due, as long as it takes."
    while not done():
        ask()
        time.sleep(0.002)

until(lambda: os.path.exists("reached"), resume.sync)
for ask in (resume.sync, int):
    begun = time.monotonic()
    until(lambda: time.monotonic() > begun + 0.2, ask)
    print("meanwhile", saved(), os.path.exists("go"))
os.system("(sleep 0.2; touch go) &")
resume.save()
print("at once", saved() >= 2, os.path.exists("go"))
"""

FULL = """
import glob, os, resume, time
while not os.path.exists("reached"):
    resume.sync()
    time.sleep(0.002)
open("go", "w").close()
resume.save()
print("saved", len(glob.glob(".checkpoints/*/*.manifest.json")) > 0)
"""


def run(folder, text, disk, rate):
    """Run a script on that disk."""
    (folder / "script.py").write_text(text)
    plain = {name: value for name, value in os.environ.items() if not name.startswith("RESUME_")}
    ended = subprocess.run(
        [sys.executable, "-c", DRIVER, "--rate", rate, "script.py"],
        cwd=folder,
        env={**plain, "PYTHONHASHSEED": "7", "DISK": disk},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout.splitlines(), ended.stderr


def test_only_a_save_that_is_asked_for_waits_for_the_disk(tmp_path):
    """Those that are due while the one before is written are skipped, which is said once."""
    printed, told = run(tmp_path, BUSY, "slow", "0.02")

    assert printed == ["meanwhile 0 False", "meanwhile 0 False", "at once True True"]
    assert told.count("the disk is still busy with the save before") == 1
    assert "could not save" not in told


def test_a_save_that_the_disk_refused_is_said_and_the_next_is_made(tmp_path):
    """The failure of the one is not that of the other."""
    printed, told = run(tmp_path, FULL, "full", "0.3")

    assert printed == ["saved True"]
    assert told.count("could not save") == 1
    assert "Free some space there" in told
