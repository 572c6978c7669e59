"""A script under `resume run` asks for saves itself: it is saved there, and goes on there."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from reruns import generations, resumed, run

pytestmark = pytest.mark.timeout(120)

SCRIPT = '''
"""Counts."""
import os, random, sys
import helper, resume

class Tally:
    total = 0

def deeper(k):
    """Ask for a save at the place that is told, and end without a word behind it."""
    if f"{k}" == os.environ.get("SAVE_AT"):
        {ask}
        if os.environ.get("LEAVE") == f"{k}":
            os._exit(9)
    return k + random.randint(0, 9)

def walk(n):
    for k in range(n):
        yield deeper(k)

def main(n):
    lines = open("out.txt", "w")
    with lines:
        for value in walk(n):
            Tally.total += value
            lines.write(f"{value}\\n")
            print(helper.note(value), Tally.total, sep=" ", flush=True)

random.seed(4)
main(int(sys.argv[1]))
print("end", helper.notes)
'''
HELPER = """
import functools
notes = []
SIZE = 2

@functools.lru_cache
def shown(value):
    return f"<{value}>"

def note(value):
    notes.append(value)
    return shown(value)
"""


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "script.py").write_text(SCRIPT.replace("{ask}", "resume.save()"))
    (tmp_path / "helper.py").write_text(HELPER)
    return tmp_path


def left(folder: Path, *words: str, at: int = 3, **more: str) -> None:
    """Run to a save, and end behind it."""
    ended = resumed(folder, *words, SAVE_AT=str(at), LEAVE=str(at), **more)
    assert ended.returncode == 9, ended.stderr


def plain_log(folder: Path) -> bytes:
    assert run(folder, "script.py", "9", log="plain").returncode == 0
    return (folder / "plain").read_bytes()


def test_it_goes_on_where_it_asked(folder):
    """Twice, from deep in a generator; the log and the file are those of one run."""
    expected = plain_log(folder)
    lines = (folder / "out.txt").read_bytes()

    left(folder, "script.py", "9")
    left(folder, "script.py", "9", at=6)
    last = resumed(folder, "script.py", "9")

    assert last.returncode == 0, last.stderr
    assert "resuming script at line 12 of deeper (generation 2)" in last.stderr
    assert (folder / "log").read_bytes() == expected
    assert (folder / "out.txt").read_bytes() == lines
    assert generations(folder) == []


def test_a_sync_saves_when_one_is_due(folder):
    """Long before, it is nothing."""
    text = SCRIPT.replace("{ask}", "resume.sync()")
    (folder / "script.py").write_text(text)
    assert resumed(folder, "script.py", "9", SAVE_AT="3", LEAVE="3").returncode == 9
    assert generations(folder) == []

    # it is written beside the program, which waits for it where no line of its own is met
    until_saved = "until ls .checkpoints/*/*.manifest.json; do sleep 0.05; done > /dev/null 2>&1"
    text = text.replace("resume.sync()", f"resume.sync(); os.system({until_saved!r})")
    (folder / "script.py").write_text(text)
    assert resumed(folder, "--rate", "0", "script.py", "9", SAVE_AT="3", LEAVE="3").returncode == 9

    assert generations(folder)


def test_a_save_keeps_nothing_alive(folder):
    """Nor does a fork: objects end where they end in plain Python, without the collector."""
    (folder / "script.py").write_text(
        "import gc, os, resume, sys, weakref\n"
        "gc.disable()\n"
        "class Loud:\n"
        "    def __del__(self):\n"
        "        print('end', flush=True)\n"
        "def step(k):\n"
        "    held = Loud()\n"
        "    if k == 1:\n"
        "        resume.save()\n"
        "    if k == 2 and not os.fork():\n"
        "        os._exit(0)\n"
        "    print(k, sys.getrefcount(held))\n"
        "for k in range(4):\n"
        "    step(k)\n"
        "print('behind')\n"
    )
    assert run(folder, "script.py", log="plain").returncode == 0

    assert resumed(folder, "script.py").returncode == 0

    assert (folder / "log").read_text() == (folder / "plain").read_text()


def test_a_sync_that_is_not_due_imports_nothing(folder):
    """What saves takes longer to import than many a script runs."""
    (folder / "script.py").write_text(
        "import sys, resume\nresume.sync()\nprint({'numpy', 'resume.engine'} & set(sys.modules))\n"
    )

    assert resumed(folder, "script.py").returncode == 0

    assert (folder / "log").read_text() == "set()\n"


def test_what_another_run_has_saved_meanwhile_stays(folder):
    """A run that ends well, and never saved, removes nothing of that name."""
    (folder / "other.py").write_text(
        "import os, resume\nfor k in range(3):\n    resume.save()\n    os._exit(9)\n"
    )
    (folder / "script.py").write_text(
        "import resume, subprocess, sys\n"
        "words = [sys.executable, '-m', 'resume', 'run', '--name', 'shared', 'other.py']\n"
        "print(subprocess.call(words))\n"
        "class Body:\n    resume.save()\n"
    )

    ended = resumed(folder, "--name", "shared", "script.py")

    assert (ended.returncode, (folder / "log").read_text()) == (0, "9\n"), ended.stderr
    assert "nothing was saved" in ended.stderr
    assert len(generations(folder)) == 1


def test_options_decide_what_is_gone_on_from(folder):
    """A name, a folder, how many are kept, and a fresh start."""
    words = ("--name", "mine", "--dir", "saved", "--keep", "1", "script.py", "9")
    left(folder, *words)
    left(folder, *words, at=5)
    assert len(list((folder / "saved" / "mine").glob("*.manifest.json"))) == 1

    fresh = resumed(folder, "--fresh", *words, log="fresh")

    assert "starting anew (--fresh)" in fresh.stderr
    assert (folder / "fresh").read_bytes() == plain_log(folder)
    assert not list((folder / "saved").glob("mine/*.manifest.json"))


def test_a_changed_source_is_refused_or_restarted(folder):
    """The difference is shown; a comment and the text of a docstring are none."""
    left(folder, "script.py", "9")
    text = (folder / "script.py").read_text()
    (folder / "script.py").write_text(text.replace("k + random", "k - random"))

    refused = resumed(folder, "script.py", "9")
    assert refused.returncode == 50
    assert "-    return k + random" in refused.stderr.replace("  -  ", "-  ")
    (folder / "script.py").write_text(text.replace('"""Counts."""', '"""Counts on."""\n# more'))
    assert "resuming" in resumed(folder, "script.py", "9").stderr

    left(folder, "script.py", "9")
    (folder / "helper.py").unlink()
    (folder / "helper.py").write_text(HELPER.replace("SIZE = 2", "SIZE = 3"))
    anew = resumed(folder, "--on-change", "restart", "script.py", "9")
    assert "starting anew (helper has changed)" in anew.stderr


def test_the_state_of_a_checkpoint_is_not_taken_for_a_programs(folder):
    """A name that is used for both: told, and nothing is touched."""
    (folder / "other.py").write_text(
        "from resume import Checkpoint\nchp = Checkpoint('script')\nx = 1\nchp.restore()\n"
        "chp.save()\nraise SystemExit(4)\n"
    )
    assert run(folder, "other.py").returncode == 4
    before = [path.read_bytes() for path in generations(folder)]

    refused = resumed(folder, "script.py", "9")

    assert refused.returncode == 50
    assert "--name" in refused.stderr
    assert [path.read_bytes() for path in generations(folder)] == before


def test_what_cannot_be_saved_is_said_once_and_the_run_goes_on(folder):
    """A socket that is read again, and was not made by one assignment."""
    (folder / "script.py").write_text(
        "import socket, resume\n"
        "pair = []\n"
        "pair.extend(socket.socketpair())\n"
        "for k in range(3):\n"
        "    resume.save()\n"
        "    pair[0].send(b'x')\n"
        "print(pair[1].recv(9))\n"
    )

    ended = resumed(folder, "script.py")

    assert ended.returncode == 0
    assert (folder / "log").read_bytes() == b"b'xxx'\n"
    assert ended.stderr.count("could not save") == 1
    assert generations(folder) == []


def test_a_class_that_could_not_be_defined_again_is_told_by_the_first_save(folder):
    """While the program runs, once: which class, which name, and what to do. It runs on."""
    (folder / "script.py").write_text(
        "import resume, sys\n"
        "start = len(sys.argv)\n"
        "class Tally:\n"
        "    total = start\n"
        "del start\n"
        "for k in range(3):\n"
        "    resume.save()\n"
        "print(Tally.total)\n"
    )

    ended = resumed(folder, "script.py")

    assert ended.returncode == 0
    assert (folder / "log").read_bytes() == b"1\n"
    (told,) = ended.stderr.splitlines()
    assert "could not save: the class Tally in __main__ reads start" in told
    assert "that name is gone by now" in told
    assert generations(folder) == []


def test_a_rank_above_0_goes_on_from_a_checkpoint_of_its_own(folder):
    """Its name is longer than that of the script."""
    expected = plain_log(folder)

    left(folder, "script.py", "9", RANK="2")
    last = resumed(folder, "script.py", "9", RANK="2")

    assert "resuming script-rank2 at line 12" in last.stderr
    assert (folder / "log").read_bytes() == expected


def test_a_module_goes_on_as_well(folder):
    """`-m MODULE`, of a package with relative imports."""
    (folder / "pack").mkdir()
    (folder / "pack" / "__init__.py").write_text("")
    (folder / "pack" / "helper.py").write_text(HELPER)
    text = (folder / "script.py").read_text()
    text = text.replace("import helper, resume", "import resume\nfrom . import helper")
    (folder / "pack" / "main.py").write_text(text)
    assert run(folder, "-m", "pack.main", "9", log="plain").returncode == 0

    left(folder, "-m", "pack.main", "9")
    last = resumed(folder, "-m", "pack.main", "9")

    assert last.returncode == 0, last.stderr
    assert (folder / "log").read_bytes() == (folder / "plain").read_bytes()


def test_a_package_without_an_init_goes_on_as_well(folder):
    """`-m PACKAGE` runs its `__main__`."""
    (folder / "pack").mkdir()
    (folder / "script.py").rename(folder / "pack" / "__main__.py")
    assert run(folder, "-m", "pack", "9", log="plain").returncode == 0

    left(folder, "-m", "pack", "9")
    last = resumed(folder, "-m", "pack", "9")

    assert "resuming pack" in last.stderr
    assert (folder / "log").read_bytes() == (folder / "plain").read_bytes()


def test_the_saved_stack_is_shown_like_a_traceback(folder):
    """With the source of each line and the first variables; nothing is unpickled."""
    left(folder, "script.py", "9")

    shown = run(folder, "-m", "resume", "show", "script", log="shown")
    text = (folder / "shown").read_text()

    assert shown.returncode == 0, shown.stderr
    stack = text[text.index("stack") : text.index("variables")].splitlines()
    outermost = SCRIPT.splitlines().index("main(int(sys.argv[1]))") + 1
    assert stack.index(f'File "script.py", line {outermost}, in <module>') < stack.index(
        'File "script.py", line 12, in deeper'
    )
    assert "  main(int(sys.argv[1]))" in stack
    assert "    k = 3" in stack
    assert "<module> > main > walk > deeper" in text
    record = json.loads(generations(folder)[0].read_text())
    names = {row["name"] for row in record["variables"]}
    assert {"Tally.total", "helper:notes", "main: n", "deeper: k"} <= names
    assert not any(name.startswith(".") for name in names)
    assert [row["function"] for row in record["position"]["program"]["stack"]] == [
        "<module>", "main", "walk", "deeper",
    ]  # fmt: skip


def test_definitions_that_fail_on_the_way_back_are_told(folder):
    """One refuses to be run twice: the generation stays, and the text says what to do."""
    text = (folder / "script.py").read_text()
    (folder / "script.py").write_text(
        text.replace(
            "class Tally:\n    total = 0",
            "done = list(())\ndef once():\n    if done:\n        raise RuntimeError('twice')\n"
            "    done.append(1)\nclass Tally:\n    once()\n    total = 0",
        )
    )
    left(folder, "script.py", "9")

    refused = resumed(folder, "script.py", "9")

    assert refused.returncode == 50
    assert "RuntimeError: twice" in refused.stderr
    assert "--fresh" in refused.stderr
    assert "Traceback" not in refused.stderr
    assert len(generations(folder)) == 1


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_child_saves_nothing(folder):
    """The state is the parent's; the call is there, and does nothing."""
    (folder / "script.py").write_text(
        "import os, resume\n"
        "for k in range(2):\n"
        "    pid = os.fork()\n"
        "    resume.save()\n"
        "    if not pid:\n"
        "        os._exit(0)\n"
        "    print(os.waitpid(pid, 0)[1], flush=True)\n"
        "raise SystemExit(3)\n"
    )

    ended = resumed(folder, "script.py")

    assert ended.returncode == 3
    assert "save" not in ended.stderr  # 3.12 and later warn that numpy has threads
    assert (folder / "log").read_bytes() == b"0\n0\n"
    assert [int(path.name.split(".")[0]) for path in generations(folder)] == [1, 2]


def test_under_plain_python_nothing_is_saved(folder):
    """The calls are there, and do nothing."""
    assert run(folder, "script.py", "9", SAVE_AT="3").returncode == 0
    assert generations(folder) == []
