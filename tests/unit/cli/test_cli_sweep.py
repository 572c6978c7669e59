"""`resume sweep`: what the log of a sweep tells without the program."""

from __future__ import annotations

import csv
import io
import json
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from cli_shelf import resume, resume_json

from resume.sweep import ResumableSweep
from resume.sweep.ledger import MOST_KILLS


class Own:
    """JSON cannot say it; unpickled, it makes a folder."""

    def __reduce__(self):
        return os.mkdir, ("unpickled",)


def fails(n):
    if n == 1:
        raise ValueError("one is bad")
    return {"score": np.float64(n / 4), "of": (n, "x")}


@pytest.fixture
def grid():
    """Six items: four results, of them one large and one a pickle; a failure; one set aside."""
    sweep = ResumableSweep(range(7), name="grid")
    sweep.record(5, "y" * 50_000)
    sweep.record(6, Own())
    for _ in range(MOST_KILLS):
        sweep._ledger.keep_kill(4)
    sweep.map(lambda n: fails(n) if n < 3 else stop(), on_error="record")
    sweep.retry([3])
    sweep.close()
    return sweep


def stop():
    raise RuntimeError("not yet")


def test_ls_counts_what_the_log_knows(grid):
    """Those of the folder of checkpoints, and those beside files here."""
    ResumableSweep("ab", checkpoint_path="data.h5").record("a", 1)

    result = resume("sweep", "ls")

    assert result.exit_code == 0
    (head, first, second) = result.output.splitlines()
    assert head.split() == ["NAME", "DONE", "FAILED", "PENDING", "LAST", "SIZE", "LOG"]
    assert first.split()[:4] == ["grid", "4/7", "2", "1"]
    assert second.split()[:4] == ["data.h5", "1/2", "0", "1"]
    (row, _) = resume_json("sweep", "ls")
    assert (row["items"], row["done"], row["failed"]) == (7, 4, 1)
    assert (row["set_aside"], row["pending"], row["problem"]) == (1, 1, None)
    assert row["size_bytes"] > 50_000


def test_ls_of_nothing_says_where_it_looked(tmp_path):
    result = resume("sweep", "ls")

    assert result.output.startswith(f"no sweeps in {tmp_path}")
    assert resume_json("sweep", "ls") == []


def test_ls_tells_a_damaged_one_and_goes_on(grid):
    text = grid.path.read_text()
    grid.path.write_text(text.replace('"key":"5"', '"key":"8"'))

    result = resume("sweep", "ls")

    assert result.exit_code == 0
    assert "damaged" in result.output
    assert "is not what was written" in resume_json("sweep", "ls")[0]["problem"]
    assert resume("sweep", "show", "grid").exit_code == 32


def test_show_tells_failures_and_results(grid):
    """The traceback of the last one, too; a pickle is named and not looked into."""
    result = resume("sweep", "show", "grid")

    assert result.exit_code == 0
    assert "killed its worker 3 times" in result.output
    assert "ValueError: one is bad" in result.output
    assert 'raise ValueError("one is bad")' in result.output
    assert '{"score": 0.0, "of": [0, "x"]}' in result.output
    assert "(pickle)" in result.output
    assert "…" in result.output
    assert not Path("unpickled").exists()


def test_show_shows_as_many_results_as_asked_for(grid):
    assert "the last 2 results" in resume("sweep", "show", "grid", "-n", "2").output
    assert "results" not in resume("sweep", "show", "grid", "-n", "0").output


def test_show_as_json_has_the_lines(grid):
    told = resume_json("sweep", "show", "grid")

    assert told["done"] == 4
    assert told["rate_per_s"] > 0
    assert {line["key"] for line in told["results"]} == {"0", "2", "5", "6"}
    assert {line["key"] for line in told["failures"]} == {"1", "4"}


def test_show_of_a_sweep_that_has_just_begun():
    """Nothing is known but its head."""
    sweep = ResumableSweep("ab", name="new")
    with sweep._ledger.writing():
        pass

    result = resume("sweep", "show", "new")

    assert result.output.split()[:2] == ["name", "new"]
    assert "failures" not in result.output


@pytest.mark.parametrize("name", ["data.h5", "data.h5.sweep.jsonl", "./data.h5"])
def test_a_sweep_beside_a_file_is_found_by_it(name):
    ResumableSweep("ab", checkpoint_path="data.h5").record("a", 1)

    shown = resume("sweep", "show", name)

    assert ["items", "2"] in [line.split() for line in shown.output.splitlines()]


