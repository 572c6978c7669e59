"""Die at each step at which a file is kept or put back, and again: the files of the save come back.

A child of a fork ends itself ahead of its n-th step: whatever opens, links, renames or removes.
"""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import pytest

from resume import file_hooks
from resume.tracked import UndoLog

STEPS = frozenset(
    {"open", "os.link", "os.symlink", "os.rename", "os.remove", "os.truncate", "os.mkdir"}
    | {"os.rmdir", "os.chmod", "os.utime", "shutil.copyfile", "shutil.copystat", "shutil.move"}
)
DEAD, DONE = 9, 0


@pytest.fixture(autouse=True)
def work(tmp_path, monkeypatch):
    (tmp_path / "work" / "folder").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "work")
    for name in ("rows", "state", "other", "folder/in it"):
        Path(name).write_text(f"{name} as it was")
    os.symlink("state", "link")


def begun():
    made = UndoLog(Path("../store/undo"), without=Path("../store"))
    file_hooks.install()
    file_hooks.listen(made)
    return made


def change():
    """What a program does behind its save."""
    begun().begin_epoch()
    for text in ("one", "two"):
        with open("rows", "a") as rows:
            rows.write(text)
        Path("new").write_text(text)
        os.replace("new", "state")
        Path("other").write_text(text)
    os.remove("folder/in it")
    os.rmdir("folder")
    os.remove("link")
    os.symlink("rows", "link")
    os.mkdir("late")
    os.rename("other", "late/other")
    Path("other").write_text("three")


def put_back():
    UndoLog(Path("../store/undo"), without=Path("../store")).put_back(1)


def dies(act, ahead_of):
    """Run *act* in a child that ends ahead of that step; False: it had fewer."""
    child = os.fork()
    if child == 0:
        steps = [0]

        def count(event, _):
            if event in STEPS:
                steps[0] += 1
                if steps[0] == ahead_of:
                    os._exit(DEAD)

        sys.addaudithook(count)
        try:
            act()
        except BaseException:  # noqa: BLE001 - the parent is told
            os._exit(1)
        os._exit(DONE)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert code in {DEAD, DONE}
    return code == DEAD


def look():
    return {
        str(path): path.is_symlink() and os.readlink(path) or path.is_file() and path.read_text()
        for path in Path().rglob("*")
    }


def start_again():
    """Make the working folder what it was, beside no store."""
    for path in Path().iterdir():
        shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
    shutil.rmtree("../store", ignore_errors=True)
    shutil.copytree("../given", ".", symlinks=True, dirs_exist_ok=True)


def test_die_at_each_step(tmp_path):
    """At each step of the program, then at some of putting back, which is done again to its end."""
    shutil.copytree(".", "../given", symlinks=True)
    expected = look()
    step = deaths = 1
    while dies(change, step):
        again = 1 + step % 5
        while dies(put_back, again):
            again += 5
            deaths += 1
        assert look() == expected, step
        start_again()
        step += 1
        deaths += 1

    assert step > 40
    assert deaths > 2 * step


def test_die_at_each_step_of_putting_back():
    expected = look()
    assert not dies(change, 0)
    assert look() != expected

    step = 1
    while dies(put_back, step):
        step += 1

    assert step > 10  # each goes on where the one before has ended
    assert look() == expected
    assert not [path for path in Path("../store/undo").iterdir() if path.name[0].isdigit()]
