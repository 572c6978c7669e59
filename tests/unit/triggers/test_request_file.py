"""The file CHKPT: when it asks for a save, what becomes of it, and what is no request at all."""

from __future__ import annotations

import gc
import logging
import os
import stat
import threading
from pathlib import Path

import pytest

from resume.errors import StoreError
from resume.triggers import request_file
from resume.triggers.request_file import FAILED, RequestFile


@pytest.fixture(autouse=True)
def lines(caplog, monkeypatch):
    """What people are told."""
    monkeypatch.setattr(logging.getLogger("resume"), "propagate", True)
    caplog.set_level(logging.INFO, "resume")
    return caplog


@pytest.fixture
def place(tmp_path):
    folder = tmp_path / ".checkpoints" / "fit"
    folder.mkdir(parents=True)
    return folder


@pytest.fixture
def source(place, tmp_path):
    made = RequestFile("fit", lambda: str(place), str(tmp_path))
    yield made
    made.close()


def touch(path: Path) -> None:
    """As `touch` does, and no clock is too coarse for it."""
    path.touch()
    found = path.stat()
    os.utime(path, ns=(found.st_atime_ns, found.st_mtime_ns + 1))


@pytest.fixture(params=["own folder", "working folder"])
def path(request, place, tmp_path):
    """Where it may lie."""
    return (place if request.param == "own folder" else tmp_path) / "CHKPT"


def test_without_a_file_nothing_is_asked(source):
    assert source.look(10.0) is None
    assert source.next_look_at(10.0) == 11.0


def test_a_folder_that_is_not_there_yet_asks_nothing(tmp_path):
    source = RequestFile("fit", lambda: str(tmp_path / "nowhere"), str(tmp_path / "gone"))

    assert source.look(0.0) is None
    source.close()


def test_before_the_own_folder_is_known_only_the_working_folder_is_looked_into(tmp_path):
    """A script that has not been saved yet has none."""
    source = RequestFile("fit", lambda: None, str(tmp_path))
    assert source.look(0.0) is None
    (tmp_path / "CHKPT").touch()

    source.look(1.0).answer(1, None)

    assert not (tmp_path / "CHKPT").exists()
    source.close()


def test_the_file_asks_for_a_save(source, path):
    """Also one that was there before the program: nobody else would ever take it away."""
    path.touch()

    asked = source.look(0.0)

    assert (asked.trigger, asked.why, asked.leaves) == ("request", str(path), None)


def test_it_is_deleted_when_the_generation_is_durable(source, path, lines):
    path.touch()
    asked = source.look(0.0)
    assert path.exists()

    asked.answer(7, None)

    assert not path.exists()
    assert lines.messages == [f"fit: generation 7 is saved, as {path} asked"]
    assert source.look(1.0) is None


def test_while_it_is_being_saved_it_asks_no_second_time(source, path):
    path.touch()
    source.look(0.0)

    assert source.look(1.0) is None


def test_touched_while_it_is_being_saved_it_asks_once_more(source, path):
    """The second request is for a state that the first save may not hold."""
    path.touch()
    asked = source.look(0.0)
    touch(path)
    asked.answer(1, None)
    assert path.exists()

    again = source.look(1.0)
    again.answer(2, None)

    assert not path.exists()


def test_one_that_was_taken_away_meanwhile_is_no_fault(source, path, lines):
    path.touch()
    asked = source.look(0.0)
    path.unlink()

    asked.answer(1, None)

    assert len(lines.messages) == 1


def test_files_in_both_folders_are_both_answered(source, place, tmp_path):
    paths = [place / "CHKPT", tmp_path / "CHKPT"]
    for one in paths:
        one.touch()

    for number in (1, 2):
        source.look(float(number)).answer(number, None)

    assert not any(one.exists() for one in paths)
    assert source.look(3.0) is None


def test_when_the_run_has_ended_nobody_looks(source, path):
    path.touch()
    source.close()
    source.close()

    assert source.look(0.0) is None


