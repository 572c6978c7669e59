"""What is taken in from another log: what it has more, checked, all of it or nothing."""

from __future__ import annotations

import errno
import json
import os
import shutil
import warnings
from pathlib import Path

import numpy as np
import pytest

from resume.errors import (
    IntegrityError,
    ResumeWarning,
    SchemaVersionError,
    StoreError,
    SweepError,
    TrustError,
)
from resume.sweep import ResumableSweep, lines, taking
from resume.sweep.log import Log, beside, new_head

THERE, HERE = Path("there.sweep.jsonl"), Path("here.sweep.jsonl")


def there(**options):
    return ResumableSweep("abcdef", checkpoint_path="there", **options)


def here(**options):
    return ResumableSweep("abcdef", checkpoint_path="here", **{"resume_from": THERE, **options})


def copy_here():
    """The log here is a copy of that there."""
    for name in ("sweep.jsonl", "sweep.jsonl.results"):
        if os.path.exists(f"there.{name}"):
            shutil.copy(f"there.{name}", f"here.{name}")


def keys_of(path):
    return [json.loads(line)["key"] for line in path.read_text().splitlines()[1:]]


def fail(sweep, item, text="oh"):
    why = {"type": "ValueError", "text": text, "traceback": ""}
    sweep._ledger.keep_failure(sweep._ledger.place(item), why, 0.5)


def test_where_there_is_no_log_the_source_is_taken_line_by_line():
    sweep = there()
    sweep.record("c", 3)
    fail(sweep, "d")
    sweep._ledger.keep_kill(4)
    sweep.record("a", 1)
    sweep.retry(["a"])

    again = here()

    assert HERE.read_bytes() == THERE.read_bytes()
    assert again.completed == [3]
    assert again.pending == ["a", "b", "d", "e", "f"]
    assert [failure.text for failure in again.failed] == ["oh"]
    assert again._ledger.keep_kill(4) == 2


def test_what_is_recorded_behind_goes_on_with_the_log():
    there().record("a", 1)
    with here() as sweep:
        sweep.record("b", 2)

    assert HERE.read_bytes().startswith(THERE.read_bytes())
    assert here().completed == [1, 2]


def test_a_log_that_has_all_of_it_stands_as_it_is():
    there().record("a", 1)
    copy_here()
    here().record("b", 2)
    before = HERE.stat()

    assert here().completed == [1, 2]

    assert HERE.stat().st_ino == before.st_ino
    assert HERE.stat().st_mtime_ns == before.st_mtime_ns


def test_a_beginning_of_the_source_goes_on_with_it():
    """Whatever it says: a result that was to be tried again there has no result here."""
    sweep = there()
    sweep.record("a", 1)
    copy_here()
    sweep.retry(["a"])
    sweep.record("a", "better")
    sweep.record("b", 2)

    assert here().completed == ["better", 2]
    assert HERE.read_bytes() == THERE.read_bytes()


def test_of_two_that_went_on_apart_both_results_are_kept():
    there().record("a", 1)
    copy_here()
    there().record("b", 2)
    here(resume_from=None).record("c", 3)

    sweep = here()

    assert sweep.completed == [1, 2, 3]
    assert keys_of(HERE) == ["a", "c", "b"]


def test_of_two_logs_that_share_nothing_both_results_are_kept():
    there().record("a", 1)
    there().record("b", "theirs")
    here(resume_from=None).record("b", "ours")

    assert here().completed == [1, "ours"]
    assert keys_of(HERE) == ["b", "a"]


def test_taking_in_again_adds_nothing():
    there().record("a", 1)
    here(resume_from=None).record("b", 2)
    fail(there(), "c")
    here()
    before = HERE.read_bytes()

    here()

    assert HERE.read_bytes() == before


def test_what_comes_there_later_is_taken_in_later():
    fail(there(), "a")
    here(resume_from=None).record("b", 2)
    assert len(here().failed) == 1
    there().record("a", 1)

    assert here().completed == [1, 2]


