"""The harness that kills from outside sees every kind of wrong resume, and none in a right one."""

from __future__ import annotations

import sys

import pytest
from processes import environment
from reentry_killing import Command, difference, killed, undisturbed

FAKE = '''
"""Counts, and saves its own state by hand at each step; does one thing wrong if asked to."""
import json, os, sys, time

wrong = sys.argv[1]
resumed = os.path.exists(".state")
state = {"i": 0, "total": 0, "out": 0, "file": 0, "line": 0}
if resumed:
    with open(".state") as saved:
        state = json.load(saved)
cut = state["out"] - (state["line"] if wrong == "loses a line" else 0)
if wrong != "doubles lines":
    os.ftruncate(1, cut)
    os.lseek(1, cut, os.SEEK_SET)
with open("data.txt", "a") as data:
    if wrong != "doubles in the file":
        data.truncate(state["file"])
    while state["i"] < 30:
        line = f"{state['i']} {state['total']}\\n".encode()
        os.write(1, line)
        data.write(line.decode())
        data.flush()
        time.sleep(0.01)
        state["i"] += 1
        state["total"] += state["i"] + (wrong == "computes otherwise" and resumed)
        state["out"] += len(line)
        state["file"] += len(line)
        state["line"] = len(line)
        with open(".next", "w") as out:
            json.dump(state, out)
        if wrong != "never saves":
            os.replace(".next", ".state")
print("end of", sys.stdin.read(), file=sys.stderr)
sys.exit(0 if wrong == "ends otherwise" and resumed else 3)
'''
WRONG = {
    "loses a line": "stdout differs",
    "doubles lines": "stdout differs",
    "doubles in the file": "files differ: ['data.txt']",
    "computes otherwise": "stdout differs",
    "ends otherwise": "code differs: 3, not 0",
}


@pytest.fixture
def fake(tmp_path):
    """Call it with what is wrong: returns the command, and what it leaves undisturbed."""
    script = tmp_path / "fake.py"
    script.write_text(FAKE)

    def make(wrong, **more):
        arguments = (sys.executable, str(script), wrong)
        command = Command(arguments, environment(), stdin=b"given", **more)
        plain, seconds = undisturbed(command, tmp_path / "plain")
        assert (plain.code, len(plain.stdout.splitlines())) == (3, 30)
        assert plain.stderr == b"end of given\n"
        return command, plain, seconds

    return make


@pytest.mark.parametrize("once", [False, True])
def test_a_right_resume_is_found_right(fake, tmp_path, once):
    """Killed again and again, it leaves what it leaves undisturbed."""
    command, plain, seconds = fake("nothing")

    run = killed(
        command, tmp_path / "killed", kills=5, lives_s=(seconds / 5, seconds / 3), seed=1, once=once
    )

    assert difference(plain, run) == ""
    assert run.kills > 0
    assert len(run.seconds) == run.kills + 1


@pytest.mark.parametrize(
    ("wrong", "once"), [*zip(WRONG, [True, False, False, True, False], strict=True)]
)
def test_a_wrong_resume_is_found(fake, tmp_path, wrong, once):
    """A lost line, a doubled one, another result, another exit status: each is told."""
    command, plain, seconds = fake(wrong)

    # A kill that comes before the first step, or behind the last, shows nothing: try again.
    for seed in range(10):
        folder, lives = tmp_path / f"killed{seed}", (seconds / 3, seconds * 0.8)
        run = killed(command, folder, kills=2, lives_s=lives, seed=seed, once=once)
        if told := difference(plain, run):
            break

    assert WRONG[wrong] in told


def test_what_was_not_saved_starts_over(fake, tmp_path):
    """Where the command says that nothing was saved, the log and the folder begin empty."""
    command, plain, seconds = fake("never saves", starts_over=lambda: True)

    run = killed(command, tmp_path / "killed", kills=3, lives_s=(seconds / 5, seconds / 3), seed=3)

    assert difference(plain, run) == ""
    assert run.fresh == run.kills > 0


def test_children_die_too(tmp_path):
    """The whole process group is killed: no child writes on while the next run works."""
    source = (
        "import os, sys, time\n"
        "if os.path.exists('first'):\n"
        "    open('second', 'w').close()\n"
        "    time.sleep(0.5)\n"
        "    sys.exit()\n"
        "if os.fork():\n"
        "    open('first', 'w').close()\n"
        "while not os.path.exists('second'): time.sleep(0.01)\n"
        "print('a child lives', flush=True)\n"
    )
    command = Command((sys.executable, "-c", source), environment())

    run = killed(command, tmp_path / "killed", kills=5, lives_s=(0.3, 1), seed=0)

    assert (sorted(run.shown.files), run.shown.stdout) == (["first", "second"], b"")