def test_the_checkpoint_s_folder_may_change(tmp_path):
    """A call with a line of its own gets it when it restores."""
    places = [tmp_path / "fit", tmp_path / "fit@1234"]
    for one in places:
        one.mkdir()
    source = RequestFile("fit", lambda: str(places[-1]), str(tmp_path / "elsewhere"))
    (places[-1] / "CHKPT").touch()

    assert source.look(0.0) is not None
    source.close()


# --- saves that fail ---------------------------------------------------------------------------


def test_a_failed_save_leaves_it_and_says_so_once(source, path, lines, monkeypatch):
    path.touch()
    for now in (100.0, 200.0, 300.0):
        monkeypatch.setattr(request_file, "monotonic", lambda now=now: now)

        source.look(now).answer(None, StoreError("the disk is full"))

    assert path.exists()
    assert lines.messages == [
        f"⚠ fit: {path} stays: its save failed. It is tried again in a minute, or when touched"
    ]


def test_a_failed_save_is_not_tried_again_at_once(source, path, monkeypatch):
    monkeypatch.setattr(request_file, "monotonic", lambda: 100.0)
    path.touch()
    source.look(100.0).answer(None, StoreError("the disk is full"))

    assert [source.look(now) is None for now in (101.0, 130.0, 159.0)] == [True] * 3
    assert source.look(161.0) is not None


def test_a_failed_save_is_tried_again_when_touched(source, path, monkeypatch):
    monkeypatch.setattr(request_file, "monotonic", lambda: 100.0)
    path.touch()
    source.look(100.0).answer(None, StoreError("the disk is full"))
    touch(path)

    assert source.look(101.0) is not None


def test_the_file_in_the_own_folder_says_why(source, place):
    """Who waits beside it reads it there."""
    path = place / "CHKPT"
    path.write_text("please")

    source.look(0.0).answer(None, StoreError("the disk is full"))

    assert path.read_text() == f"{FAILED}the disk is full\n"


def test_the_file_in_the_working_folder_stays_empty(source, tmp_path):
    """Else it would be a request no more."""
    path = tmp_path / "CHKPT"
    path.touch()

    source.look(0.0).answer(None, StoreError("the disk is full"))

    assert path.read_text() == ""


def test_a_reason_is_not_written_over_a_new_request(source, place):
    path = place / "CHKPT"
    path.touch()
    asked = source.look(0.0)
    touch(path)

    asked.answer(None, StoreError("the disk is full"))

    assert path.read_text() == ""
    assert source.look(1.0) is not None


def test_a_reason_is_not_written_through_a_link(source, place, tmp_path):
    """A link is a request, and what it leads to is somebody's file."""
    (tmp_path / "thesis.tex").write_text("all of it")
    (place / "CHKPT").symlink_to(tmp_path / "thesis.tex")

    source.look(0.0).answer(None, StoreError("the disk is full"))

    assert (tmp_path / "thesis.tex").read_text() == "all of it"


def test_a_link_is_deleted_and_not_what_it_leads_to(source, place, tmp_path):
    (tmp_path / "thesis.tex").write_text("all of it")
    (place / "CHKPT").symlink_to(tmp_path / "thesis.tex")

    source.look(0.0).answer(1, None)

    assert not (place / "CHKPT").is_symlink()
    assert (tmp_path / "thesis.tex").exists()


def test_when_the_run_ends_first_it_stays_and_says_so(source, path, lines):
    """The next run finds it."""
    path.touch()
    asked = source.look(0.0)
    source.close()

    asked.answer(None, StoreError("the run ended before its next safe point"))

    assert path.read_bytes() == b""
    assert lines.messages == [f"⚠ fit: {path} stays: the run ended before its next safe point"]


# --- what is no request ------------------------------------------------------------------------


def test_a_folder_of_that_name_is_said_once_and_left(source, path, lines):
    path.mkdir()

    assert [source.look(float(now)) for now in range(200)] == [None] * 200

    assert lines.messages == [f"⚠ fit: {path} is not taken for a request: it is a folder"]


def test_a_file_of_another_program_is_left(source, tmp_path, lines):
    """Programs write a CHKPT of their own, and none of it may be lost."""
    (tmp_path / "CHKPT").write_bytes(b"wave functions")

    assert [source.look(float(now)) for now in range(3)] == [None] * 3

    assert (tmp_path / "CHKPT").read_bytes() == b"wave functions"
    assert len(lines.messages) == 1
    assert "no empty file" in lines.messages[0]