def test_a_failure_does_not_replace_a_result():
    fail(there(), "a", "theirs")
    fail(there(), "b", "theirs")
    here(resume_from=None).record("a", 1)
    fail(here(resume_from=None), "b", "ours")

    sweep = here()

    assert sweep.completed == [1]
    assert [failure.text for failure in sweep.failed] == ["ours"]


@pytest.mark.parametrize("apart", [False, True])
def test_a_result_that_a_retry_took_back_here_does_not_come_again(apart):
    there().record("a", 1)
    if apart:
        here(resume_from=None).record("c", 3)
    here().retry(["a"])
    there().record("b", 2)

    sweep = here()

    assert sweep.completed == ([2, 3] if apart else [2])
    assert "a" in sweep.pending


def test_a_retry_of_a_failure_here_is_answered_by_the_source():
    there().record("a", 1)
    fail(here(resume_from=None), "a")
    here(resume_from=None).retry(["a"])

    assert here().completed == [1]


def test_a_retry_there_takes_no_result_away_here():
    there().record("a", 1)
    here().record("b", 2)
    there().retry(["a"])

    assert here().completed == [1, 2]


def test_a_retry_of_both_is_answered_by_the_source():
    there().record("a", 1)
    there().retry(["a"])
    here().record("b", 2)
    there().record("a", "better")

    assert here().completed == ["better", 2]


def test_an_item_that_was_set_aside_there_is_set_aside_here():
    for _ in range(3):
        there()._ledger.keep_kill(0)
    here(resume_from=None).record("b", 2)

    assert [failure.is_set_aside for failure in here().failed] == [True]


LARGE = "x" * 50_000
RESULTS = {"a": np.arange(1e4), "b": "x" * 50_000, "c": {1: 2}, "d": (1, 2.5), "e": np.ones(9000)}


def check_results(sweep):
    for item, result in RESULTS.items():
        back = sweep.result(item)
        assert type(back) is type(result)
        assert np.array_equal(back, result) if isinstance(back, np.ndarray) else back == result


def test_large_results_come_along():
    for item, result in RESULTS.items():
        there().record(item, result)

    check_results(here())
    assert beside(HERE).read_bytes() == beside(THERE).read_bytes()


def test_large_results_find_a_place_behind_those_that_are_here():
    """And those that are here stay where they are."""
    for item, result in RESULTS.items():
        (there if item in "abc" else lambda: here(resume_from=None))().record(item, result)
    before = beside(HERE).read_bytes()

    check_results(here())

    assert beside(HERE).read_bytes().startswith(before)
    check_results(here())


def test_large_results_that_share_a_place_come_along():
    """Nobody writes them so, but nothing in the format is against it."""
    with there() as sweep:
        sweep.record("a", LARGE)
    log = Log(THERE, new_head("", 0), lambda _: None)
    log.refresh()
    place = json.dumps(json.loads(THERE.read_text().splitlines()[1])["stored"])
    with log.writing():
        log.append(
            lines.open_end(f'{{"key":"b","stored":{place},"form":"json","at":1,"seconds":1}}')
        )
    log.close()

    assert here().completed == [LARGE, LARGE]
    assert keys_of(HERE) == ["a", "b"]


def test_large_results_that_a_crash_left_here_do_no_harm():
    there().record("a", RESULTS["a"])
    beside(HERE).write_bytes(b"left" * 100_000)

    assert np.array_equal(here().result("a"), RESULTS["a"])
    assert HERE.read_bytes() == THERE.read_bytes()


