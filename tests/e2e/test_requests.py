"""Real programs are asked for a save from outside, by a file and by a command, in each way in."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from asked_programs import WAYS, running

from resume.store import Store

pytestmark = pytest.mark.untraced  # a tracer holds off saves on 3.11
each_way = pytest.mark.parametrize("way", WAYS)


def saved(folder: Path) -> list[tuple[int, str]]:
    """Number and trigger of each generation, newest first."""
    entries = Store(folder / ".checkpoints", "count").entries()
    return [(one.number, one.manifest.draft.trigger) for one in entries if one.manifest]


def save(*words: str) -> subprocess.CompletedProcess[str]:
    """Run `resume save`."""
    return subprocess.run(
        [sys.executable, "-m", "resume", "save", *words],
        capture_output=True,
        text=True,
        check=False,
        timeout=90,
    )


@each_way
def test_a_file_and_a_command_ask_for_a_save(way, tmp_path):
    """In the working folder, and from another terminal: each makes one generation."""
    shared = tmp_path / "CHKPT"
    with running(way, tmp_path) as program:
        shared.touch()
        program.wait_for(lambda: not shared.exists())
        assert saved(tmp_path) == [(1, "request")]

        done = save("count", "--json")

        told = f"generation 1 is saved, as {shared} asked"
        program.wait_for(lambda: told in program.said)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["generation"] == 2
    assert saved(tmp_path) == [(2, "request"), (1, "request")]
    assert not (tmp_path / ".checkpoints" / "count" / "CHKPT").exists()


def test_a_file_that_was_there_before_counts_and_a_command_behind_the_end_leaves_none(tmp_path):
    """Killed, a program lets go of its lock, whatever its file says."""
    (tmp_path / "CHKPT").touch()
    with running("Checkpoint", tmp_path) as program:
        program.wait_for(lambda: not (tmp_path / "CHKPT").exists())
    assert saved(tmp_path) == [(1, "request")]

    done = save("count")

    assert done.returncode == 2
    assert "no program has the checkpoint 'count' in use" in done.stderr
    assert not (tmp_path / ".checkpoints" / "count" / "CHKPT").exists()


def test_two_programs_of_one_folder_both_leave_a_file_that_may_mean_either(tmp_path):
    """Each knows of the other by its lock."""
    shared = tmp_path / "CHKPT"
    with (
        running("Checkpoint", tmp_path, options='"one", rate="1h"'),
        running("Checkpoint", tmp_path, options='"two", rate="1h"') as program,
    ):
        program.wait_for(Store(tmp_path / ".checkpoints", "two").holder)
        shared.touch()

        program.wait_for(lambda: "one, two are live here" in program.said)

        assert shared.exists()
