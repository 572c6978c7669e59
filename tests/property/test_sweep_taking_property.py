"""Two logs of one sweep that went on apart: what is taken in loses no result and adds none."""

from __future__ import annotations

import json
import shutil
import tempfile
import warnings
from collections import Counter
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from resume.sweep import ResumableSweep

ITEMS = "abcd"
LARGE = "x" * 20_000

steps = st.lists(
    st.tuples(
        st.sampled_from(["record", "large", "pickle", "fail", "retry"]), st.sampled_from(ITEMS)
    ),
    max_size=8,
)


def work(path, acts, who):
    """A launch at *path* that does *acts*; a result tells who made it, and when."""
    sweep = ResumableSweep(ITEMS, checkpoint_path=path, durable="batch")
    ledger = sweep._ledger
    for number, (act, item) in enumerate(acts):
        place = ledger.place(item)
        if act == "fail":
            ledger.keep_failure(place, {"type": "E", "text": who, "traceback": ""}, None)
        elif act == "retry":
            sweep.retry([item])
        elif not ledger.is_done(place):
            told = (who, number)
            results = {"record": list(told), "large": [*told, LARGE], "pickle": {told: 1}}
            sweep.record(item, results[act])
    sweep.close()


def results_at(path, **options):
    sweep = ResumableSweep(ITEMS, checkpoint_path=path, **options)
    found = dict(sweep.pairs())
    sweep.close()
    return found


def log_of(path):
    return path.with_name(f"{path.name}.sweep.jsonl")


def lines_of(path):
    log = log_of(path)
    return [json.loads(line) for line in log.read_text().splitlines()[1:]] if log.exists() else []


@settings(max_examples=25, deadline=None)
@given(shared=steps, theirs=steps, ours=steps, cut=st.integers(0, 40))
def test_results_of_both_are_there_and_no_others(shared, theirs, ours, cut):
    """Whatever both did before and after they parted, and wherever a crash has torn the source."""
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        here, there = Path(folder, "here"), Path(folder, "there")
        work(here, shared, "both")
        for path in Path(folder).glob("here*"):
            shutil.copy(path, str(path).replace("/here", "/there"))
        work(here, ours, "ours")
        work(there, theirs, "theirs")
        if log_of(there).exists() and len(lines_of(there)) > 1:
            data = log_of(there).read_bytes()
            log_of(there).write_bytes(data[: len(data) - cut])
            there.with_name("there.sweep.manifest.json").unlink(missing_ok=True)
        before, offered = results_at(here), results_at(there)
        source = log_of(there).read_bytes() if log_of(there).exists() else None
        is_beginning = source is not None and source.startswith(
            log_of(here).read_bytes() if log_of(here).exists() else b""
        )

        after = results_at(here, resume_from=log_of(there))

        if is_beginning:
            assert after == offered
        else:
            retried = {item for act, item in [*shared, *ours] if act == "retry"}
            gained = {item: told for item, told in offered.items() if item not in before}
            assert after.items() >= before.items()
            assert {**gained, **before}.items() >= after.items()
            assert gained.keys() - after.keys() <= retried
        told = lines_of(here)
        assert after == results_at(here, resume_from=log_of(there))
        assert told == lines_of(here)
        assert source == (log_of(there).read_bytes() if log_of(there).exists() else None)
        recorded = Counter(
            line["key"] for line in told if "seconds" in line and "retry" not in line
        )
        assert recorded.keys() >= after.keys()