def test_a_log_that_is_gone_leaves_what_lay_beside_it_aside():
    """Its manifest told of another log; nothing of it is lost."""
    with here(resume_from=None) as sweep:
        sweep.record("a", RESULTS["a"])
    results = beside(HERE).read_bytes()
    HERE.unlink()
    there().record("b", RESULTS["b"])

    sweep = here()

    assert sweep.completed == [RESULTS["b"]]
    (aside,) = Path().glob("here.sweep.jsonl.results.aside-*")
    assert aside.read_bytes() == results
    assert len(list(Path().glob("here.sweep.manifest.json.aside-*"))) == 1


def test_clean_begins_with_the_source_alone():
    """The log here is set aside: so a damaged one is replaced."""
    there().record("a", 1)
    here().record("b", 2)

    sweep = here(clean=True)

    assert sweep.completed == [1]
    assert len(list(Path().glob("here.sweep.jsonl.aside-*"))) == 1


# --- what is not taken in -------------------------------------------------------------------------


def test_a_torn_last_line_there_is_left_out_with_a_warning():
    there().record("a", 1)
    there().record("b", 2)
    data = THERE.read_bytes()[:-10]
    THERE.write_bytes(data)

    with pytest.warns(ResumeWarning, match="there.sweep.jsonl: the last line .* was torn"):
        sweep = here()

    assert sweep.completed == [1]
    assert data == THERE.read_bytes()
    assert data.startswith(HERE.read_bytes())


def test_a_torn_line_that_is_whole_here_is_not_spoken_of():
    """The copy that a killed launch has left, beside the log that it is of."""
    there().record("a", 1)
    there().record("b", 2)
    copy_here()
    THERE.write_bytes(THERE.read_bytes()[:-10])

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert here().completed == [1, 2]


def test_a_source_that_lost_its_end_is_told():
    """All lines that are left are whole, and the manifest knows of more."""
    with there() as sweep:
        sweep.record("a", 1)
        sweep.record("b", 2)
    THERE.write_bytes(b"".join(THERE.read_bytes().splitlines(keepends=True)[:-1]))

    with pytest.warns(ResumeWarning, match="there.* has lost its end.*what is missing runs here"):
        sweep = here()

    assert sweep.completed == [1]


@pytest.mark.parametrize("data", [b"", b'{"sweep":1,"na'], ids=["empty", "torn head"])
@pytest.mark.filterwarnings("ignore:.*torn by a crash")
def test_a_source_without_a_whole_line_holds_nothing(data):
    THERE.write_bytes(data)

    assert here().pending == list("abcdef")
    assert not HERE.exists()


@pytest.mark.parametrize(("line", "named"), [(0, "line 1, its head"), (1, "line 2"), (2, "line 3")])
@pytest.mark.parametrize("has_log", [False, True])
def test_damage_in_the_middle_names_the_line_and_takes_nothing(line, named, has_log):
    for item in "abc":
        there().record(item, 1)
    if has_log:
        here(resume_from=None).record("f", 1)
    before = HERE.read_bytes() if has_log else None
    whole = THERE.read_bytes().splitlines(keepends=True)
    whole[line] = whole[line].replace(b'"', b"'", 1)
    THERE.write_bytes(b"".join(whole))

    with pytest.raises(IntegrityError, match=f"there.*: {named}.*nothing of it was taken"):
        here()

    assert before == (HERE.read_bytes() if HERE.exists() else None)
    assert THERE.read_bytes() == b"".join(whole)


def test_damage_here_is_told_as_damage_here():
    there().record("a", 1)
    here(resume_from=None).record("b", 1)
    HERE.write_bytes(HERE.read_bytes().replace(b'"b"', b'"x"'))

    with pytest.raises(IntegrityError, match="here.sweep.jsonl: line 2"):
        here()


@pytest.mark.parametrize("has_log", [False, True])
def test_a_large_result_that_is_damaged_takes_nothing(has_log):
    there().record("a", RESULTS["a"])
    there().record("b", RESULTS["b"])
    if has_log:
        here(resume_from=None).record("e", RESULTS["e"])
    before = {path: path.read_bytes() for path in Path().glob("here*")}
    data = bytearray(beside(THERE).read_bytes())
    data[-1] ^= 1
    beside(THERE).write_bytes(data)

    with pytest.raises(IntegrityError, match="there.sweep.jsonl.results: the result of"):
        here()

    assert before == {p: p.read_bytes() for p in Path().glob("here*") if p.stat().st_size}


