"""What files held at a save is kept when they are changed behind it, and put back."""

from __future__ import annotations

import os
import shutil
import threading
from pathlib import Path

import pytest

from resume import file_hooks
from resume.tracked import UndoLog, undo


@pytest.fixture
def log(tmp_path, monkeypatch):
    """The log of a run whose files lie in the working folder."""
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    yield begun()
    file_hooks.uninstall()


def begun():
    """What the run has that is started now."""
    made = UndoLog(Path("../store/name/undo"), without=Path("../store"))
    file_hooks.install()
    file_hooks.listen(made)
    return made


def rerun(epoch):
    """What a rerun does, that goes on from the generation of that epoch."""
    file_hooks.listen(None)
    again = begun()
    return again, again.put_back(epoch)


def files():
    found = [path for path in Path().rglob("*") if not path.is_dir()]
    return {str(path): path.read_text() for path in found}


def add(name, text):
    with open(name, "a") as file:
        file.write(text)


def write(name, text):
    with open(name, "w") as file:
        file.write(text)


def test_what_was_added_is_cut_off(log):
    add("rows", "1\n")
    epoch = log.begin_epoch()
    add("rows", "2\n")
    add("rows", "3\n")

    _, undone = rerun(epoch)

    assert files() == {"rows": "1\n"}
    assert str(undone) == "1 cut back"
    assert undone.cut == [os.path.realpath("rows")]
    assert undone.lost == []


def test_what_was_written_over_is_put_back(log):
    write("state", "first")
    os.chmod("state", 0o640)
    os.utime("state", ns=(10**18, 10**18))
    epoch = log.begin_epoch()
    write("state", "second")
    write("state", "third")

    _, undone = rerun(epoch)

    assert files() == {"state": "first"}
    found = os.stat("state")
    assert (found.st_mode & 0o777, found.st_mtime_ns) == (0o640, 10**18)
    assert str(undone) == "1 put back"


def test_what_was_made_is_set_aside_and_not_lost(log):
    epoch = log.begin_epoch()
    os.mkdir("results")
    write("results/best", "of the killed run")

    _, undone = rerun(epoch)

    assert files() == {}
    assert not Path("results").exists()
    assert str(undone) == "1 made since and set aside"
    (aside,) = Path("../store/name/undo/aside").iterdir()
    assert aside.read_text() == "of the killed run"


def test_what_is_put_back_leaves_the_killed_runs_aside(log):
    write("state", "first")
    epoch = log.begin_epoch()
    write("state", "second")

    rerun(epoch)

    assert [path.read_text() for path in Path("../store/name/undo/aside").iterdir()] == ["second"]


def test_what_every_killed_run_left_stays_aside(log):
    write("state", "first")
    epoch = log.begin_epoch()
    for text in ("of one run", "of the next"):
        write("state", text)
        rerun(epoch)

    aside = Path("../store/name/undo/aside").iterdir()
    assert sorted(path.read_text() for path in aside) == ["of one run", "of the next"]
    assert files() == {"state": "first"}


@pytest.mark.parametrize("is_killed_between", [False, True])
def test_a_removal_that_failed_long_before_the_change(log, is_killed_between):
    """What a second link keeps is copied before it changes: in a later epoch, and in a rerun."""
    write("state", "first")
    epoch = log.begin_epoch()
    not_done(os.replace, "no", "state")
    later = log.begin_epoch()
    if is_killed_between:
        rerun(later)
    write("state", "second")

    _, undone = rerun(epoch)

    assert undone.lost == []
    assert files() == {"state": "first"}


def test_a_folder_with_something_else_in_it_stays(log):
    epoch = log.begin_epoch()
    os.mkdir("results")
    file_hooks.listen(None)
    write("results/mine", "somebody else's")

    rerun(epoch)

    assert files() == {"results/mine": "somebody else's"}


def not_done(act, *words):
    with pytest.raises(OSError):
        act(*words)


CHANGES = {
    "replace": lambda: (write("new", "2"), os.replace("new", "state")),
    "rename": lambda: os.rename("state", "old"),
    "remove": lambda: os.remove("state"),
    "truncate": lambda: os.truncate("state", 1),
    "copy": lambda: (write("new", "22"), shutil.copy("new", "state")),
    "add, then write": lambda: (add("state", "2"), write("state", "3")),
    "add, then remove": lambda: (add("state", "2"), os.remove("state")),
    "add, then replace": lambda: (add("state", "2"), CHANGES["replace"]()),
    "rename, then make": lambda: (os.rename("state", "old"), write("state", "2")),
    "replace by nothing, then add": lambda: (
        not_done(os.replace, "no", "state"),
        add("state", "2"),
    ),
    "replace by itself, then add": lambda: (os.replace("state", "state"), add("state", "2")),
    "replace by nothing, then move": lambda: (
        not_done(os.replace, "no", "state"),
        os.rename("state", "old"),
        add("old", "2"),
    ),
    "a link that leads elsewhere": lambda: (os.remove("lead"), os.symlink("folder", "lead")),
    "a file for a link": lambda: (write("new", "2"), os.replace("new", "lead")),
    "by a link": lambda: (os.symlink("state", "link"), write("link", "2")),
    "by two names": lambda: (os.link("state", "other"), os.remove("state"), add("other", "2")),
    "with its folder": lambda: (os.remove("folder/in it"), os.rmdir("folder")),
}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("rounds", [1, 3])
def test_all_that_can_become_of_a_file(log, change, rounds):
    """It is what it was; what a link or a second name has made stays beside it."""
    write("state", "first")
    os.mkdir("folder")
    write("folder/in it", "text")
    os.symlink("state", "lead")
    epoch = log.begin_epoch()
    for _ in range(rounds):
        try:
            CHANGES[change]()
        except OSError:
            assert rounds > 1
        log.begin_epoch()

    rerun(epoch)

    assert files().items() >= {"state": "first", "folder/in it": "text"}.items()
    assert not {"old", "new"} & files().keys()
    assert os.readlink("lead") == "state"


