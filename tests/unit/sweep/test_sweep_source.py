"""`resume_from=`: which log is meant, and what happens where there is none or none can be told."""

from __future__ import annotations

import os
import shutil
import socket
from pathlib import Path

import numpy as np
import pytest
from file_server import serving

from resume.errors import ConfigError, IntegrityError, StoreError, TrustError
from resume.store import encode_name
from resume.sweep import ResumableSweep

LOG = "there/grid/sweep.jsonl"


@pytest.fixture(autouse=True)
def _no_proxies(monkeypatch):
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture
def there(tmp_path):
    """A folder of checkpoints with a sweep of four items, two of them done."""
    with ResumableSweep("abcd", name="grid", folder="there") as sweep:
        sweep.record("a", 1)
        sweep.record("c", {"score": 0.5})
    return tmp_path / "there"


def here(resume_from, **options):
    return ResumableSweep(
        "abcd", **{"name": "grid", "folder": "here", **options}, resume_from=resume_from
    )


def ways(there):
    return {
        "log": there / "grid" / "sweep.jsonl",
        "its folder": there / "grid",
        "folder of checkpoints": str(there),
        "relative": "there",
        "file URL": there.as_uri(),
        "file URL of the log": (there / "grid" / "sweep.jsonl").as_uri(),
        "file URL with its machine": there.as_uri().replace("file://", "FILE://localhost"),
    }


@pytest.mark.parametrize("way", ways(Path("/")))
def test_a_log_is_found_by_path_or_folder(there, way):
    before = {path: path.read_bytes() for path in there.rglob("*") if path.is_file()}

    sweep = here(ways(there)[way])

    assert sweep.completed == [1, {"score": 0.5}]
    assert sweep.pending == ["b", "d"]
    assert before == {path: path.read_bytes() for path in there.rglob("*") if path.is_file()}


def test_a_log_beside_a_file_is_found_in_its_folder(tmp_path):
    """A folder that somebody has copied the data and what lies beside it to."""
    (tmp_path / "old").mkdir()
    ResumableSweep("abcd", checkpoint_path="old/grid.h5").record("a", 1)

    sweep = ResumableSweep("abcd", checkpoint_path="new/grid.h5", resume_from="old")

    assert sweep.completed == [1]
    assert os.path.exists("new/grid.h5.sweep.jsonl")


@pytest.mark.parametrize("tail", ["/grid/sweep.jsonl", "", "/", "/grid", "?token=x"])
def test_a_log_is_fetched_from_its_address(there, tail):
    with serving(there) as server:
        sweep = here(server.url + tail)

    assert sweep.completed == [1, {"score": 0.5}]
    assert all("token=x" in path for path in server.asked) == (tail == "?token=x")


def test_a_name_with_odd_letters_is_fetched(tmp_path):
    name = "grid 50%/ü"
    ResumableSweep("ab", name=name, folder="there").record("a", 1)
    with serving(tmp_path / "there") as server:
        sweep = ResumableSweep("ab", name=name, folder="here", resume_from=server.url)

    assert sweep.completed == [1]
    assert Path("here", encode_name(name), "sweep.jsonl").exists()


def test_large_results_are_fetched_too(there):
    result = np.arange(1e4)
    ResumableSweep("abcd", name="grid", folder="there").record("b", result)
    with serving(there) as server:
        sweep = here(server.url, trust=True)

    assert np.array_equal(sweep.result("b"), result)


def test_large_results_that_are_missing_there_are_told(there):
    """And nothing is taken in."""
    ResumableSweep("abcd", name="grid", folder="there").record("b", "x" * 100_000)
    (there / "grid" / "sweep.jsonl.results").unlink()

    with serving(there) as server:
        for place in (there, server.url):
            with pytest.raises(IntegrityError, match="sweep.jsonl.results is missing"):
                here(place)

    assert not os.path.exists("here")


