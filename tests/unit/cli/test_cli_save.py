"""`resume save`: what it asks for, what it waits for, what it says where nothing comes of it."""

from __future__ import annotations

import os
import re
import threading
import time
from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path

import pytest
from cli_shelf import DRAFT, PAYLOAD, fill, later, resume, resume_json

from resume.errors import StoreError
from resume.store import Store
from resume.triggers.request_file import RequestFile

FOLDER = Path(".checkpoints")
PATIENCE_S = 90


class Program:
    """Holds a checkpoint, and does what a run does at its safe points, in a thread."""

    def __init__(self, name: str) -> None:
        self.store = Store(FOLDER, name)
        self.store.lock()
        self._parent = self.store.newest()
        self._ends = False
        self.saves = 0

    def save(self, trigger: str = "request") -> int:
        self._parent = self.store.commit(later(trigger=trigger), PAYLOAD, [], parent=self._parent)
        self.saves += 1
        return self._parent.number

    @contextmanager
    def running(self, answer: Callable[[Program, RequestFile], bool]):
        """*answer* is asked again and again, until it says that the program has ended."""
        source = RequestFile(self.store.name, lambda: str(self.store.place), os.getcwd())

        def run() -> None:
            while not self._ends and answer(self, source):
                time.sleep(0.005)
            source.close()
            self.store.unlock()

        thread = threading.Thread(target=run)
        thread.start()
        try:
            yield self
        finally:
            self._ends = True
            thread.join()


def saves(program: Program, source: RequestFile) -> bool:
    asked = source.look(0.0)
    if asked is not None:
        asked.answer(program.save(), None)
    return True


def fails(program: Program, source: RequestFile) -> bool:
    asked = source.look(0.0)
    if asked is not None:
        asked.answer(None, StoreError("the disk is full.\nThe newest generation is as it was"))
    return True


def ends(program: Program, source: RequestFile) -> bool:
    return source.look(0.0) is None


def ends_with_a_save(program: Program, source: RequestFile) -> bool:
    is_asked = source.look(0.0) is not None
    if is_asked:
        program.save("finish")
    return not is_asked


def ends_and_removes_all(program: Program, source: RequestFile) -> bool:
    is_asked = source.look(0.0) is not None
    if is_asked:
        program.store.remove()
    return not is_asked


@pytest.fixture
def request_path():
    return FOLDER / "train" / "CHKPT"


def test_it_waits_for_the_generation_and_says_its_number(request_path):
    fill(FOLDER, "train", DRAFT, DRAFT)

    with Program("train").running(saves) as program:
        result = resume("save", "train")

    assert result.exit_code == 0, result.output
    assert result.output == f"train: saved as generation 3 by process {os.getpid()} on {_host()}\n"
    assert program.saves == 1
    assert not request_path.exists()


def test_the_json_has_the_documented_keys():
    fill(FOLDER, "train", DRAFT)

    with Program("train").running(saves):
        told = resume_json("save", "train")

    assert list(told) == [
        "name", "shown_as", "generation", "trigger", "host", "pid", "waited_s",
    ]  # fmt: skip
    assert (told["generation"], told["trigger"], told["pid"]) == (2, "request", os.getpid())


def test_a_program_that_has_saved_nothing_yet_can_be_asked():
    with Program("train").running(saves):
        result = resume("save", "train")

    assert "saved as generation 1 " in result.output


def test_it_is_found_by_what_ls_shows():
    fill(FOLDER, "train@3f2a91c0", DRAFT)

    with Program("train@3f2a91c0").running(saves):
        result = resume("save", "train(fold=1)")

    assert "train(fold=1): saved as generation 2 " in result.output


def test_without_waiting_it_only_asks(request_path):
    fill(FOLDER, "train", DRAFT)

    with Program("train").running(lambda *_: True):
        result = resume("save", "train", "--no-wait")
        told = resume_json("save", "train", "--no-wait")

    assert result.output == f"train: asked process {os.getpid()} on {_host()}\n"
    assert told["generation"] is None
    assert request_path.read_bytes() == b""


def test_two_that_ask_are_both_answered():
    fill(FOLDER, "train", DRAFT)
    found: list[object] = []

    def ask() -> None:
        found.append(resume_json("save", "train")["generation"])

    with Program("train").running(saves):
        ask()
        ask()

    assert found == [2, 3]


def test_a_request_that_failed_before_is_made_anew(request_path):
    fill(FOLDER, "train", DRAFT)

    answers = [saves, fails]

    def fails_then_saves(program: Program, source: RequestFile) -> bool:
        asked = source.look(0.0)
        if asked is not None:
            source.look = lambda _: asked
            answers.pop()(program, source)
            del source.look
        return True

    with Program("train").running(fails_then_saves):
        assert resume("save", "train").exit_code == StoreError.exit_code
        result = resume("save", "train")

    assert "saved as generation 2 " in result.output
    assert not request_path.exists()


# --- nothing comes of it -----------------------------------------------------------------------


def test_no_such_checkpoint_names_near_ones():
    fill(FOLDER, "train", DRAFT)

    result = resume("save", "trian")

    assert result.exit_code == 2
    assert "Did you mean 'train'?" in result.output
    assert not (FOLDER / "trian").exists()


def test_one_that_nobody_runs_gets_no_request(request_path):
    fill(FOLDER, "train", DRAFT, DRAFT)

    result = resume("save", "train")

    assert result.exit_code == 2
    assert "no program has the checkpoint 'train' in use" in result.output
    assert "Its newest generation is 2. Nothing was left behind" in result.output
    assert not request_path.exists()


