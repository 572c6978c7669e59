"""`ResumableSweep`: what is done, what is left, and what a relaunch finds."""

from __future__ import annotations

import gc
import json
import os
import weakref
from pathlib import Path

import numpy as np
import pytest

import resume
from resume.errors import (
    ConfigError,
    IntegrityError,
    ResumeWarning,
    SchemaVersionError,
    StoreError,
    SweepError,
    TrustError,
    UnpicklableError,
)
from resume.store import layout
from resume.sweep import ResumableSweep
from resume.sweep.ledger import MOST_KILLS

LOG = "grid.sweep.jsonl"
MANIFEST = "grid.sweep.manifest.json"


def sweep_of(items="abcd", **options):
    return ResumableSweep(items, **{"checkpoint_path": "grid", **options})


class Point:
    def __init__(self, x):
        self.x = x

    def __eq__(self, other):
        return self.x == other.x


def test_a_relaunch_runs_the_rest_only():
    """Results come back in the order of the items, whatever the order of recording."""
    sweep = sweep_of()
    sweep.record("c", 3)
    sweep.record("a", {"score": 0.5})

    again = sweep_of()

    assert again.pending == ["b", "d"]
    assert again.completed == [{"score": 0.5}, 3]
    assert list(again.pairs()) == [("a", {"score": 0.5}), ("c", 3)]
    assert len(again) == 4
    assert list(again) == list("abcd")
    assert again.result("c") == 3


def test_a_result_is_there_when_record_returns(working_folder):
    """For another process, at once."""
    sweep = sweep_of()
    other = sweep_of()

    sweep.record("a", 1)
    other.refresh()

    assert other.completed == [1]
    assert other.pending == ["b", "c", "d"]


def test_items_may_be_anything():
    """Unhashable ones work by their digest, and come back as the objects that were given."""
    items = [{"x": np.arange(3)}, {"x": np.arange(4)}, [1, {2, 3}]]
    sweep = sweep_of(items)
    sweep.record(items[1], "one")
    sweep.record([1, {3, 2}], "two")

    again = sweep_of(items)

    assert [item is items[0] for item in again.pending] == [True]
    assert again.completed == ["one", "two"]


def test_key_names_the_items():
    items = [{"label": "a", "big": object()}, {"label": "b", "big": object()}]
    sweep_of(items, key=lambda c: c["label"]).record(items[1], 2)

    again = sweep_of([{"label": "b"}, {"label": "a"}], key=lambda c: c["label"])

    assert again.pending == [{"label": "a"}]
    assert '"key":"b"' in Path(LOG).read_text()


@pytest.mark.parametrize(
    "result",
    [
        None,
        (1, 2),
        {1: 2},
        Point(3),
        np.float64(0.5),
        [{"a": (1,)}],
        float("inf"),
        b"x" * 100_000,
        ("x" * 100_000, 2),
    ],
    ids=lambda result: type(result).__name__,
)
def test_results_come_back_as_they_were(result):
    """Same value, same type, small or large."""
    sweep_of().record("b", result)

    back = sweep_of().completed[0]

    assert type(back) is type(result)
    assert back == result


def test_large_results_come_back():
    """They lie in a file beside the log, text as well as arrays."""
    sweep = sweep_of()
    sweep.record("a", np.arange(1e5))
    sweep.record("b", "x" * 100_000)

    back = sweep_of().completed

    assert np.array_equal(back[0], np.arange(1e5))
    assert back[1] == "x" * 100_000
    assert os.path.getsize(LOG) < 2000


def test_results_are_not_kept_in_memory():
    """They are read from the disk when they are looked at."""
    result = Point(1)
    sweep = sweep_of()
    sweep.record("a", result)
    gone = weakref.ref(result)
    del result
    gc.collect()

    assert gone() is None
    assert sweep.completed[0].x == 1


def test_completed_is_a_sequence():
    sweep = sweep_of()
    for number, item in enumerate("abcd"):
        sweep.record(item, number)
    found = sweep.completed

    assert (found[-1], list(found[1:3]), len(found[::2]), 2 in found) == (3, [1, 2], 2, True)
    assert found != [0, 1]
    assert found != "abcd"
    assert found == (0, 1, 2, 3)
    assert repr(found) == "<4 results>"


