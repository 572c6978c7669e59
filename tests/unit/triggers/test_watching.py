"""The thread that watches a cloud: what it hears is asked for, and it leaves nothing behind."""

from __future__ import annotations

import gc
import logging
import os
import socket
import threading
import time
import warnings
import weakref

import pytest
from metadata_server import MetadataServer

from resume.errors import Preempted
from resume.triggers import watching
from resume.triggers.metadata import Service
from resume.triggers.watching import CloudWatch

PATIENCE_S = 90


@pytest.fixture
def server(monkeypatch):
    with MetadataServer("aws").running() as running:
        monkeypatch.setenv("RESUME_METADATA", running.url)
        yield running


@pytest.fixture
def asked():
    return []


@pytest.fixture
def watch(server, asked):
    watching = CloudWatch("aws", asked.append)
    yield watching
    watching.close()


def wait_for(condition) -> None:
    until = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < until, "it never came true"
        time.sleep(0.002)


def threads() -> set[str]:
    return set(os.listdir("/proc/self/task"))


def sockets() -> int:
    found = 0
    for one in os.listdir("/proc/self/fd"):
        try:
            found += os.readlink(f"/proc/self/fd/{one}").startswith("socket:")
        except OSError:
            continue
    return found


needs_proc = pytest.mark.skipif(not os.path.isdir("/proc/self/task"), reason="needs /proc")


@pytest.fixture(autouse=True)
def lines(caplog, monkeypatch):
    """What people are told."""
    monkeypatch.setattr(logging.getLogger("resume"), "propagate", True)
    caplog.set_level(logging.INFO, "resume")
    return caplog


def test_what_is_announced_is_asked_for_and_said(server, watch, asked, lines):
    watch.look(0.0)
    server.announce()

    wait_for(lambda: asked and lines.messages)

    assert lines.messages == [
        "⚠ aws: terminate at 2017-09-18T08:22:00Z: will save and leave at the next safe point"
    ]

    assert asked[0].trigger == "preempt"
    assert asked[0].why == "aws: terminate at 2017-09-18T08:22:00Z"
    assert asked[0].extra["preempt"]["action"] == "terminate"
    assert isinstance(asked[0].leaves.error(), Preempted)


def test_a_notice_that_ends_the_machine_is_the_last(server, watch, asked):
    server.announce()
    watch.look(0.0)
    wait_for(lambda: asked)
    wait_for(lambda: not watch._runs)

    watch.look(10.0)

    assert not watch._runs
    assert len(asked) == 1
    assert watch.next_look_at(10.0) == float("inf")


def test_a_notice_that_does_not_end_it_leaves_nobody(server, watch, asked, lines):
    server.pages["/latest/meta-data/events/recommendations/rebalance"] = (200, "{}")

    assert watch.step()

    assert asked[0].leaves is None
    assert lines.messages[0].endswith("risen: will save at the next safe point")


def test_nothing_is_asked_before_the_first_look(server, watch):
    """A checkpoint that is made and never used starts no thread."""
    assert server.asked == []
    assert watch.look(0.0) is None

    wait_for(lambda: server.asked)


@needs_proc
def test_the_end_leaves_no_thread_and_no_socket(server, asked):
    before = threads()
    watch = CloudWatch("aws", asked.append)
    watch.look(0.0)
    wait_for(lambda: len(server.asked) >= 2)

    watch.close()

    wait_for(lambda: threads() <= before)  # a server's thread may have ended meanwhile
    assert watch.next_look_at(0.0) == float("inf")
    watch.look(1.0)
    assert threads() <= before