def test_a_save_that_failed_tells_why(request_path):
    fill(FOLDER, "train", DRAFT)

    with Program("train").running(fails):
        result = resume("save", "train")

    assert result.exit_code == StoreError.exit_code
    assert "train was not saved: the disk is full." in result.output
    assert "as it was" in result.output
    assert request_path.exists()


def test_time_that_is_over_says_how_to_take_the_request_back(request_path):
    fill(FOLDER, "train", DRAFT)

    with Program("train").running(lambda *_: True):
        result = resume("save", "train", "--timeout", "0.2")

    assert result.exit_code == 31
    assert "no safe point yet" in result.output
    assert str(request_path) in result.output.replace("\n", "")
    assert request_path.exists()


def test_a_program_that_ends_before_leaves_no_request(request_path):
    fill(FOLDER, "train", DRAFT)

    with Program("train").running(ends):
        result = resume("save", "train")

    assert result.exit_code == StoreError.exit_code
    assert "ended before its next safe point" in result.output
    assert not request_path.exists()


def test_a_program_that_saves_at_its_end_has_saved(request_path):
    fill(FOLDER, "train", DRAFT)

    with Program("train").running(ends_with_a_save):
        told = resume_json("save", "train")

    assert (told["generation"], told["trigger"]) == (2, "finish")
    assert not request_path.exists()


def test_a_program_that_ends_well_and_removes_all_was_not_saved():
    fill(FOLDER, "train", DRAFT)

    with Program("train").running(ends_and_removes_all):
        result = resume("save", "train")

    assert "ended before its next safe point" in result.output
    assert not (FOLDER / "train").exists()


def test_a_folder_in_the_way_is_said(request_path):
    fill(FOLDER, "train", DRAFT)
    request_path.mkdir()

    with Program("train").running(saves):
        result = resume("save", "train")

    assert result.exit_code == StoreError.exit_code
    assert "cannot be made: Is a directory. Nothing was asked for" in result.output


def test_a_request_is_not_made_through_a_link(request_path, tmp_path):
    fill(FOLDER, "train", DRAFT)
    (tmp_path / "thesis.tex").write_text("all of it")
    request_path.symlink_to(tmp_path / "thesis.tex")

    with Program("train").running(lambda *_: True):
        result = resume("save", "train")

    assert result.exit_code == StoreError.exit_code
    assert (tmp_path / "thesis.tex").read_text() == "all of it"


@pytest.mark.parametrize("timeout", ["soon", "-3"])
def test_a_time_that_is_none_is_refused(timeout):
    result = resume("save", "train", "--timeout", timeout)

    assert result.exit_code == 2
    assert "--timeout" in result.output


def _host() -> str:
    import socket

    return socket.gethostname()


# --- what else looks into the folder -----------------------------------------------------------


def without_ages(*command: str) -> str:
    """What a command prints, whenever it is run."""
    return re.sub(r" *\d+ \w+ ago *", " (age) ", resume(*command).output)


@pytest.mark.parametrize("kind", ["a request", "a failed one", "a folder"])
def test_no_command_takes_the_file_for_one_of_the_store(kind, request_path):
    """`ls`, `verify`, `gc` and `log` say the same with it and without, and leave it."""
    store = fill(FOLDER, "train", DRAFT, DRAFT)
    commands = [("ls",), ("verify",), ("log", "train"), ("gc",), ("gc", "-n"), ("show", "train")]
    without = [without_ages(*command) for command in commands]
    if kind == "a folder":
        request_path.mkdir()
    else:
        request_path.write_text("" if kind == "a request" else "resume could not save: no\n")

    assert [without_ages(*command) for command in commands] == without

    assert request_path.exists()
    assert [entry.number for entry in store.entries()] == [2, 1]
    assert resume("rm", "-y", "train").exit_code == 0
    assert not store.place.exists()


def test_a_line_that_begins_anew_sets_no_request_aside(request_path):
    fill(FOLDER, "train", DRAFT)
    request_path.touch()

    store = fill(FOLDER, "train", DRAFT, new_line=True)

    assert [entry.live for entry in store.entries()] == [True, False]
    assert request_path.exists()


def test_a_folder_with_nothing_but_a_request_is_no_checkpoint():
    (FOLDER / "train").mkdir(parents=True)
    (FOLDER / "train" / "CHKPT").touch()

    assert resume_json("ls") == []
    assert resume("save", "train").exit_code == 2


def test_a_request_that_comes_while_all_is_removed_does_not_stop_it(request_path, monkeypatch):
    """A program that ends well removes its checkpoint, and somebody asks it that very moment."""
    store = fill(FOLDER, "train", DRAFT)
    plain = Path.rmdir

    def rmdir(path: Path) -> None:
        if path == store.place:
            monkeypatch.setattr(Path, "rmdir", plain)
            request_path.touch()
        plain(path)

    monkeypatch.setattr(Path, "rmdir", rmdir)

    store.remove()

    assert not store.place.exists()


def test_what_another_program_puts_there_meanwhile_stays(request_path, monkeypatch):
    """It has begun anew in the folder: none of that is ours to remove."""
    store = fill(FOLDER, "train", DRAFT)
    plain = Path.rmdir

    def rmdir(path: Path) -> None:
        if path == store.place:
            (path / "lock").touch()
            request_path.touch()
        plain(path)

    monkeypatch.setattr(Path, "rmdir", rmdir)

    with pytest.raises(StoreError, match="not empty"):
        store.remove()

    assert request_path.exists()
