"""`resume run SCRIPT`, killed by SIGKILL and run again: the log of one undisturbed run."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from reruns import died, generations, pinned_environment, resumed, run

pytestmark = [pytest.mark.timeout(120), pytest.mark.untraced]  # a tracer holds off saves on 3.11

SCRIPT = '''
import random, sys, time
import helper

class Tally:
    total = 0

def walk(depth):
    for k in range(3):
        if depth:
            yield from walk(depth - 1)
        Tally.total += 1
        yield depth, k, random.randint(0, 99)

def main(often):
    """Tell."""
    seen = {"a", "b", "c"}
    with open(f"lines-{often}.txt", "w") as lines:
        for row in range(often):
            for step in walk(1):
                helper.note(lines, row, step)
                seen.add(f"{row}{step}")
                time.sleep(0.003)
            print(row, Tally.total, helper.calls, len(seen), sorted(seen)[row], flush=True)
    return list(seen)[:5]

random.seed(3)
print(main(int(sys.argv[1])))
sys.exit(3)
'''
HELPER = """
print("helper is imported")
calls = 0

def note(lines, row, step):
    global calls
    calls += 1
    for part in step:
        lines.write(f"{row} {part}\\n")
"""


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "script.py").write_text(SCRIPT)
    (tmp_path / "helper.py").write_text(HELPER)
    return tmp_path


def plain(folder: Path) -> tuple[int, bytes, bytes]:
    code = run(folder, "script.py", "40", log="plain").returncode
    lines = (folder / "lines-40.txt").read_bytes()
    (folder / "lines-40.txt").unlink()
    return code, (folder / "plain").read_bytes(), lines


def test_output_files_and_status_are_those_of_one_run(folder):
    """Killed five times in the middle of generators, loops and an open file."""
    expected = plain(folder)

    for saves in (2, 1, 3, 1, 2):
        died(folder, saves, "script.py", "40")
    last = resumed(folder, "script.py", "40")

    assert "resuming script" in last.stderr
    assert (last.returncode, (folder / "log").read_bytes()) == expected[:2]
    assert (folder / "lines-40.txt").read_bytes() == expected[2]


def test_what_a_run_leaves_behind(folder):
    """After an error or another status than 0, the state is there; after a good end, nothing."""
    died(folder, 2, "script.py", "40")
    assert resumed(folder, "script.py", "40").returncode == 3
    assert generations(folder)

    text = (folder / "script.py").read_text().replace("sys.exit(3)", "")
    (folder / "script.py").write_text(text)
    died(folder, 2, "--fresh", "script.py", "40")
    assert resumed(folder, "script.py", "40").returncode == 0
    assert not generations(folder)


def test_other_arguments_have_a_state_of_their_own(folder):
    """And the first state waits."""
    expected = plain(folder)
    died(folder, 2, "script.py", "40")

    other = resumed(folder, "script.py", "2", log="other")
    last = resumed(folder, "script.py", "40")

    assert "resuming" not in other.stderr
    assert (folder / "other").read_text().count("\n") == 4
    assert "resuming" in last.stderr
    assert (folder / "log").read_bytes() == expected[1]


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [("helper.py", "calls += 1", "calls += 2"), ("script.py", "range(3)", "range(4)")],
)
def test_a_changed_source_is_refused(folder, file, old, new):
    """With the lines that changed, and what to do; nothing is touched."""
    died(folder, 2, "script.py", "40")
    before = [path.read_bytes() for path in generations(folder)]
    text = (folder / file).read_text()
    (folder / file).write_text(text.replace(old, new))

    refused = resumed(folder, "script.py", "40")

    assert refused.returncode == 50
    for sign, words in (("-", old), ("+", new)):
        assert any(
            line.strip().startswith(sign) and words in line for line in refused.stderr.splitlines()
        )
    assert "--on-change=restart" in refused.stderr
    assert "Traceback" not in refused.stderr
    assert [path.read_bytes() for path in generations(folder)] == before
    (folder / file).write_text(text)
    assert "resuming" in resumed(folder, "script.py", "40").stderr


def test_comments_and_docstrings_are_no_change(folder):
    """Nor are blank lines: positions are told by what the source does."""
    expected = plain(folder)
    died(folder, 2, "script.py", "40")
    text = (folder / "script.py").read_text()
    text = text.replace('"""Tell."""', '"""Tell of walks."""\n').replace(
        "    return list", "\n    # a comment\n    return list"
    )
    (folder / "script.py").write_text("# A head.\n" + text)

    last = resumed(folder, "script.py", "40")

    assert "resuming" in last.stderr
    assert (folder / "log").read_bytes() == expected[1]


def test_a_changed_source_may_start_anew(folder):
    """As told: the old state is set aside, and the log goes on behind it."""
    died(folder, 2, "script.py", "40")
    text = (folder / "script.py").read_text()
    (folder / "script.py").write_text(text.replace("range(3)", "range(2)"))

    anew = resumed(folder, "--on-change=restart", "script.py", "40")

    assert "starting anew" in anew.stderr
    assert anew.returncode == 3
    assert (folder / "log").read_text().count("helper is imported") == 2


def test_the_hash_seed_is_that_of_the_saved_state(folder):
    """However the rerun's own is set: the order of the set of strings hangs on it."""
    expected = plain(folder)
    died(folder, 2, "script.py", "40")

    last = resumed(folder, "script.py", "40", PYTHONHASHSEED="99")

    assert last.returncode == 3
    assert (folder / "log").read_bytes() == expected[1]


