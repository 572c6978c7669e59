"""What is taken in from another log comes whole or not at all, and nobody loses the log by it."""

from __future__ import annotations

import errno
import json
import os
import shutil
import subprocess
import sys
import threading
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from mortal_disk import Died, MortalDisk

from resume.errors import StoreError
from resume.store import files
from resume.store.files import Disk
from resume.sweep import ResumableSweep, taking
from resume.sweep.log import Log, new_head

THERE, HERE = Path("there.sweep.jsonl"), Path("here.sweep.jsonl")
RESULTS = {"a": np.arange(1e4), "b": "x" * 50_000, "c": {1: 2}, "e": np.ones(9000)}


def there(**options):
    return ResumableSweep("abcdef", checkpoint_path="there", **options)


def here(**options):
    return ResumableSweep("abcdef", checkpoint_path="here", **{"resume_from": THERE, **options})


def keys_of(path):
    return [json.loads(line)["key"] for line in path.read_text().splitlines()[1:]]


@pytest.mark.parametrize("has_log", [False, True])
def test_dying_at_any_step_leaves_none_or_all(monkeypatch, has_log):
    """And the next launch has all."""
    for item in "abc":
        there().record(item, RESULTS[item])
    if has_log:
        here(resume_from=None).record("e", RESULTS["e"])
    before = {path: path.read_bytes() for path in Path().glob("here*")}
    wanted = {"e"} if has_log else set()
    seen = Counter()
    for steps in range(100):
        for path in [*Path().glob("here*"), *Path().glob(".here*")]:
            path.unlink()
        for path, data in before.items():
            path.write_bytes(data)
        disk = MortalDisk(steps)
        with monkeypatch.context() as patched:
            patched.setattr(Log, "disk", disk)
            try:
                here()
            except Died:
                pass
            else:
                break
        left = here(resume_from=None)
        found = {item for item, _ in left.pairs()}
        assert found in (wanted, wanted | set("abc"))
        seen[len(found)] += 1
        left.close()
        found_now = here()
        assert {item for item, _ in found_now.pairs()} == wanted | set("abc")
        assert Counter(keys_of(HERE)) == Counter(wanted | set("abc"))

    assert steps > 5
    assert len(seen) == 2


def test_what_a_killed_launch_left_beside_the_log_goes(monkeypatch):
    there().record("a", 1)
    with subprocess.Popen([sys.executable, "-c", ""]) as child:
        mark = f"{child.pid}-{files.host_mark()}"
    left = Path(f".here.sweep.jsonl.{mark}-abcdef.tmp")
    left.write_bytes(b"half")
    ours = Path(f".here.sweep.jsonl.{os.getpid()}-{files.host_mark()}-abcdef.tmp")
    ours.write_bytes(b"another thread's")

    here()

    assert not left.exists()
    assert ours.exists()


@pytest.mark.parametrize("item", ["a", "c"])
def test_a_full_disk_leaves_the_log_as_it_was(monkeypatch, item):
    """Be it for the large results, or for the log."""
    there().record(item, RESULTS[item])
    here(resume_from=None).record("e", RESULTS["e"])
    before = {path: path.read_bytes() for path in Path().glob("*here*")}

    class Full(Disk):
        def write(self, descriptor, data):
            os.write(descriptor, data[:10])
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Log, "disk", Full())
    with pytest.raises(StoreError, match="cannot take .*there.* into .*here.*no space left"):
        here()

    assert before == {path: path.read_bytes() for path in Path().glob("*here*")}


# --- others that have the log open ----------------------------------------------------------------


def test_who_has_the_log_open_goes_on_in_the_longer_one():
    """A launch that runs meanwhile records on, and sees what was taken in."""
    there().record("a", 1)
    running = here(resume_from=None)
    running.record("b", 2)

    here()
    running.record("c", 3)

    assert running.completed == [1, 2, 3]
    assert here(resume_from=None).completed == [1, 2, 3]
    assert keys_of(HERE) == ["b", "a", "c"]


def test_what_another_launch_takes_in_meanwhile_is_not_taken_twice(monkeypatch):
    there().record("a", 1)
    here(resume_from=None).record("b", 2)
    real = files.ensure_place

    def slow(*args, **options):  # between the look and the lock
        monkeypatch.setattr(files, "ensure_place", real)
        here()
        return real(*args, **options)

    monkeypatch.setattr(files, "ensure_place", slow)
    here()

    assert keys_of(HERE) == ["b", "a"]


def test_who_only_looks_goes_on_in_the_longer_one_too():
    there().record("a", 1)
    running = here(resume_from=None)
    running.record("b", 2)

    here()
    running.refresh()

    assert running.completed == [1, 2]


def test_who_waits_for_the_lock_gets_that_of_the_longer_log():
    """It asked while the log was being replaced."""
    there().record("a", 1)
    running = here(resume_from=None)
    running.record("b", 2)
    holder = Log(HERE.absolute(), new_head("", 0), lambda _: None)
    waiting = threading.Thread(target=running.record, args=("c", 3))
    with holder.held():
        waiting.start()
        news, theirs = taking.news_in(THERE, HERE)
        taking._join(holder, theirs, news)
    waiting.join(60)

    assert not waiting.is_alive()
    assert keys_of(HERE) == ["b", "a", "c"]
    assert here(resume_from=None).completed == [1, 2, 3]


def test_a_shared_part_is_found_across_pieces(monkeypatch):
    """Lines that lie across the edge of a piece, and pieces without a line's end."""
    for item in "abc":
        there().record(item, item * 40)
    shutil.copy(THERE, HERE)
    for item in "ef":
        there().record(item, 5)
    here(resume_from=None).record("d", 4)
    for piece in (7, 64, 100, 1 << 20):
        monkeypatch.setattr("resume.sweep.taking._PIECE", piece)
        news, _ = taking.news_in(THERE, HERE)

        assert [key for key, _, _ in news.rows] == ["e", "f"]
        assert HERE.read_bytes()[: news.shared].endswith(b'"}\n')
        assert keys_of(HERE)[:3] == ["a", "b", "c"]
        assert THERE.read_bytes().startswith(HERE.read_bytes()[: news.shared])
