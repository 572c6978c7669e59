"""Claims: who works on an item, and what becomes of the claims of the dead."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
import time

import pytest

from resume.errors import StoreError
from resume.store import claim_files, files, lock
from resume.sweep import claims as claims_module
from resume.sweep.claims import Claims


@pytest.fixture
def claims(tmp_path):
    made = Claims(tmp_path / "claims")
    yield made
    made.close()


def dead_process():
    with subprocess.Popen([sys.executable, "-c", ""]) as child:
        return child.pid


def leave(claims, key, **record):
    """A claim that somebody left behind."""
    claims.folder.mkdir(exist_ok=True)
    told = {"host": socket.gethostname(), "pid": os.getpid(), "since": time.time(), **record}
    claims.path_of(key).write_text(json.dumps(told))


def test_what_one_has_no_other_gets(claims):
    """Until it is given back."""
    other = Claims(claims.folder)

    assert claims.take("a")
    assert not other.take("a")
    assert not claims.take("a")
    assert other.take("b")
    assert claims.holder("a") == (socket.gethostname(), os.getpid())
    claims.give_back("a")
    assert claims.holder("a") is None
    assert other.take("a")
    other.close()


def test_closing_gives_all_back_and_leaves_no_folder(claims):
    claims.take("a")
    claims.take("\ud800")

    claims.close()

    assert not claims.folder.exists()
    claims.close()
    assert claims.take("a")  # it may go on


def test_closing_clears_what_the_dead_have_left(claims):
    """Nobody asks for the claim of an item that is done. The living keep theirs."""
    claims.take("a")
    leave(claims, "b", pid=dead_process())
    scratch = claims.folder / f".x.{dead_process()}-{files.host_mark()}-abcdef.tmp"
    scratch.touch()
    other = Claims(claims.folder)
    other.take("c")

    claims.close()

    assert list(claims.folder.iterdir()) == [other.path_of("c")]
    other.close()
    assert not claims.folder.exists()


def test_what_is_kept_stays_claimed(claims):
    """Its worker may still run."""
    claims.take("a")
    claims.take("b")

    claims.close(keep=["a"])

    other = Claims(claims.folder)
    assert not other.take("a")
    assert other.take("b")
    other.close()


def test_the_claim_of_a_dead_process_is_taken_over_at_once(claims):
    leave(claims, "a", pid=dead_process())

    assert claims.take("a")
    assert claims.holder("a")[1] == os.getpid()


def test_a_claim_elsewhere_counts_while_it_is_touched(claims):
    """Whether the process there lives, nobody here can tell; its silence does."""
    leave(claims, "a", host="elsewhere", pid=dead_process())
    assert not claims.take("a")
    long_ago = time.time() - claim_files.STALE_S - 5
    os.utime(claims.path_of("a"), (long_ago, long_ago))

    assert claims.take("a")


@pytest.mark.parametrize(("written", "counts_for_s"), [(b"", 10), (b'{"pid"', 60)])
def test_a_claim_that_says_nothing_counts_for_a_while(claims, written, counts_for_s):
    """Its maker may be about to write it, or died there."""
    claims.folder.mkdir()
    claims.path_of("a").write_bytes(written)
    for age_s in (counts_for_s - 5, counts_for_s + 5):
        then = time.time() - age_s
        os.utime(claims.path_of("a"), (then, then))
        assert claims.take("a") is (age_s > counts_for_s)


def test_a_claim_that_another_took_over_is_left_to_it(claims):
    """Who slept too long does not take it away again."""
    claims.take("a")
    claims.path_of("a").unlink()
    other = Claims(claims.folder)
    assert other.take("a")

    claims.give_back("a")

    assert other.holder("a") is not None
    other.close()


def test_claims_are_touched_while_they_are_held(claims, monkeypatch):
    """Only those that are still ours."""
    monkeypatch.setattr(lock, "HEARTBEAT_S", 0.01)
    claims.take("a")
    claims.take("b")
    leave(claims, "b", token="another's")
    for key in "ab":
        os.utime(claims.path_of(key), (1, 1))

    until = time.monotonic() + 60
    while claims.path_of("a").stat().st_mtime == 1 and time.monotonic() < until:
        time.sleep(0.01)

    assert claims.path_of("a").stat().st_mtime > 1
    assert claims.path_of("b").stat().st_mtime == 1
    claims.path_of("b").unlink()


def test_of_many_that_take_over_at_once_one_gets_it(tmp_path):
    """Threads of one process race as processes do: by files only."""
    dead = dead_process()
    for round_ in range(10):
        every = [Claims(tmp_path / f"claims {round_}") for _ in range(4)]
        leave(every[0], "a", pid=dead)
        barrier = threading.Barrier(4)
        got = []

        def race(one, got=got, barrier=barrier):
            barrier.wait()
            if one.take("a"):
                got.append(one)

        threads = [threading.Thread(target=race, args=(one,)) for one in every]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)

        holders = [one for one in got if claim_files.is_claim_of(one.path_of("a"), one._held["a"])]
        assert len(holders) == 1
        for one in every:
            one.close()


def test_the_folder_may_vanish_between_two_claims(claims):
    """Another launch that ends removes it where it is empty."""
    claims.take("a")
    claims.give_back("a")
    claims.folder.rmdir()

    assert claims.take("b")


def test_a_claim_that_vanishes_while_it_is_looked_at_is_free(claims, monkeypatch):
    leave(claims, "a", pid=dead_process())

    def gone(path, fresh, disk):
        path.unlink()
        raise FileNotFoundError(2, "gone", str(path))

    monkeypatch.setattr(claim_files, "clear_stale", gone)

    assert claims.take("a")


def test_a_disk_that_refuses_is_told(claims, monkeypatch):
    leave(claims, "a", pid=dead_process())

    def refused(path, fresh, disk):
        raise PermissionError(13, "no", str(path))

    monkeypatch.setattr(claim_files, "clear_stale", refused)

    with pytest.raises(PermissionError):
        claims.take("a")


def test_where_no_thread_can_start_nothing_is_claimed(claims, monkeypatch):
    """A claim that nobody keeps alive would be taken over after a minute."""
    monkeypatch.setattr(claims_module, "started", lambda _: False)

    with pytest.raises(StoreError, match="no thread"):
        claims.take("a")