def test_what_is_pickled_at_an_address_is_not_trusted(there):
    """Anybody may have written it. Nothing is taken in, and `trust=True` says who wrote it."""
    ResumableSweep("abcd", name="grid", folder="there").record("b", {1: 2})

    with serving(there) as server:
        with pytest.raises(TrustError, match="(?s)'b' in it is a pickle.*trust=True"):
            here(server.url)
        assert not os.path.exists("here")
        assert here(server.url, trust=True).result("b") == {1: 2}


@pytest.mark.parametrize(
    "place", ["nowhere", "there/grid/none.jsonl", "there/grid/sweep.jsonl/x", "empty"]
)
def test_what_is_not_there_is_a_fresh_start(there, caplog, place):
    Path("empty").mkdir()

    with caplog.at_level("INFO", "resume"):
        sweep = here(place)

    assert sweep.pending == list("abcd")
    assert [r.getMessage() for r in caplog.records] == [
        f"the sweep grid: there is nothing at {place} to go on from; it goes by the log here"
    ]
    assert not os.path.exists("here")


@pytest.mark.parametrize("status", [404, 410])
def test_what_an_address_has_not_is_a_fresh_start(there, caplog, status):
    with serving(there) as server, caplog.at_level("INFO", "resume"):
        server.status = status
        sweep = here(server.url)

    assert sweep.pending == list("abcd")
    assert "there is nothing at http://127.0.0.1" in caplog.text


@pytest.mark.parametrize("status", [401, 403, 500, 503])
def test_a_server_that_refuses_is_no_fresh_start(there, status):
    """What it holds would be computed again."""
    with serving(there) as server:
        server.status = status
        with pytest.raises(StoreError, match=f"says {status}.*nothing was begun.*Start again when"):
            here(server.url)

    assert not os.path.exists("here")


def test_a_server_that_does_not_answer_is_no_fresh_start():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(StoreError, match="connection refused.*nothing was begun"):
            here(url)


def test_a_server_that_falls_silent_is_no_fresh_start(monkeypatch):
    monkeypatch.setattr("resume.sweep.source.TIMEOUT_S", 0.2)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        with pytest.raises(StoreError, match="timed out.*nothing was begun"):
            here(f"http://127.0.0.1:{silent.getsockname()[1]}")


def test_a_server_that_speaks_no_http_is_told():
    import threading

    with socket.socket() as odd:
        odd.bind(("127.0.0.1", 0))
        odd.listen()

        def answer():
            connection, _ = odd.accept()
            with connection:
                connection.recv(1000)
                connection.sendall(b"220 mail.example.org\r\n\r\n")

        thread = threading.Thread(target=answer)
        thread.start()
        with pytest.raises(StoreError, match="cannot read http://127.0.0.1"):
            here(f"http://127.0.0.1:{odd.getsockname()[1]}")
        thread.join()


def test_an_answer_that_ends_early_is_no_shorter_log(there):
    with serving(there) as server:
        server.lost = 40
        with pytest.raises(StoreError, match=r"the answer ended at byte \d+ of \d+"):
            here(server.url)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_source_that_may_not_be_read_is_no_fresh_start(there):
    (there / "grid").chmod(0)
    try:
        with pytest.raises(StoreError, match="permission denied.*nothing was begun"):
            here(there)
    finally:
        (there / "grid").chmod(0o700)


def test_a_source_that_cannot_be_looked_at_is_no_fresh_start():
    """A name that the system refuses stands for a disk that is gone."""
    with pytest.raises(StoreError, match="file name too long.*nothing was begun"):
        here("x" * 300)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("s3://bucket/grid", "nothing here reads s3://.*http://, https://"),
        ("ftp://host/grid", "nothing here reads ftp://"),
        ("file://host/grid", "names the machine 'host'.*file:///grid"),
        ("", "names nothing"),
        (7, "give a path, or an address as text"),
        (b"there", "give a path, or an address as text"),
        (os.fsencode, "give a path"),
    ],
)
def test_what_can_name_no_source_is_told(given, told):
    with pytest.raises(ConfigError, match=told):
        here(given)

    assert not os.path.exists("here")


def test_the_log_itself_as_its_source_changes_nothing(there):
    shutil.copytree(there, "here")

    sweep = here("here")

    assert sweep.completed == [1, {"score": 0.5}]
