"""`resume run --undo-files`: closed files that a killed run changed are what they were."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
from reruns import CHECKOUT, generations, pinned_environment, resumed, run

pytestmark = [pytest.mark.timeout(120), pytest.mark.untraced]  # a tracer holds off saves on 3.11

SCRIPT = """
import json, os, resume
from pathlib import Path

opener, state = open, Path("state.json")
if not state.exists():
    state.write_text("[1]")
for n in range(6):
    with opener("rows.csv", "a") as rows:
        rows.write(f"{n}\\n")
    numbers = json.loads(state.read_text())
    Path("new.json").write_text(json.dumps([*numbers, sum(numbers)]))
    os.replace("new.json", state)
    if n == 2:
        resume.save()
    if n == 4:
        os.mkdir("late")
        Path("late", "best.txt").write_text("best")
        if os.path.exists("die"):
            os.kill(os.getpid(), 9)
print(state.read_text(), opener.__name__, os.listdir("late"), flush=True)
"""


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "script.py").write_text(SCRIPT)
    return tmp_path


def killed(folder, *options):
    """Run it until it kills itself, two rounds behind its save."""
    (folder / "die").touch()
    assert resumed(folder, *options, "script.py").returncode == -9
    (folder / "die").unlink()


def left(folder):
    found = {str(path.relative_to(folder)): path for path in folder.rglob("*") if path.is_file()}
    own = {name: path for name, path in found.items() if name[:5] not in {"scrip", ".chec"}}
    return {name: path.read_text() for name, path in own.items() if name != "log"}


@pytest.fixture
def plain(tmp_path_factory):
    """What an undisturbed run of python leaves."""
    folder = tmp_path_factory.mktemp("plain")
    (folder / "script.py").write_text(SCRIPT)
    assert run(folder, "script.py").returncode == 0
    return left(folder)


def test_all_files_are_those_of_one_run(folder, plain):
    """Rows are added once, the state is summed up once, a folder is made once; after two kills."""
    for _ in range(2):
        killed(folder, "--undo-files")
        assert left(folder)["rows.csv"] == "0\n1\n2\n3\n4\n"

    last = resumed(folder, "--undo-files", "script.py")

    assert last.returncode == 0, last.stderr
    told = "1 put back, 1 cut back, 1 made since and set aside"
    assert f"script: files are as they were at the save ({told})" in last.stderr
    assert left(folder) == plain
    assert not (folder / ".checkpoints" / "script").exists()


def test_without_the_option_no_file_is_touched(folder):
    """Files may be other processes', too: nothing is put back that was not asked for."""
    killed(folder)
    rows = (folder / "rows.csv").read_text()

    last = resumed(folder, "script.py")

    assert last.returncode != 0  # there is a folder already
    assert "late" in last.stderr
    assert (folder / "rows.csv").read_text() == rows + "3\n4\n"


def test_a_run_that_begins_with_the_option_later(folder):
    """The state knows nothing of files: they stay; from the next save on they are kept."""
    killed(folder)
    rows = (folder / "rows.csv").read_text()

    last = resumed(folder, "--undo-files", "script.py")

    assert "as they were" not in last.stderr
    assert (folder / "rows.csv").read_text() == rows + "3\n4\n"


def test_a_rerun_that_lacks_the_option_is_told(folder):
    killed(folder, "--undo-files")
    rows = (folder / "rows.csv").read_text()

    last = resumed(folder, "script.py")

    assert "saved with --undo-files; without it, files stay as they are" in last.stderr
    assert (folder / "rows.csv").read_text() == rows + "3\n4\n"


def test_fresh_leaves_the_files(folder):
    killed(folder, "--undo-files")
    rows = (folder / "rows.csv").read_text()

    resumed(folder, "--undo-files", "--fresh", "script.py")

    assert (folder / "rows.csv").read_text().startswith(rows)


def test_a_file_that_cannot_be_put_back_refuses_the_rerun(folder, plain):
    """Nothing is run, the generation stays; when that is mended the same command goes on."""
    made = folder / "state.json"
    killed(folder, "--undo-files")
    saved = generations(folder)
    made.unlink()  # no file can be put where a folder is, not even by root
    (made / "in the way").mkdir(parents=True)

    refused = resumed(folder, "--undo-files", "script.py")

    assert refused.returncode == 50, refused.stderr
    assert "cannot be put back" in refused.stderr
    assert "Traceback" not in refused.stderr
    assert generations(folder) == saved

    (made / "in the way").rmdir()
    made.rmdir()
    last = resumed(folder, "--undo-files", "script.py")
    assert last.returncode == 0, last.stderr
    assert left(folder) == plain


