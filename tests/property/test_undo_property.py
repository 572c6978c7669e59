"""Whatever a program does to its files between its saves, each save's files can be put back."""

from __future__ import annotations

import os
import tempfile
from contextlib import chdir, suppress
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from resume import file_hooks
from resume.tracked import UndoLog

NAMES = st.sampled_from(["a", "b", "folder/a", "link"])
TEXTS = st.text("xyz", max_size=4)


def write(mode):
    def act(name, _, text):
        with open(name, mode) as file:
            file.write(text)

    return act


ACTS = {
    "append": write("a"),
    "write": write("w"),
    "change": write("r+"),
    "make": write("x"),
    "pathlib": lambda name, _, text: Path(name).write_text(text),
    "replace": lambda name, other, _: os.replace(name, other),
    "rename": lambda name, other, _: os.rename(name, other),
    "remove": lambda name, *_: os.remove(name),
    "symlink": lambda name, other, _: os.symlink(os.path.basename(name), other),
    "truncate": lambda name, _, text: os.truncate(name, len(text)),
    "folder": lambda *_: os.mkdir("folder"),
    "no folder": lambda *_: os.rmdir("folder"),
}
STEPS = st.one_of(
    st.tuples(st.sampled_from(sorted(ACTS)), NAMES, NAMES, TEXTS),
    st.just(("save", "", "", "")),
    st.just(("kill", "", "", "")),
)


def look():
    """All that is there: files with their text, folders."""
    return {
        str(path): path.is_symlink() and os.readlink(path) or path.is_file() and path.read_text()
        for path in Path().rglob("*")
    }


class Run:
    """A program that is saved, killed, and goes on from its newest save or one before."""

    def __init__(self):
        self.saves = []
        self.begin()

    def begin(self):
        self.log = UndoLog(Path("../store/undo"), without=Path("../store"))
        file_hooks.listen(self.log)

    def save(self):
        self.saves.append((self.log.begin_epoch(), look()))
        del self.saves[:-3]
        self.log.forget_before(self.saves[0][0])

    def go_on_from(self, back):
        file_hooks.listen(None)
        self.begin()
        del self.saves[len(self.saves) - back :]
        epoch, then = self.saves[-1]
        undone = self.log.put_back(epoch)
        assert look() == then, undone


@settings(max_examples=200, deadline=None)
@given(st.lists(STEPS, min_size=5, max_size=40), st.integers(0, 2))
def test_files_of_a_save_come_back(steps, back):
    with tempfile.TemporaryDirectory() as scratch:
        work = Path(scratch, "work")
        (work / "folder").mkdir(parents=True)
        with chdir(work):
            Path("a").write_text("first")
            os.symlink("a", "link")
            file_hooks.install()
            try:
                run = Run()
                run.save()
                for what, name, other, text in steps:
                    if what == "save":
                        run.save()
                    elif what == "kill":
                        run.go_on_from(0)
                    else:
                        with suppress(OSError):
                            ACTS[what](name, other, text)
                run.go_on_from(min(back, len(run.saves) - 1))
            finally:
                file_hooks.uninstall()