@needs_proc
def test_the_end_does_not_wait_for_an_answer(asked):
    """A service that takes the question and says nothing is left at once."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        watch = CloudWatch("gcp", asked.append, service=Service(*silent.getsockname()))
        before = sockets()
        watch.look(0.0)
        with silent.accept()[0] as taken:
            taken.recv(1000)
            wait_for(lambda: watch._watcher._connection is not None)

            watch.close()

            assert not watch._runs
        wait_for(lambda: sockets() <= before)


def test_the_program_does_not_see_the_thread(server, watch):
    before = threading.enumerate()
    watch.look(0.0)
    wait_for(lambda: server.asked)

    assert {one for one in threading.enumerate() if "Thread-" not in one.name} <= set(before)


def test_no_cloud_is_said_once_and_not_asked_again(asked, caplog):
    watch = CloudWatch("azure", asked.append, service=Service("127.0.0.1", 1))

    watch.look(0.0)
    wait_for(lambda: not watch._runs and caplog.messages)
    watch.look(5.0)

    assert not watch._runs
    assert len(caplog.messages) == 1
    assert 'watch="azure"' in caplog.messages[0]
    assert "refused" in caplog.messages[0]
    assert watch.next_look_at(5.0) == float("inf")
    watch.close()


def test_where_nobody_answers_one_question_is_enough(asked, caplog):
    watch = CloudWatch("gcp", asked.append, service=Service("127.0.0.1", 1))

    assert not watch.step()

    assert 'watch="gcp": the metadata service does not answer' in caplog.messages[0]
    assert watch.next_look_at(0.0) == float("inf")
    watch.close()


def test_a_question_that_is_cut_before_it_is_asked_is_not_asked(server, watch):
    watch._watcher.cut()

    assert not watch.step()

    assert server.asked == []


def test_an_end_in_the_thread_itself_does_not_wait_for_it(server, monkeypatch):
    """The collector may call it there."""
    monkeypatch.setattr(watching, "_PARTING_S", 10_000.0)
    ended = []

    def end(asked: object) -> None:
        watch.close()
        ended.append(asked)

    watch = CloudWatch("aws", end)
    server.announce()
    watch.look(0.0)

    wait_for(lambda: ended and not watch._runs)


def test_an_end_amid_a_question_is_no_missing_cloud(asked, caplog):
    """What fails because it was cut says nothing."""
    watch = CloudWatch("azure", asked.append, service=Service("127.0.0.1", 1))
    watch.close()

    assert not watch.step()

    assert caplog.messages == []


def test_where_a_library_is_hidden_by_a_file_of_the_program_it_is_said(asked, caplog, monkeypatch):
    def refuse() -> None:
        raise ModuleNotFoundError("No module named 'http.client'; 'http' is not a package")

    monkeypatch.setattr(watching, "http_client", refuse)
    watch = CloudWatch("gcp", asked.append, service=Service("127.0.0.1", 1))

    assert not watch.step()

    assert "'http' is not a package" in caplog.messages[0]
    watch.close()


def test_where_no_thread_can_be_started_it_is_tried_again(server, watch, monkeypatch):
    def refuse(*_: object) -> int:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patched:
        patched.setattr("_thread.start_new_thread", refuse)
        watch.look(0.0)
    assert not watch._runs

    watch.look(1.0)

    wait_for(lambda: server.asked)


def test_a_watch_that_has_ended_keeps_nothing_alive(server):
    class Program:
        def ask(self, asked: object) -> None:
            """Never called."""

    program = Program()
    gone = weakref.ref(program)
    watch = CloudWatch("aws", program.ask)
    watch.look(0.0)
    wait_for(lambda: server.asked)
    watch.close()
    del watch, program

    wait_for(lambda: gc.collect() is not None and gone() is None)  # the thread, too, lets go


# --- forks -------------------------------------------------------------------------------------

forks = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")


@forks
@needs_proc
def test_a_fork_finds_no_thread_and_its_child_watches_nothing(server, watch):
    """`fork` warns of threads, and the child has a copy of every socket."""
    watch.look(0.0)
    wait_for(lambda: len(server.asked) >= 2)

    reading, writing = os.pipe()
    with warnings.catch_warnings(record=True):
        warnings.simplefilter("always")
        watch.pause_for_fork()
        assert not watch._runs
        child = os.fork()
    if child == 0:
        try:
            watch.look(1.0)
            left = {watch._runs, len(threads()) > 1, watch.next_look_at(0.0) < 1e9}
            os.write(writing, repr(left).encode())
            watch.close()
        finally:
            os._exit(0)
    os.close(writing)
    with open(reading) as told:
        assert told.read() == "{False}"
    os.waitpid(child, 0)
    asked_before = len(server.asked)

    watch.look(2.0)

    wait_for(lambda: len(server.asked) > asked_before)


@forks
def test_a_child_closes_its_sockets_and_waits_for_no_thread(asked, monkeypatch):
    monkeypatch.setattr(watching, "_PARTING_S", 10_000.0)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        watch = CloudWatch("gcp", asked.append, service=Service(*silent.getsockname()))
        watch.look(0.0)
        with silent.accept()[0] as taken:
            taken.recv(1000)
            opened = watch._watcher._connection.sock

            watch.end_in_child()

            assert opened.fileno() == -1
            watch.close()