def test_each_epoch_has_its_own(log):
    texts = ["a", "b", "c"]
    epochs = []
    for text in texts:
        add("rows", text)
        write("state", text)
        epochs.append(log.begin_epoch())
    add("rows", "d")
    write("state", "d")

    for epoch, rows, state in [(epochs[2], "abc", "c"), (epochs[0], "a", "a")]:
        rerun(epoch)
        assert files() == {"rows": rows, "state": state}


def test_the_second_kill(log):
    """A rerun keeps again what it changes, and numbers its epochs behind those before."""
    add("rows", "1")
    epoch = log.begin_epoch()
    add("rows", "2")
    again, _ = rerun(epoch)
    add("rows", "2")
    later = again.begin_epoch()
    add("rows", "3")

    rerun(later)

    assert later > epoch
    assert files() == {"rows": "12"}


def test_what_nobody_goes_back_to_is_forgotten(log):
    write("state", "first")
    first = log.begin_epoch()
    write("state", "second")
    second = log.begin_epoch()
    write("state", "third")
    assert len(copies()) == 2

    log.forget_before(second)

    assert len(copies()) == 1
    rerun(second)
    assert first < second
    assert files() == {"state": "second"}
    assert copies() == []


def copies():
    return [path for path in Path("../store/name/undo").iterdir() if path.name[0].isdigit()]


def test_nothing_is_kept_before_something_changes(log):
    log.begin_epoch()

    assert not Path("../store").exists()


def test_files_of_the_store_are_not_kept(log):
    epoch = log.begin_epoch()
    os.makedirs("../store/name")
    write("../store/name/generation", "1")

    _, undone = rerun(epoch)

    assert Path("../store/name/generation").read_text() == "1"
    assert not undone


def test_another_file_of_that_name_is_not_cut(log):
    """Somebody has written it anew since: it stays, which is told."""
    add("rows", "1\n")
    epoch = log.begin_epoch()
    add("rows", "2\n")
    file_hooks.listen(None)
    write("rows", "mine, and longer")

    _, undone = rerun(epoch)

    assert files() == {"rows": "mine, and longer"}
    path = os.path.realpath("rows")
    assert undone.lost == [
        f"{path} was added to behind the save, and is another file by now: it stays as it is"
    ]


def test_a_file_that_is_too_large_is_told_where_it_was_changed(log, monkeypatch):
    monkeypatch.setattr(undo, "MOST_COPIED", 10)
    for name in ("changed", "opened", "removed", "moved"):
        write(name, "more than ten bytes")
    epoch = log.begin_epoch()
    write("changed", "other")
    open("opened", "r+").close()
    os.remove("removed")
    os.rename("moved", "elsewhere")

    _, undone = rerun(epoch)

    assert [lost.split(" was ")[0] for lost in undone.lost] == [os.path.realpath("changed")]
    assert "were too many to be kept" in undone.lost[0]
    large = "more than ten bytes"
    assert files() == {"changed": "other", "opened": large, "removed": large, "moved": large}


def test_a_large_file_that_changes_under_its_new_name_is_told(log, monkeypatch):
    monkeypatch.setattr(undo, "MOST_COPIED", 10)
    write("moved", "more than ten bytes")
    epoch = log.begin_epoch()
    os.rename("moved", "elsewhere")
    add("elsewhere", "!")

    _, undone = rerun(epoch)

    assert len(undone.lost) == 1
    assert files() == {}


def test_copies_of_one_epoch_are_bounded(log, monkeypatch):
    monkeypatch.setattr(undo, "MOST_KEPT", 10)
    for name in "abc":
        write(name, "12345")
    epoch = log.begin_epoch()
    for name in "abc":
        write(name, "other")

    _, undone = rerun(epoch)

    assert len(undone.put_back) == 2
    assert len(undone.lost) == 1


def test_what_cannot_be_kept_is_told_and_done(log):
    epoch = log.begin_epoch()
    Path("../store").write_text("in the way of its folder")

    write("state", "1")

    assert files() == {"state": "1"}
    assert "store" in log.failure
    assert epoch == 1


def test_a_line_that_was_cut_short_spoils_no_other(log):
    """The process dies while it writes the line: the change was not made then."""
    write("state", "first")
    epoch = log.begin_epoch()
    with open("../store/name/undo/log", "a") if Path("../store").exists() else made_log() as file:
        file.write('\n{"epoch":1,"path":"/no')
    write("state", "second")

    rerun(epoch)

    assert files() == {"state": "first"}


def made_log():
    os.makedirs("../store/name/undo")
    return open("../store/name/undo/log", "w")


def test_a_handler_may_open_files_while_an_epoch_begins(log):
    """A signal's handler runs between two instructions of whoever holds the lock."""
    log.begin_epoch()
    with log._lock:
        add("rows", "1")

    assert files() == {"rows": "1"}


def test_threads_keep_each_files_own(log):
    for n in range(40):
        write(f"f{n}", str(n))
    epoch = log.begin_epoch()
    threads = [
        threading.Thread(target=lambda part=part: [write(f"f{n}", "x") for n in part])
        for part in (range(20), range(20, 40), range(40))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    rerun(epoch)

    assert files() == {f"f{n}": str(n) for n in range(40)}
