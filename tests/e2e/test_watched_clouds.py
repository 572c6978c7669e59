"""Real programs on a machine that a cloud takes away: saved at the first word of it, and left."""

from __future__ import annotations

import time

import pytest
from asked_programs import WAYS, running
from metadata_server import MetadataServer

from resume.errors import Preempted
from resume.store import Store
from resume.triggers.metadata import CLOUDS

pytestmark = pytest.mark.untraced  # a tracer holds off saves on 3.11

POLLED = {
    "aws": "GET /latest/meta-data/spot/instance-action",
    "gcp": "GET /computeMetadata/v1/instance/preempted",
    "azure": "GET /metadata/scheduledevents?api-version=2020-07-01",
}


@pytest.fixture
def preempted(tmp_path, monkeypatch):
    """Call it with a cloud and a way in: runs the program, takes the machine away, waits."""

    def run(cloud: str, way: str) -> tuple[int, int, float]:
        with MetadataServer(cloud).running() as server:
            monkeypatch.setenv("RESUME_METADATA", server.url)
            options = f'rate="1h", watch="{cloud}"'
            with running(way, tmp_path, "--watch", cloud, options=options) as program:
                program.wait_for(lambda: server.asked.count(POLLED[cloud]) >= 1)
                before, began = server.asked.count(POLLED[cloud]), time.monotonic()
                server.announce()
                status = program.ended()
                took_s = time.monotonic() - began
        return status, server.asked.count(POLLED[cloud]) - before, took_s

    return run


@pytest.mark.shared
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("cloud", CLOUDS)
def test_at_the_first_word_of_it_the_program_is_saved_and_left(cloud, way, preempted, tmp_path):
    """It is asked once a second, and no second time."""
    status, questions, _ = preempted(cloud, way)

    assert status == Preempted().code
    assert questions <= 2  # one may have been on its way when the notice came
    newest = Store(tmp_path / ".checkpoints", "count").newest()
    assert newest.draft.trigger == "preempt"
    assert newest.draft.extra["preempt"]["cloud"] == cloud


@pytest.mark.slow
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("cloud", CLOUDS)
def test_it_takes_under_two_seconds(cloud, way, preempted, record_property):
    """From the announcement to the end of the process, on a machine that has time."""
    status, _, took_s = preempted(cloud, way)

    record_property("seconds", round(took_s, 2))
    print(f"{cloud}, {way}: {took_s:.2f} s")
    assert status == Preempted().code
    assert took_s < 2


@pytest.mark.slow
def test_files_of_the_program_may_bear_the_names_of_libraries(preempted, tmp_path):
    """Under `resume run` they are the program's alone."""
    for name in ("http", "email", "json", "urllib"):
        (tmp_path / f"{name}.py").write_text("mine = True\n")

    status, _, _ = preempted("azure", "resume run")

    assert status == Preempted().code


def test_on_no_cloud_it_is_said_once_and_the_program_goes_on(tmp_path, monkeypatch):
    monkeypatch.setenv("RESUME_METADATA", "http://127.0.0.1:1")

    with running("resume run", tmp_path, "--watch", "gcp") as program:
        program.wait_for(lambda: "nothing is watched" in program.said)

        assert program.process.poll() is None
        assert program.said.count("nothing is watched") == 1