def test_what_is_recorded_twice_is_an_error_and_the_first_stands():
    sweep = sweep_of()
    sweep.record("a", 1)

    with pytest.raises(SweepError, match="'a' has a result already .*'grid'.*was not recorded"):
        sweep.record("a", 2)

    assert sweep_of().completed == [1]


def test_the_first_of_two_processes_counts():
    """The second learns of it, although it did not look."""
    one, other = sweep_of(), sweep_of()
    one.record("a", 1)

    with pytest.raises(SweepError, match="has a result already"):
        other.record("a", 2)

    assert other.completed == [1]


def test_an_item_of_another_sweep_is_refused():
    with pytest.raises(SweepError, match="'z' is none of the 4 items"):
        sweep_of().record("z", 1)
    with pytest.raises(SweepError, match="'a' has no result yet"):
        sweep_of().result("a")


def test_a_result_that_cannot_be_kept_leaves_the_item_pending():
    sweep = sweep_of()
    with open(os.devnull) as file, pytest.raises(UnpicklableError, match="cannot record"):
        sweep.record("a", file)

    assert sweep.pending == list("abcd")
    assert not os.path.exists(LOG)


def test_duplicate_keys_are_told_before_anything_is_made(working_folder):
    with pytest.raises(ConfigError, match="items 0 and 2 have the same key 'a'"):
        sweep_of("aba")

    assert os.listdir() == []


def test_repr_is_live():
    sweep = sweep_of()
    assert repr(sweep) == "<ResumableSweep grid: 0 of 4 done, 4 pending>"
    sweep.record("a", 1)
    fail(sweep, "b")
    for _ in range(MOST_KILLS):
        sweep._ledger.keep_kill(2)

    assert repr(sweep) == ("<ResumableSweep grid: 1 of 4 done, 1 failed, 1 pending, 1 set aside>")


def fail(sweep, item, text="no luck"):
    why = {"type": "ValueError", "text": text, "traceback": "Traceback ..."}
    sweep._ledger.keep_failure(sweep._ledger.place(item), why, 0.5)


def test_what_failed_is_tried_again_by_the_next_launch_only():
    """With all that is known of it."""
    sweep = sweep_of()
    fail(sweep, "b")

    assert sweep.pending == ["a", "c", "d"]
    again = sweep_of()
    assert again.pending == list("abcd")
    (failure,) = again.failed
    assert (failure.item, failure.key, failure.type) == ("b", "b", "ValueError")
    assert (failure.text, failure.is_set_aside) == ("no luck", False)
    assert str(failure) == "b: ValueError: no luck"
    again.record("b", 5)
    assert again.failed == []
    fail(again, "b")  # too late: it has a result
    assert sweep_of().completed == [5]


def test_an_item_that_kills_its_worker_is_set_aside():
    """After three times, over any number of launches."""
    for time in range(MOST_KILLS):
        sweep = sweep_of()
        assert "c" in sweep.pending
        assert sweep._ledger.keep_kill(2) == time + 1

    again = sweep_of()

    assert again.pending == ["a", "b", "d"]
    (failure,) = again.failed
    assert (failure.item, failure.type, failure.is_set_aside) == ("c", "WorkerKilled", True)
    assert "3 times" in failure.text
    again.record("c", 1)
    again._ledger.keep_kill(2)
    assert sweep_of().completed == [1]


@pytest.mark.parametrize("name", ["error", "killed", "result"])
def test_a_retry_makes_an_item_pending_again(name):
    """Whatever was said of it before."""
    sweep = sweep_of()
    if name == "error":
        fail(sweep, "a")
    elif name == "result":
        sweep.record("a", 1)
    else:
        for _ in range(MOST_KILLS):
            sweep._ledger.keep_kill(0)

    sweep.retry(["a"] if name == "result" else None)

    assert sweep.pending == list("abcd")
    sweep.retry()  # nothing has failed
    again = sweep_of()

    assert again.pending == list("abcd")
    assert again.failed == []
    assert again._ledger.keep_kill(0) == 1


# --- the place ------------------------------------------------------------------------------------


def test_it_lies_beside_the_users_file(tmp_path):
    ResumableSweep("ab", checkpoint_path=tmp_path / "data" / "out.h5").record("a", 1)

    assert (tmp_path / "data" / "out.h5.sweep.jsonl").exists()