def test_a_copy_elsewhere_is_shown_and_exported(tmp_path):
    """By its folder or by its name, with large results, and nothing of it is changed."""
    with ResumableSweep("abc", checkpoint_path="data.h5", snapshot_dir="copies") as sweep:
        sweep.record("a", 1)
        sweep.record("b", "x" * 50_000)
    before = {path: path.read_bytes() for path in Path("copies").rglob("*") if path.is_file()}
    os.remove("data.h5.sweep.jsonl")

    (row,) = resume_json("sweep", "ls", "--folder", "copies")
    by_name = resume_json("sweep", "show", "data", "--folder", "copies")
    by_folder = resume_json("sweep", "show", "copies/data")
    table = json.loads(
        resume("sweep", "export", "data", "--format", "json", "--folder", "copies").output
    )

    assert (row["name"], row["done"], row["items"], row["problem"]) == ("data", 2, 3, None)
    assert by_name == by_folder
    assert [told["result"] for told in table] == [1, "x" * 50_000]
    assert before == {p: p.read_bytes() for p in Path("copies").rglob("*") if p.is_file()}


def test_an_unknown_name_is_told_with_those_there_are(grid):
    result = resume("sweep", "show", "gird")

    assert result.exit_code == 2
    assert "no sweep 'gird'" in result.stderr
    assert "grid" in result.stderr


def test_a_shortened_name_is_shown_as_its_folder():
    ResumableSweep("ab", name="n" * 300).record("a", 1)

    assert resume_json("sweep", "ls")[0]["name"].startswith("nnn")


def test_retry_makes_what_failed_pending_again(grid):
    """The next launch tries it, those set aside among them."""
    result = resume("sweep", "retry", "grid")

    assert result.output == "2 items of grid are pending again\n"
    assert ResumableSweep(range(7), name="grid").pending == [1, 3, 4]
    assert resume("sweep", "retry", "grid").output == "nothing has failed\n"


def test_retry_of_named_items_takes_those(grid):
    """One that is done, too."""
    assert resume("sweep", "retry", "grid", "5", "1").exit_code == 0

    assert ResumableSweep(range(7), name="grid").pending == [1, 3, 5]


def test_retry_of_an_unknown_item_changes_nothing(grid):
    before = grid.path.read_bytes()

    result = resume("sweep", "retry", "grid", "1", "99")

    assert result.exit_code == 2
    assert "'99'" in result.stderr
    assert grid.path.read_bytes() == before


def test_export_to_csv_has_a_column_for_each_part(grid):
    """Pickles are left out, and counted."""
    result = resume("sweep", "export", "grid")

    rows = list(csv.DictReader(io.StringIO(result.stdout)))
    assert "1 of 4 results are pickles" in result.stderr
    assert [row["key"] for row in rows] == ["5", "0", "2"]
    assert [row["score"] for row in rows] == ["", "0.0", "0.5"]
    assert rows[2]["of"] == '[2, "x"]'
    assert rows[0]["result"] == "y" * 50_000
    assert not Path("unpickled").exists()


def test_export_to_a_file_takes_the_format_of_its_name(grid):
    assert resume("sweep", "export", "grid", "-o", "out.json").exit_code == 0
    assert resume("sweep", "export", "grid", "-o", "out.csv").exit_code == 0

    told = json.loads(Path("out.json").read_text())
    assert told[1]["score"] == 0.0
    assert told[1]["of"] == [0, "x"]
    assert list(pd.read_csv("out.csv").columns[:3]) == ["key", "seconds", "at"]


def test_a_result_may_have_a_column_named_key():
    ResumableSweep("a", name="odd").record("a", {"key": 7})

    told = json.loads(resume("sweep", "export", "odd", "--format", "json").stdout)

    assert (told[0]["key"], told[0]["result.key"]) == ("a", 7)


def test_export_of_nothing_is_an_empty_table():
    sweep = ResumableSweep("ab", name="new")
    sweep.map(lambda _: stop())

    assert resume("sweep", "export", "new").stdout == "key,seconds,at\n"


def test_parquet_needs_a_file_and_its_libraries(grid, tmp_path, monkeypatch):
    """An error names what to install."""
    result = resume("sweep", "export", "grid", "--format", "parquet")
    assert "give a file" in result.stderr
    (tmp_path / "pyarrow.py").write_text("raise ImportError('no pyarrow here')")
    (tmp_path / "fastparquet.py").write_text("raise ImportError('no fastparquet here')")
    monkeypatch.syspath_prepend(tmp_path)

    result = resume("sweep", "export", "grid", "-o", "out.parquet")

    assert result.exit_code == 2
    assert "pip install pandas pyarrow" in result.stderr


def test_parquet_is_written_by_pandas(grid, monkeypatch):
    wrote = []
    monkeypatch.setattr(
        pd.DataFrame, "to_parquet", lambda self, path: wrote.append((list(self["key"]), path))
    )

    assert resume("sweep", "export", "grid", "-o", "out.parquet").exit_code == 0

    assert wrote == [(["5", "0", "2"], Path("out.parquet"))]