def test_in_the_own_folder_a_file_may_hold_anything(source, place):
    (place / "CHKPT").write_text("now, please")

    source.look(0.0).answer(1, None)

    assert not (place / "CHKPT").exists()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs FIFOs")
def test_a_fifo_is_not_waited_for(source, place):
    os.mkfifo(place / "CHKPT")

    source.look(0.0).answer(None, StoreError("the disk is full"))

    assert stat.S_ISFIFO((place / "CHKPT").stat().st_mode)


def test_one_that_cannot_be_deleted_makes_no_loop_of_saves(source, place, lines, monkeypatch):
    def refuse(path: str) -> None:
        raise PermissionError(1, "Operation not permitted", path)

    path = place / "CHKPT"
    path.touch()
    monkeypatch.setattr("os.unlink", refuse)

    source.look(0.0).answer(1, None)

    assert [source.look(now) for now in (1.0, 100.0, 1e6)] == [None] * 3
    assert sum("cannot be deleted (Operation not permitted)" in one for one in lines.messages) == 1
    touch(path)
    assert source.look(2e6) is not None


# --- whose it is, in the working folder --------------------------------------------------------


def test_with_two_live_here_nobody_takes_it(source, place, tmp_path, lines):
    other = RequestFile("draw", lambda: str(place.with_name("draw")), str(tmp_path))
    (tmp_path / "CHKPT").touch()

    assert [source.look(0.0), other.look(0.0)] == [None, None]

    assert "draw, fit are live here" in lines.messages[0]
    assert str(place / "CHKPT") in lines.messages[0]
    other.close()


def test_when_the_other_has_ended_it_is_taken_a_minute_later(source, tmp_path):
    other = RequestFile("draw", lambda: str(tmp_path / "draw"), str(tmp_path))
    (tmp_path / "CHKPT").touch()
    source.look(0.0)
    other.close()

    assert source.look(1.0) is None
    assert source.look(61.0) is not None


def test_those_of_other_folders_do_not_count(source, tmp_path):
    other = RequestFile("draw", lambda: str(tmp_path / "x"), str(tmp_path / "elsewhere"))
    (tmp_path / "CHKPT").touch()

    assert source.look(0.0) is not None
    other.close()


def test_those_of_other_programs_count(place, tmp_path, lines):
    calls = []

    def others() -> list[str]:
        calls.append(1)
        return ["draw"]

    source = RequestFile("fit", lambda: str(place), str(tmp_path), others)
    source.look(0.0)
    assert calls == []  # nobody is looked for while there is no file
    (tmp_path / "CHKPT").touch()

    assert source.look(1.0) is None

    assert "draw, fit are live here" in lines.messages[0]
    source.close()


def test_one_whose_run_was_dropped_does_not_count(source, tmp_path):
    """An object's checkpoint ends when the program drops it, and nobody says so."""
    other = RequestFile("draw", lambda: str(tmp_path / "draw"), str(tmp_path))
    del other
    gc.collect()
    (tmp_path / "CHKPT").touch()

    assert source.look(0.0) is not None


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_child_looks_no_more(source):
    child = os.fork()
    if child == 0:
        os._exit(len(request_file._live))

    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert [get() for get in request_file._live] == [source]


# --- where it is told --------------------------------------------------------------------------


def test_in_a_bare_thread_it_is_told_all_the_same(source, place, lines):
    """Of a thread that `threading` does not know, logging would make one that it knows."""
    import _thread

    (place / "CHKPT").mkdir()
    before = threading.enumerate()
    gone = _thread.allocate_lock()
    gone.acquire()

    def look() -> None:
        source.look(0.0)
        gone.release()

    _thread.start_new_thread(look, ())

    assert gone.acquire(timeout=60)
    for thread in threading.enumerate():
        if thread.name == "resume-says":
            thread.join(60)
    assert len(lines.messages) == 1
    assert threading.enumerate() == before
