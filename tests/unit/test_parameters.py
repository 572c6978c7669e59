"""The parameters of a checkpoint, what they keep, and what the manifest shows."""

from __future__ import annotations

import gc
import os
import threading
import time
import weakref
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

from resume import Checkpoint, ConfigError, registry
from resume.store import Store

SEEN: list = []
"""What a function under test saw on its way: its own variables are those of the save in the end."""


@pytest.fixture(autouse=True)
def nothing_left():
    """No error waits for the next checkpoint of the process."""
    SEEN.clear()
    yield
    registry.raise_unreported()


def place():
    return Path.cwd() / ".checkpoints"


def entries(name):
    return Store(place(), name).entries()


def newest(name):
    """The newest manifest of a checkpoint in the working folder."""
    return entries(name)[0].manifest


def test_at_start_saves_at_the_restore():
    def fit():
        i = 7
        chp = Checkpoint("fit", at_start=True)
        chp.restore()

    fit()

    assert [entry.manifest.draft.trigger for entry in entries("fit")] == ["start"]


def test_iterations_saves_at_every_nth_safe_point():
    def fit():
        saved = []
        i = 0
        chp = Checkpoint("fit", rate="1h", iterations=3)
        chp.restore()
        while i < 7:
            i += 1
            saved.append(bool(chp.sync()))
        return saved

    assert fit() == [False, False, True, False, False, True, False]


def test_rate_throttles():
    """Nothing is saved until `rate` has passed, by any way of writing it."""
    for rate in (3600, "1h", timedelta(hours=1), "auto"):

        def fit(rate):
            i = 0
            chp = Checkpoint("fit-{rate}" if not isinstance(rate, timedelta) else "fit", rate=rate)
            chp.restore()
            while i < 3:
                i += 1
                answer = chp.sync()
                assert not answer
                assert answer.why == "not due"

        fit(rate)

    assert not os.path.exists(".checkpoints") or not [
        name for name in os.listdir(".checkpoints") if entries(name)
    ]


def test_auto_saves_as_often_as_its_share_allows():
    """The first save by hand tells what one takes; those by time follow soon."""

    def fit():
        saved = i = 0
        chp = Checkpoint("fit", rate="auto", max_overhead=1.0)
        chp.restore()
        chp.save()
        end = time.monotonic() + 2
        while time.monotonic() < end:
            i += 1
            saved += bool(chp.sync())
            time.sleep(0.001)
        return saved

    assert 1 <= fit() <= 20


def test_auto_waits_behind_a_way_back_as_in_a_fresh_run():
    """Nothing was saved in this run, so nothing is known of what a save takes."""
    cut_short = [True]

    def fit():
        chp = Checkpoint("fit", rate="auto", exclude=["cut_short"])
        chp.restore()
        for item in chp.loop(range(8)):
            if not cut_short:
                time.sleep(0.1)
            elif item == 2:
                chp.save()
            elif item == 3:
                raise KeyboardInterrupt
        return item

    with pytest.raises(KeyboardInterrupt):
        fit()
    cut_short.clear()

    assert fit() == 7
    assert [entry.number for entry in entries("fit")] == [1]


def test_rate_in_time():
    def fit():
        saved = i = 0
        chp = Checkpoint("fit", rate=0.05)
        chp.restore()
        end = time.monotonic() + 0.5
        while time.monotonic() < end:
            i += 1
            saved += bool(chp.sync())
            time.sleep(0.001)
        return saved

    assert 2 <= fit() <= 10


def test_the_environments_rate(monkeypatch):
    monkeypatch.setenv("RESUME_RATE", "0")

    def fit():
        i = 0
        chp = Checkpoint("fit")
        chp.restore()
        while i < 2:
            i += 1
            assert chp.sync()

    fit()


def count(n, name="count", **options):
    i = 0
    loss = 0.0
    chp = Checkpoint(name, rate=0, exclude=["options"], **options)
    chp.restore()
    while i < n:
        i += 1
        loss = abs(i - 4)
        chp.sync()


def test_keep():
    """So many generations stay; the newest always."""
    count(8, keep=2)

    assert [entry.number for entry in entries("count")] == [8, 7]


def test_keep_every():
    count(9, keep=1, keep_every=4)

    assert [entry.number for entry in entries("count")] == [9, 8, 4]


@pytest.mark.parametrize(("best", "number"), [("loss", 4), ("-loss", 1)])
def test_keep_best(best, number):
    """The generation with the least value of the variable, or with the greatest."""
    count(6, keep=1, keep_best=best)

    assert [entry.number for entry in entries("count")] == [6, number]


def test_keep_best_of_no_number():
    def fit():
        loss = "low"
        chp = Checkpoint("fit", keep_best="loss")
        chp.restore()
        chp.save()

    with pytest.raises(ConfigError, match="keep_best='loss': the variable holds str, no number"):
        fit()


def block(expire):
    with Checkpoint("block", expire=expire, args="caller") as chp:
        SEEN.append(chp.complete)
    return SEEN.pop()


def test_a_complete_state_expires_and_is_set_aside(caplog):
    """Expired is not deleted: it is on disk, and not on the live line."""
    assert block("1h") is False
    assert block("1h") is True
    time.sleep(0.02)

    assert block(0.01) is False
    found = entries("block")
    assert [entry.live for entry in found] == [True, False]


def test_complete_states_do_not_expire_with_none(monkeypatch):
    block(None)
    real = time.time
    monkeypatch.setattr(time, "time", lambda: real() + 400 * 86400)

    assert block(None) is True
    assert block("30d") is False