def test_a_source_from_the_future_is_told_from_a_damaged_one():
    there().record("a", 1)
    data = THERE.read_bytes()
    head = lines.encode_line({"sweep": 2, "what": "else"}, "")
    THERE.write_bytes(head + data[data.index(b"\n") + 1 :])

    with pytest.raises(SchemaVersionError, match="there.* format 2; .*or leave it out"):
        here()

    assert not HERE.exists()


def test_the_log_of_another_sweep_is_refused():
    ResumableSweep("xyz", checkpoint_path="there").record("y", 1)
    here(resume_from=None).record("a", 1)
    before = HERE.read_bytes()

    with pytest.raises(SweepError, match="there.*another sweep: 1 items .* first is 'y'.*Nothing"):
        here()

    assert HERE.read_bytes() == before


def test_results_of_other_items_may_lie_in_the_log():
    sweep = ResumableSweep("axyz", checkpoint_path="there")
    sweep.record("y", 1)
    sweep.record("a", 2)

    assert here(on_change="continue").completed == [2]
    assert keys_of(HERE) == ["y", "a"]


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="ownership is no number here")
@pytest.mark.parametrize("large", [False, True])
def test_a_pickle_of_somebody_else_is_not_taken_in(large):
    """Once it lay here, nobody could tell whose it was."""
    there().record("a", np.arange(1e4) if large else {1: 2})
    THERE.chmod(0o606)

    with pytest.raises(TrustError, match="there.sweep.jsonl is not trusted: every user .*'a'"):
        here()

    assert not HERE.exists()
    assert len(here(trust=True).completed) == 1


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="ownership is no number here")
@pytest.mark.parametrize("open_one", [THERE, beside(THERE)])
def test_what_is_no_pickle_needs_no_trust(open_one):
    there().record("a", [1, 2.5])
    there().record("b", LARGE)
    open_one.chmod(0o606)

    assert here().completed == [[1, 2.5], LARGE]


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="ownership is no number here")
def test_large_results_of_somebody_else_that_are_missing_are_told():
    there().record("b", LARGE)
    THERE.chmod(0o606)
    beside(THERE).unlink()

    with pytest.raises(IntegrityError, match="results is missing"):
        here()


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="ownership is no number here")
def test_what_somebody_else_may_write_to_is_taken_as_it_was_looked_at(monkeypatch):
    """Who can write to it may put a pickle where a number was, a moment after the look."""
    there().record("a", 1)
    THERE.chmod(0o606)
    real = taking._refuse_pickles

    def looked_at(*args):
        real(*args)
        if "b" in there().pending:
            there().record("b", {1: 2})

    monkeypatch.setattr(taking, "_refuse_pickles", looked_at)

    assert here().completed == [1]
    assert b"pickle" not in HERE.read_bytes()


def test_a_source_that_becomes_shorter_is_told():
    there().record("a", 1)
    log = Log(THERE, new_head("", 0), lambda _: None, only_look=True)
    log.refresh()

    with pytest.raises(StoreError, match="became shorter"):
        list(taking._pieces(log, 0, log.size + 1))


def test_a_log_that_may_not_be_written_is_told(monkeypatch):
    there().record("a", 1)
    here(resume_from=None).record("b", 1)
    real = os.open

    def refusing(path, flags, *rest, **more):
        if str(path).endswith(HERE.name) and flags & os.O_RDWR:
            raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(path))
        return real(path, flags, *rest, **more)

    monkeypatch.setattr(os, "open", refusing)

    with pytest.raises(StoreError, match="here.sweep.jsonl: read-only"):
        here()