def test_the_manifest_tells_where_the_program_stood(folder):
    """Without unpickling: file, functions and lines, and which variable is which."""
    died(folder, 3, "script.py", "40")

    manifest = json.loads(generations(folder)[-1].read_text())

    program = manifest["position"]["program"]
    assert program["stack"][0] == {"module": "__main__", "function": "<module>", "line": 28}
    assert {"main", "<module>"} <= {frame["function"] for frame in program["stack"]}
    assert "Tally.total" in {variable["name"] for variable in manifest["variables"]}
    assert "helper:calls" in {variable["name"] for variable in manifest["variables"]}


def test_the_program_asks_for_saves_itself(tmp_path):
    """`resume.save()` at once, at any depth; `resume.sync()` when one is due. None under python."""
    (tmp_path / "script.py").write_text(
        "import os, signal, resume\n"
        "def step(k):\n"
        "    print('step', k, flush=True)\n"
        "    assert resume.sync() is None\n"
        "    if k == 3:\n"
        "        resume.save()\n"
        "    if k == 4 and os.environ.get('DIE'):\n"
        "        os.kill(os.getpid(), signal.SIGKILL)\n"
        "    return k\n"
        "print(sum(step(k) for k in range(6)), [step(k) for k in range(2)])\n"
        "total = 0\n"
        "for k in range(6):\n"
        "    total += step(k)\n"
        "print(total)\n"
    )
    assert run(tmp_path, "script.py", log="plain").returncode == 0

    first = resumed(tmp_path, "script.py", DIE="1")
    assert first.returncode == -signal.SIGKILL
    last = resumed(tmp_path, "script.py")

    assert last.returncode == 0, last.stderr
    assert (tmp_path / "log").read_bytes().endswith((tmp_path / "plain").read_bytes()[-30:])


def test_a_folder_goes_on_as_its_main_file_would(tmp_path):
    """With a module beside it; the checkpoint has the folder's name."""
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "inner.py").write_text("def half(n):\n    return n / 2\n")
    (tmp_path / "app" / "__main__.py").write_text(
        "import os, signal, resume, inner\n"
        "size = len('abc')\n"
        "class Sized:\n"
        "    size = size\n"
        "for k in range(5):\n"
        "    print(k, inner.half(k), Sized.size, flush=True)\n"
        "    Sized.size += 1\n"
        "    if k == 2:\n"
        "        resume.save()\n"
        "        if os.environ.get('DIE'):\n"
        "            os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    assert run(tmp_path, "app", log="plain").returncode == 0

    assert resumed(tmp_path, "app", DIE="1").returncode == -signal.SIGKILL
    last = resumed(tmp_path, "app")

    assert last.returncode == 0, last.stderr
    assert "resuming app at line" in last.stderr
    assert (tmp_path / "log").read_bytes() == (tmp_path / "plain").read_bytes()


def test_a_second_run_beside_the_first_says_who_is_there(folder):
    """It runs to its end, and saves nothing."""
    text = (folder / "script.py").read_text()
    (folder / "script.py").write_text(
        text.replace(
            "            print(row,", "            time.sleep(0.1)\n            print(row,"
        )
    )
    with (folder / "first").open("wb") as out:
        first = subprocess.Popen(
            [sys.executable, "-m", "resume", "run", "--rate", "0.1", "script.py", "40"],
            cwd=folder,
            env=pinned_environment(),
            stdout=out,
        )
        try:
            while not generations(folder) and first.poll() is None:
                time.sleep(0.01)
            second = resumed(folder, "script.py", "40")
        finally:
            assert first.wait() == 3

    assert second.returncode == 31
    assert f"process {first.pid}" in second.stderr
    assert "Traceback" not in second.stderr