def test_by_default_it_lies_in_the_folder_of_checkpoints(tmp_path):
    """Which is made as for a checkpoint."""
    sweep = ResumableSweep("ab", name="my grid")
    sweep.record("a", 1)

    assert sweep.path == tmp_path / ".checkpoints" / "my%20grid" / "sweep.jsonl"
    assert (tmp_path / ".checkpoints" / ".gitignore").read_text() == "*\n"
    assert (tmp_path / ".checkpoints").stat().st_mode & 0o777 == 0o700
    assert ResumableSweep("ab", name="my grid").completed == [1]
    assert ResumableSweep("ab", name="my grid", folder=tmp_path / "other").pending == ["a", "b"]


def test_its_name_is_that_of_the_script_or_of_the_file(run_program, monkeypatch):
    assert sweep_of(checkpoint_path="data/grid.h5").name == "grid"
    monkeypatch.setenv("FOLD", "7")
    assert sweep_of(name="{function}-{env:FOLD}").name == "grid-7"
    ran = run_program(
        "from resume import ResumableSweep\nprint(ResumableSweep('ab').name)", name="train.py"
    )
    assert ran.stdout == "train\n"


def test_a_finished_sweep_has_a_manifest():
    """In the schema of all checkpoints; what `sha256sum` says of the log stands in it."""
    sweep = sweep_of("ab")
    sweep.record("a", 1)
    assert not json.loads(Path(MANIFEST).read_text())["complete"]
    sweep.record("b", 2)

    manifest = layout.decode_manifest(Path(MANIFEST).read_bytes())

    assert manifest.name == "grid"
    assert manifest.body.name == LOG
    assert manifest.body.size_bytes == os.path.getsize(LOG)
    assert manifest.draft.complete
    assert manifest.draft.extra == {
        "sweep": {"items": 2, "done": 2, "failed": 0, "set_aside": 0, "pending": 0}
    }


def test_closing_writes_the_manifest():
    with sweep_of() as sweep:
        sweep.record("a", 1)

    told = json.loads(Path(MANIFEST).read_text())
    assert told["extra"]["sweep"]["done"] == 1
    assert not told["complete"]
    with sweep_of(checkpoint_path="other"):
        pass
    assert not os.path.exists("other.sweep.manifest.json")


def test_a_manifest_is_signed_where_there_is_a_key(monkeypatch):
    monkeypatch.setenv("RESUME_KEY", "secret")
    with sweep_of() as sweep:
        sweep.record("a", 1)

    assert json.loads(Path(MANIFEST).read_text())["signature"]


def test_a_log_that_is_shorter_than_its_manifest_says_is_damage():
    """Lines that are missing at the end break no chain."""
    with sweep_of() as sweep:
        sweep.record("a", 1)
        sweep.record("b", 2)
    whole = Path(LOG).read_bytes()
    Path(LOG).write_bytes(b"".join(whole.splitlines(keepends=True)[:-1]))

    with pytest.raises(IntegrityError, match="has lost its end"):
        sweep_of()


def test_a_manifest_without_its_log_is_told():
    with sweep_of() as sweep:
        sweep.record("a", 1)
    os.remove(LOG)

    with pytest.warns(ResumeWarning, match="is gone.*begins anew"):
        assert sweep_of().pending == list("abcd")


def test_a_damaged_manifest_is_told_and_the_log_goes_on():
    with sweep_of() as sweep:
        sweep.record("a", 1)
    Path(MANIFEST).write_text("{}")

    with pytest.warns(ResumeWarning, match="is damaged"):
        assert sweep_of().completed == [1]


def test_a_manifest_from_the_future_is_refused():
    with sweep_of() as sweep:
        sweep.record("a", 1)
    told = json.loads(Path(MANIFEST).read_text())
    told["schema_version"] = 40
    told["digest"] = layout.digest_of(told)
    Path(MANIFEST).write_text(json.dumps(told))

    with pytest.raises(SchemaVersionError, match="format 40"):
        sweep_of()


# --- other sweeps ---------------------------------------------------------------------------------