def test_what_ends_a_program_well_is_not_kept(tmp_path):
    """Its exit functions write files when nothing can be gone on from any more."""
    (tmp_path / "script.py").write_text(
        "import atexit, resume\nresume.save()\natexit.register(open, 'at_exit', 'w')\n"
    )

    assert resumed(tmp_path, "--undo-files", "script.py").returncode == 0

    assert (tmp_path / "at_exit").exists()
    assert not (tmp_path / ".checkpoints" / "script").exists()


def test_a_generation_of_the_run_before(tmp_path):
    """Those of the second run are damaged: files are put back to what they were in the first."""
    (tmp_path / "script.py").write_text(
        "import os, resume\n"
        "for n in range(10):\n"
        "    with open('rows', 'a') as rows:\n"
        "        rows.write(f'{n}\\n')\n"
        "    resume.save()\n"
        "    if os.path.exists(f'die{n}'):\n"
        "        os.kill(os.getpid(), 9)\n"
    )
    for n in (5, 7):
        die = tmp_path / f"die{n}"
        die.touch()
        assert resumed(tmp_path, "--undo-files", "script.py").returncode == -9
        die.unlink()
    for manifest in generations(tmp_path)[-2:]:
        manifest.write_bytes(b"damaged")

    last = resumed(tmp_path, "--undo-files", "script.py")

    assert last.returncode == 0, last.stderr
    assert "going on from generation 6" in last.stderr
    assert (tmp_path / "rows").read_text() == "".join(f"{n}\n" for n in range(10))


def test_a_child_of_a_fork_keeps_nothing(tmp_path):
    """What other processes do to files is theirs."""
    (tmp_path / "script.py").write_text(
        "import os, resume\n"
        "resume.save()\n"
        "if os.fork() == 0:\n"
        "    open('child.txt', 'w').close()\n"
        "    os._exit(0)\n"
        "os.wait()\n"
        "open('parent.txt', 'w').close()\n"
        "os.kill(os.getpid(), 9)\n"
    )

    resumed(tmp_path, "--undo-files", "script.py")

    log = (tmp_path / ".checkpoints" / "script" / "undo" / "log").read_text()
    paths = [os.path.basename(json.loads(line)["path"]) for line in log.split("\n") if line]
    assert paths == ["parent.txt"]


def test_what_is_kept_does_not_grow_with_the_saves(tmp_path):
    """Copies for generations that are gone go with them."""
    (tmp_path / "script.py").write_text(
        "import os, resume\n"
        "for n in range(30):\n"
        "    with open('state', 'w') as state:\n"
        "        state.write('x' * 1000)\n"
        "    resume.save()\n"
        "os.kill(os.getpid(), 9)\n"
    )

    resumed(tmp_path, "--undo-files", "--keep", "2", "script.py")

    undo = tmp_path / ".checkpoints" / "script" / "undo"
    assert 0 < len(list(undo.iterdir())) <= 5
    assert len((undo / "log").read_text().split()) <= 4


def test_prove_takes_it(folder):
    """A table that grows by closed appends is told different without, and equal with it."""
    (folder / "script.py").write_text(
        "import time\n"
        "for n in range(300):\n"
        "    with open('rows.csv', 'a') as rows:\n"
        "        rows.write(f'{n}\\n')\n"
        "    time.sleep(0.01)\n"
    )

    def verdict(*options):
        words = ("prove", "--kills", "6", "--rate", "0.1", "--seed", "3", "--json", *options)
        ended = subprocess.run(
            [sys.executable, "-m", "resume", *words, "script.py"],
            cwd=folder,
            env=pinned_environment(PYTHONPATH=str(CHECKOUT)),
            capture_output=True,
            timeout=100,
            check=False,
        )
        return json.loads(ended.stdout)["verdict"]

    assert verdict() == "different"
    assert verdict("--undo-files") == "equal"
