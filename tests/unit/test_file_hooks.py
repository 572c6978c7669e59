"""The functions that change files tell before they do, and are what they were for all who look."""

from __future__ import annotations

import builtins
import copy
import inspect
import io
import multiprocessing
import os
import pickle
import shutil
import threading
import traceback
import types
from pathlib import Path

import pytest

from resume import file_hooks

REAL = io.open


class Told:
    """Notes what it is told, and does what a log of files does: it opens files itself."""

    def __init__(self):
        self.events = []

    def note(self, what, path):
        with open("notes", "a"):
            self.events.append((what, os.path.basename(path)))

    def before_append(self, path):
        self.note("append", path)

    def before_change(self, path):
        self.note("change", path)

    def before_removal(self, path):
        self.note("removal", path)

    def before_move(self, path):
        self.note("move", path)

    def before_folder(self, path):
        self.note("folder", path)


@pytest.fixture
def told(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    told = Told()
    file_hooks.install()
    file_hooks.listen(told)
    yield told.events
    file_hooks.uninstall()


def descriptor(flags):
    os.close(os.open("a", flags | os.O_CREAT))


def replaced_by_pathlib():
    Path("b").touch()
    Path("b").replace("a")


WAYS = {
    "append": (lambda: open("a", "a").close(), [("append", "a")]),
    "append and read": (lambda: open("a", mode="ab+").close(), [("append", "a")]),
    "write": (lambda: open("a", "w").close(), [("change", "a")]),
    "named": (lambda: open(file="a", mode="wb").close(), [("change", "a")]),
    "bytes": (lambda: open(b"a", "w").close(), [("change", "a")]),
    "in place": (lambda: open("there", "r+").close(), [("change", "there")]),
    "exclusively": (lambda: open("a", "x").close(), [("change", "a")]),
    "pathlib": (lambda: Path("a").write_text("text"), [("change", "a")]),
    "os, append": (lambda: descriptor(os.O_WRONLY | os.O_APPEND), [("append", "a")]),
    "os, write": (lambda: descriptor(os.O_WRONLY), [("change", "a")]),
    "os, empty": (lambda: descriptor(os.O_RDWR | os.O_APPEND | os.O_TRUNC), [("change", "a")]),
    "touch": (lambda: Path("a").touch(), [("change", "a")]),
    "copy": (lambda: shutil.copyfile("there", "a"), [("change", "a")]),
    "rename": (lambda: os.rename("there", "a"), [("removal", "a"), ("move", "there")]),
    "replace": (
        replaced_by_pathlib,
        [("change", "b"), ("removal", "a"), ("move", "b")],
    ),
    "shutil.move": (lambda: shutil.move("there", "a"), [("removal", "a"), ("move", "there")]),
    "remove": (lambda: os.remove("there"), [("removal", "there")]),
    "unlink": (lambda: Path("there").unlink(), [("removal", "there")]),
    "truncate": (lambda: os.truncate("there", 0), [("change", "there")]),
    "folders": (lambda: os.makedirs("x/y"), [("folder", "x"), ("folder", "y")]),
    "rmdir": (lambda: os.rmdir("folder"), [("folder", "folder")]),
    "read": (lambda: open("there").close(), []),
    "read bytes": (lambda: Path("there").read_bytes(), []),
    "os, read": (lambda: os.close(os.open("there", os.O_RDONLY)), []),
}


@pytest.mark.parametrize("way", WAYS)
def test_each_way_to_change_a_file_is_told(told, way):
    act, expected = WAYS[way]
    with REAL("there", "w") as there:
        there.write("text")
    os.mkdir("folder")
    told.clear()

    act()

    assert told == expected


def test_it_is_told_before(told, monkeypatch):
    sizes = []
    monkeypatch.setattr(Told, "before_change", lambda _, path: sizes.append(os.path.getsize(path)))
    with REAL("a", "w") as there:
        there.write("text")

    open("a", "w").close()

    assert sizes == [4]


REFUSED = {
    "no path": lambda: open(None, "w"),
    "no such mode": lambda: open("a", "wq"),
    "nothing": lambda: open(),
    "too many": lambda: os.remove("a", "b", "c"),
    "half a rename": lambda: os.rename("a"),
    "a zero in it": lambda: open("a\0b", "w"),
    "no folder": lambda: open("no/such/file", "w"),
    "a folder": lambda: open(".", "a"),
    "of a descriptor": lambda: os.truncate(-1, 0),
    "an odd flag": lambda: os.open("a", "w"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_is_refused_is_refused_as_ever(told, what):
    """The same error, the same text, and no frame of ours in the traceback."""
    act = REFUSED[what]
    shown = traced(act)

    file_hooks.uninstall()

    assert shown == traced(act)
    assert file_hooks.__file__ not in shown


def traced(act):
    with pytest.raises(Exception) as caught:  # noqa: PT011 - whatever the function raises
        act()
    return "".join(traceback.format_exception(caught.value))


def test_a_path_that_is_refused_changes_nothing(told):
    """What a path says of itself may raise: the error is that of the path."""

    class Odd:
        def __fspath__(self):
            raise LookupError("odd")

    shown = traced(lambda: open(Odd(), "w"))

    assert shown.endswith("LookupError: odd\n")
    assert file_hooks.__file__ not in shown


def test_they_look_like_what_they_stand_for(told):
    assert open is io.open is builtins.open is not REAL
    assert (repr(open), open.__name__, open.__module__) == (repr(REAL), "open", "io")
    assert open.__doc__ == REAL.__doc__
    assert isinstance(open, types.BuiltinFunctionType)
    assert inspect.signature(open) == inspect.signature(REAL)
    for function in (open, os.open, os.rename, os.replace, os.remove, os.unlink, os.mkdir):
        assert pickle.loads(pickle.dumps(function)) is function
        assert copy.deepcopy([function])[0] is function

    class Holder:
        opener = open  # no method: a function in C binds no `self`

    with Holder.opener("a", "w"), Holder().opener("a"):
        pass


def test_other_threads_are_told_of_and_other_processes_are_not(told):
    thread = threading.Thread(target=lambda: open("by a thread", "w").close())
    thread.start()
    thread.join()
    child = multiprocessing.get_context("fork").Process(target=lambda: open("by a child", "w"))
    child.start()
    child.join()

    assert child.exitcode == 0
    assert told == [("change", "by a thread")]
    assert Path("by a child").exists()


def test_files_of_ours_are_not_told_of(told):
    space = {"__name__": "resume.store.files"}

    exec("open('a', 'w').close()", space)

    assert told == []


def test_they_go_where_nobody_has_put_something_else(told, monkeypatch):
    mine = lambda *_: None  # noqa: E731
    monkeypatch.setattr(os, "remove", mine)

    file_hooks.uninstall()

    assert open is REAL
    assert os.remove is mine
    open("a", "w").close()
    assert told == []