def test_a_log_of_another_sweep_is_refused_and_stays():
    sweep = sweep_of("abc")
    sweep.record("a", 1)
    sweep.record("c", 3)
    before = Path(LOG).read_bytes()

    with pytest.raises(SweepError, match=r"(?s)another sweep: 1 items .*'c'; 1 are.*on_change"):
        sweep_of("abx")

    assert Path(LOG).read_bytes() == before


def test_a_sweep_may_grow_and_be_put_in_another_order():
    sweep_of("abc").record("b", 2)

    again = sweep_of("xcbay")

    assert again.pending == list("xcay")
    assert again.completed == [2]


def test_told_to_go_on_the_results_of_others_are_left_out(caplog):
    caplog.set_level("INFO", "resume")
    sweep = sweep_of("abc")
    sweep.record("a", 1)
    sweep.record("c", 3)

    again = sweep_of("ab", on_change="continue")

    assert again.completed == [1]
    assert "1 items in the log are none of this sweep's" in caplog.text
    again.record("b", 2)
    assert sweep_of("abc").completed == [1, 2, 3]


def test_clean_sets_aside_what_was_there(caplog):
    caplog.set_level("INFO", "resume")
    with sweep_of() as sweep:
        sweep.record("a", np.arange(1e5))

    again = sweep_of("xyz", clean=True)

    assert again.pending == list("xyz")
    assert "begins anew: set aside as" in caplog.text
    assert 3 == sum(".aside-" in name for name in os.listdir())
    again.record("x", 1)
    sweep_of("xyz", clean=True)
    assert 5 == sum(".aside-" in name for name in os.listdir())  # nothing was replaced
    caplog.clear()
    sweep_of(checkpoint_path="none", clean=True)
    assert caplog.text == ""


def test_who_uses_a_log_that_is_set_aside_is_told():
    sweep = sweep_of()
    sweep.record("a", 1)
    sweep_of(clean=True)

    with pytest.raises(StoreError, match="removed or set aside"):
        sweep.record("b", 2)


def test_going_on_is_said(caplog):
    caplog.set_level("INFO", "resume")
    sweep = sweep_of()
    assert caplog.text == ""
    sweep.record("a", 1)
    fail(sweep, "b")

    sweep_of()

    assert "↻ continuing the sweep grid: 1 of 4 items are done, 1 failed" in caplog.text


# --- trust ----------------------------------------------------------------------------------------


def test_pickled_results_of_others_are_refused(monkeypatch):
    """Numbers and text are read, for they run no code."""
    sweep = sweep_of()
    sweep.record("a", {1: 2})
    sweep.record("b", (3, np.float64(0.5)))
    sweep.record("c", np.arange(1e5))
    os.chmod(LOG, 0o666)
    again = sweep_of()

    assert again.result("b") == (3, 0.5)
    for item in "ac":
        with pytest.raises(TrustError, match="every user of this machine can write to it"):
            again.result(item)
    assert sweep_of(trust=True).result("a") == {1: 2}
    monkeypatch.setenv("RESUME_TRUST", "1")
    assert sweep_of().result("a") == {1: 2}


def test_the_file_of_large_results_is_looked_at_too():
    sweep_of().record("c", np.arange(1e5))
    os.chmod(f"{LOG}.results", 0o666)

    with pytest.raises(TrustError, match="can write to it"):
        sweep_of().result("c")


# --- parameters -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"key": "label"}, "key='label': give a function"),
        ({"durable": False}, "durable=False is unknown"),
        ({"durable": "never"}, "durable='never' is unknown"),
        ({"on_change": "restart"}, "on_change='restart' is unknown"),
        ({"name": ""}, "empty name"),
        ({"name": "{nobody}"}, "nobody"),
    ],
)
def test_a_parameter_that_cannot_work_is_told(options, said):
    with pytest.raises(ConfigError, match=said):
        sweep_of(**options)


def test_a_failing_disk_is_told_in_words(working_folder):
    sweep = sweep_of("a")
    os.mkdir(MANIFEST)

    with pytest.raises(StoreError, match=r"cannot write .*manifest"):
        sweep.record("a", 1)
    with pytest.raises(StoreError, match=r"cannot read .*manifest"):
        sweep_of("a")


def test_it_is_a_name_of_resume():
    assert resume.ResumableSweep is ResumableSweep
    assert resume.SweepError is SweepError