def test_the_default_expiry_is_a_class_attribute(monkeypatch):
    def plain():
        with Checkpoint("block") as chp:
            SEEN.append(chp.complete)
        return SEEN.pop()

    plain()
    monkeypatch.setattr(Checkpoint, "CACHE_EXPIRE", 0.01)
    time.sleep(0.02)

    assert plain() is False


def test_an_interrupted_state_does_not_expire():
    count(2, expire=0.001)
    time.sleep(0.01)

    def look():
        i = 0
        chp = Checkpoint("count", expire=0.001, args="saved")
        chp.restore()
        return i

    assert look() == 2


def test_clean_sets_aside_what_was_there(caplog):
    """It starts anew, says so, and never prunes the old line."""
    caplog.set_level("INFO", "resume")
    count(3, keep=3)

    count(5, keep=1, clean=True)

    found = entries("count")
    assert [(entry.number, entry.live) for entry in found] == [
        (8, True),
        (3, False),
        (2, False),
        (1, False),
    ]
    assert "count: starting anew (clean=True); what was there is set aside" in caplog.messages


def test_clean_and_no_restore():
    """clean=True needs no restore(): the first save starts the new line."""
    count(2)

    def fit():
        i = 9
        chp = Checkpoint("count", clean=True)
        chp.save()

    fit()
    assert [entry.live for entry in entries("count")] == [True, False, False]


def test_extra_goes_into_the_manifest_and_is_asked_at_each_save():
    def fit():
        i = 0
        extra = {"note": "first"}
        chp = Checkpoint("fit", rate=0, extra=lambda: {"i": i}, exclude=["extra"])
        chp.restore()
        while i < 2:
            i += 1
            chp.sync()

    fit()

    assert [entry.manifest.draft.extra for entry in entries("fit")] == [{"i": 2}, {"i": 1}]


def test_the_manifest_tells_what_people_want_to_see():
    """Types, shapes, sizes and previews of the variables; place, call, config, environment."""

    def fit(fold, token):
        weights = np.zeros((3, 4), dtype="f4")
        words = ["a", "b"]
        api_key = token.upper()
        left = 1
        chp = Checkpoint("fit", exclude=["left"], config={"lr": 0.1}, extra={"tag": "x"})
        chp.restore()
        chp.save()

    fit(3, "t0k3n")

    manifest = newest("fit")
    draft = manifest.draft
    rows = {row.name: row for row in draft.variables}
    assert (rows["weights"].type, rows["weights"].shape) == ("numpy.ndarray", (3, 4))
    assert rows["weights"].dtype == "float32"
    assert rows["words"].preview == "['a', 'b']"
    assert rows["api_key"].preview == "***"
    assert rows["token"].preview == "***"
    assert rows["left"].skipped == "left out by exclude="
    assert "chp" not in rows
    assert draft.call["arguments"] == {"fold": "3", "token": "***"}
    assert draft.config == {"lr": 0.1}
    assert draft.extra == {"tag": "x"}
    assert draft.function.endswith("fit")
    assert draft.environment["pid"] == os.getpid()
    assert set(draft.environment) >= {"host", "argv", "python", "platform", "hash_seed", "versions"}
    text = next(place().rglob("*.manifest.json")).read_text()
    assert "T0K3N" not in text
    assert "t0k3n" not in text


def test_previews_can_be_left_out():
    def fit():
        word = "visible"
        chp = Checkpoint("fit", previews=False)
        chp.restore()
        chp.save()

    fit()

    assert all(row.preview == "" for row in newest("fit").draft.variables)


@pytest.mark.parametrize("compress", ["auto", "none", 1, 19])
def test_compression(compress):
    """Every level comes back the same."""

    def fit(compress):
        zeros = np.zeros(200_000)
        chp = Checkpoint("fit-{compress}", compress=compress)
        record = chp.restore()
        zeros += 1 if not record else 0
        chp.save()
        return zeros.sum()

    assert fit(compress) == fit(compress) == 200_000


def test_a_function_that_returned_leaves_nothing_behind():
    """The state dies with the function, without the help of the cyclic gc, and so does the lock."""

    class Big:
        pass

    def fit():
        big = Big()
        chp = Checkpoint("fit")
        chp.restore()
        chp.save()
        return weakref.ref(big)

    gc.collect()
    gc.disable()
    try:
        assert fit()() is None
    finally:
        gc.enable()
    Store(place(), "fit").lock()


def test_threads_lines_and_files_are_few(tmp_path):
    """Nothing outlives its use: no thread, and no file beside the store."""
    before = threading.active_count()

    count(2)

    assert threading.active_count() == before
    assert sorted(os.listdir(tmp_path)) == [".checkpoints"]
    assert (tmp_path / ".checkpoints/.gitignore").read_text().strip() == "*"


def test_a_save_starts_no_process(run_program):
    """A child of ours would end in the program's own SIGCHLD handler; its platform is told."""
    ended = run_program(
        """
        import sys

        started = []

        def look(event, _):
            if event in {"subprocess.Popen", "os.system", "os.fork", "os.posix_spawn"}:
                started.append(event)

        sys.addaudithook(look)

        from resume import Checkpoint
        from resume.store import Store

        def fit():
            done = 1
            chp = Checkpoint("fit")
            chp.restore()
            chp.save()

        fit()
        print(started)

        import platform

        told = Store(".checkpoints", "fit").entries()[0].manifest.draft.environment
        assert not platform.system() == "Linux" or told["platform"] == platform.platform()
        """
    )

    assert (ended.stdout, ended.returncode) == ("[]\n", 0), ended.stderr
