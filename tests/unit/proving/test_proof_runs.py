"""One run of a proof: where it takes place, how it is killed, and what begins anew."""

from __future__ import annotations

import json
import os
import subprocess
import time
from pathlib import Path

import pytest

from resume.proving.runs import Job, Stage

SLOW = """
import sys, time
print("begun", flush=True)
open("made.txt", "w").close()
open("given.txt", "a").write("more")
{more}
time.sleep(900)
"""


@pytest.fixture
def stage_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Call it with a script and words behind its name: returns where it is to run."""
    for name in [name for name in os.environ if name.startswith("COV")]:
        monkeypatch.delenv(name)  # a tracer may hold off saves

    def made(text: str, *words: str) -> Stage:
        scratch, folder = tmp_path / "scratch", tmp_path / "mine"
        (scratch / "given").mkdir(parents=True)
        (scratch / "given" / "script.py").write_text(text)
        (scratch / "given" / "given.txt").write_text("given")
        stage = Stage(scratch, Job(("script.py", *words), folder, hash_seed="5"))
        stage.clear()
        return stage

    return made


def work(tmp_path: Path) -> Path:
    return tmp_path / "scratch" / "work" / "mine"


def killed(stage: Stage, *, after_s: float = 0.5):
    """Kill it so early; later, where its own code had not begun by then."""
    while True:
        ended = stage.resumed(60, kill_after_s=after_s, timeout_s=None)
        if ended.start_s is not None and ended.start_s < after_s / 2:
            return ended
        after_s *= 2
        stage.clear()


def test_a_killed_run_without_a_save_leaves_nothing_to_go_on_from(stage_of, tmp_path):
    """The next one begins with the folder as it was given, and an empty log."""
    stage = stage_of(SLOW.replace("{more}", ""))

    ended = killed(stage)

    assert (ended.was_killed, ended.was_too_long, ended.code) == (True, False, -9)
    assert (ended.first_save_s, ended.told.saves) == (None, 0)
    assert (work(tmp_path) / "made.txt").exists()
    assert not stage.has_state()
    stage.clear()
    assert sorted(os.listdir(work(tmp_path))) == ["given.txt", "script.py"]
    assert (work(tmp_path) / "given.txt").read_text() == "given"
    assert (tmp_path / "scratch" / "stdout").read_bytes() == b""


def test_a_killed_run_that_was_saved_is_gone_on_from(stage_of):
    """Until all is cleared."""
    stage = stage_of("import resume\n" + SLOW.replace("{more}", "resume.save()"))

    first = killed(stage, after_s=2.0)
    has_state = stage.has_state()
    second = killed(stage, after_s=2.0)
    stage.clear()

    assert has_state
    assert first.told.gone_on_from is None
    assert first.start_s < first.first_save_s < first.seconds
    assert second.told.gone_on_from == 1
    assert not stage.has_state()


def test_a_checkpoint_of_the_program_is_no_state_of_it(stage_of):
    """It saves by itself; a rerun begins at its beginning."""
    stage = stage_of(
        "from resume import Checkpoint\nchp = Checkpoint('mine')\nchp.restore()\nchp.save()\n"
        "raise SystemExit(4)\n"
    )

    ended = stage.resumed(60, kill_after_s=None, timeout_s=60)

    assert ended.code == 4
    assert not stage.has_state()


def test_what_a_run_has_started_ends_with_it(stage_of, tmp_path):
    """Whether it was killed or not: it would write into the next run."""
    stage = stage_of(
        "import os, time\nif not os.fork():\n    open('pid', 'w').write(f'{os.getpid()}')\n"
        "    os.rename('pid', 'child')\n    time.sleep(900)\n"
        "while not os.path.exists('child'):\n    time.sleep(0.01)\n"
    )

    ended = stage.python(60)

    assert ended.code == 0
    child = int((work(tmp_path) / "child").read_text())
    while _runs(child):
        time.sleep(0.01)


def _runs(process: int) -> bool:
    """Whether it lives: one that nobody has waited for does not."""
    told = subprocess.run(["ps", "-o", "stat=", "-p", str(process)], capture_output=True, text=True)
    return told.stdout.strip()[:1] not in {"", "Z"}


def test_a_run_that_takes_too_long_is_told_from_one_that_is_killed(stage_of):
    ended = stage_of("import time\ntime.sleep(900)\n").python(0.1)

    assert (ended.was_killed, ended.was_too_long) == (False, True)
    assert 0.1 < ended.seconds < 900


def test_paths_in_the_users_folder_lead_into_the_copy(stage_of, tmp_path, monkeypatch):
    """Arguments and PYTHONPATH; the hash seed is the same for all runs."""
    mine, copy = tmp_path / "mine", work(tmp_path)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([f"{mine}/lib", f"{mine}2", "rel"]))
    monkeypatch.setenv("RESUME_RATE", "3")
    text = (
        "import json, os, sys\nnames = 'PWD', 'PYTHONHASHSEED', 'PYTHONPATH', 'RESUME_RATE'\n"
        "print(json.dumps([sys.argv, os.getcwd(), [os.environ.get(name) for name in names]]))\n"
    )
    stage = stage_of(text, f"--out={mine}/out", str(mine), f"{mine}2")

    left = stage.take("plain", stage.python(60))

    argv, folder, (pwd, seed, paths, rate) = json.loads(left.stdout.read_text())
    assert argv == ["script.py", f"--out={copy}/out", str(copy), f"{mine}2"]
    assert folder == pwd == str(copy)
    assert (seed, rate) == ("5", None)
    assert paths.split(os.pathsep)[:3] == [f"{copy}/lib", f"{mine}2", "rel"]
    assert not copy.exists()


def test_the_last_words_are_those_on_stderr(stage_of):
    ended = stage_of("raise KeyError(3)\n").python(60)

    assert (ended.code, ended.last_words) == (1, "KeyError: 3")
    assert ended.cpu_s > 0
