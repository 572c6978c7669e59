"""The commands that show: they tell what the manifests say, to people and to programs."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from cli_shelf import DRAFT, POSITION, damage, fill, later, resume, resume_json

from resume.types import Variable

FOLDER = Path(".checkpoints")


def test_ls_lists_each_checkpoint_with_what_a_person_asks_first():
    """Name, generation, age, size, state and variables are in one line a checkpoint."""
    fill(FOLDER, "train", DRAFT, DRAFT)
    fill(FOLDER, "fit", later(complete=True))

    lines = resume("ls").output.splitlines()

    assert lines[0].split() == ["NAME", "GEN", "SAVED", "SIZE", "STATE", "VARIABLES"]
    assert lines[1].split()[:2] == ["fit", "1"] and "complete" in lines[1]
    assert lines[2].split()[:2] == ["train", "2"] and "interrupted" in lines[2]
    assert lines[2].endswith("epoch, weights")


def test_ls_shows_a_call_with_a_line_of_its_own_by_its_arguments():
    """`train@3f2a91c0` reads `train(fold=1)`, and either name is understood."""
    fill(FOLDER, "train@3f2a91c0", DRAFT)

    assert "train(fold=1)" in resume("ls").output
    by_label = resume_json("show", "train(fold=1)")
    assert by_label["name"] == "train@3f2a91c0"
    assert by_label["generation"] == resume_json("show", "train@3f2a91c0")["generation"]


def test_a_name_with_an_at_sign_of_its_own_stays_as_it_is():
    """`me@home` is no line of a call: its user chose the name."""
    fill(FOLDER, "me@home", DRAFT)

    assert resume_json("ls")[0]["shown_as"] == "me@home"


def test_ls_all_shows_lines_that_were_set_aside():
    """A line that another took the place of is shown by `--all` alone."""
    fill(FOLDER, "train", DRAFT)
    fill(FOLDER, "train", DRAFT, new_line=True)

    assert [1] == [1 for row in resume_json("ls")]
    rows = resume_json("ls", "--all")
    assert [("interrupted", True, 2), ("set aside", False, 1)] == [
        (row["state"], row["live"], row["generation"]) for row in rows
    ]


def test_ls_says_busy_while_a_program_holds_the_checkpoint():
    """The state of a checkpoint that is locked is `busy`; looking takes no lock."""
    store = fill(FOLDER, "train", DRAFT)
    store.lock()
    try:
        rows = resume_json("ls")
    finally:
        store.unlock()

    assert rows[0]["state"] == "busy"
    assert resume_json("ls")[0]["state"] == "interrupted"


def test_ls_says_damaged_when_the_newest_manifest_cannot_be_read():
    """A manifest that is no manifest any more is shown, not hidden."""
    store = fill(FOLDER, "train", DRAFT)
    damage(next(store.place.glob("*.manifest.json")), at=5)

    assert resume_json("ls")[0]["state"] == "damaged"
    assert resume("ls").exit_code == 0


def test_ls_of_an_empty_folder_says_where_it_looked():
    """No checkpoints is an answer, not an error."""
    result = resume("ls")

    assert result.exit_code == 0
    assert result.output.strip() == f"no checkpoints in {Path.cwd() / FOLDER}"
    assert resume_json("ls") == []


def test_json_of_ls_has_the_documented_keys():
    """Programs may rely on these keys."""
    fill(FOLDER, "train", DRAFT)

    (row,) = resume_json("ls")

    assert list(row) == [
        "name", "shown_as", "generation", "line", "state", "live", "saved_at", "age_s",
        "size_bytes", "variables", "function", "file",
    ]  # fmt: skip
    assert row["variables"] == ["epoch", "weights"]
    assert row["size_bytes"] >= 1 << 10
    assert abs(row["saved_at"] - time.time()) < 60


def test_show_tells_variables_position_call_and_environment():
    """What was saved, where, by what call and on what machine; what was not, and why."""
    fill(FOLDER, "train", DRAFT)

    text = " ".join(resume("show", "train").output.split())

    for told in (
        "epoch int 5 B 47",
        "weights numpy.ndarray (128, 128) float64 128.0 KiB [0. 1. …]",
        "link socket.socket not saved: a socket belongs to this process",
        "function train in train.py:10",
        "call fold=1",
        "loop at line 12, item 48",
        "running time 75 s",
        "host here",
    ):
        assert told in text


def test_json_of_show_has_the_documented_keys():
    """Programs may rely on these keys."""
    fill(FOLDER, "train", DRAFT)

    record = resume_json("show", "train")

    assert list(record) == [
        "name", "shown_as", "generation", "parent", "line", "state", "complete", "saved_at",
        "age_s", "elapsed_s", "trigger", "function", "file", "lineno", "call", "config", "extra",
        "position", "metric", "variables", "environment", "size_bytes", "bodies",
        "schema_version", "signed", "place",
    ]  # fmt: skip
    assert record["position"] == POSITION
    assert [v["name"] for v in record["variables"]] == ["epoch", "weights", "link"]


def test_show_takes_an_older_generation():
    """`--generation` chooses; one that is not there is refused with those that are."""
    fill(FOLDER, "train", later(trigger="start"), DRAFT)

    assert resume_json("show", "train", "-g", 1)["trigger"] == "start"
    result = resume("show", "train", "-g", 9)
    assert result.exit_code == 2
    assert result.stderr == "resume: train has no generation 9. There are: 2, 1\n"


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        ("trian", "Did you mean 'train'?"),
        ("zzz", "It holds: fit, train"),
    ],
)
def test_an_unknown_name_is_answered_with_near_ones(typed, told):
    """A typo gets a suggestion, on stderr, with the exit code of wrong use."""
    fill(FOLDER, "train", DRAFT)
    fill(FOLDER, "fit", DRAFT)

    result = resume("show", typed)

    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.stderr.count("\n") == 1
    assert told in result.stderr
    assert "Traceback" not in result.stderr


def test_a_name_in_an_empty_folder_says_to_run_the_program_first():
    """Nothing to suggest: the text says what else to do."""
    assert "run the program first" in resume("log", "train").stderr


def test_log_lists_generations_newest_first():
    """One line a generation, with its parent, trigger and position."""
    fill(FOLDER, "train", later(trigger="start", position={}), DRAFT, later(complete=True))

    rows = resume_json("log", "train")

    assert [(3, 2, "complete"), (2, 1, "saved"), (1, None, "saved")] == [
        (row["generation"], row["parent"], row["state"]) for row in rows
    ]
    assert "loop at line 12, item 48" in resume("log", "train").output


def test_json_of_log_has_the_documented_keys():
    """Programs may rely on these keys, for a damaged generation too."""
    store = fill(FOLDER, "train", DRAFT, DRAFT)
    damage(max(store.place.glob("*.manifest.json")), at=5)

    rows = resume_json("log", "train")

    keys = [
        "generation", "parent", "line", "live", "state", "problem", "saved_at", "age_s",
        "elapsed_s", "trigger", "size_bytes", "position",
    ]  # fmt: skip
    assert [keys, keys] == [list(row) for row in rows]
    assert ["damaged", "saved"] == [row["state"] for row in rows]
    assert "damaged" in resume("log", "train").output


def test_log_all_shows_generations_that_were_set_aside():
    """Without `--all` only the line that a rerun would go on from is listed."""
    fill(FOLDER, "train", DRAFT)
    fill(FOLDER, "train", DRAFT, new_line=True)

    assert [2] == [row["generation"] for row in resume_json("log", "train")]
    assert [2, 1] == [row["generation"] for row in resume_json("log", "train", "--all")]
    assert "set aside" in resume("log", "train", "--all").output


def test_diff_tells_what_changed_from_the_parent():
    """Added, removed and changed variables, and what else the manifests tell apart."""
    grown = (Variable("epoch", "int", 5, "48"), Variable("best", "float", 9, "0.5"))
    fill(FOLDER, "train", DRAFT, later(variables=grown, config={"lr": 0.2}))

    record = resume_json("diff", "train")

    assert (record["name"], record["from"], record["to"]) == ("train", 1, 2)
    changes = {v["name"]: v["change"] for v in record["variables"]}
    assert changes == {
        "epoch": "changed",
        "weights": "removed",
        "link": "removed",
        "best": "added",
    }
    assert record["other"] == [{"key": "config", "before": {"lr": 0.1}, "after": {"lr": 0.2}}]
    text = resume("diff", "train").output
    assert "generation 1 -> 2" in text
    assert "not saved: a socket belongs to this process" in text


def test_diff_takes_any_two_generations():
    """`diff NAME A B`, and `diff NAME A` to the newest."""
    fill(FOLDER, "train", later(trigger="start"), DRAFT, later(elapsed_s=80.0))

    assert resume_json("diff", "train", 1, 2)["other"] == [
        {"key": "trigger", "before": "start", "after": "sync"}
    ]
    assert resume_json("diff", "train", 1)["to"] == 3
    assert "no difference that the manifests show" in resume("diff", "train", 2, 3).output


def test_diff_of_a_first_generation_says_that_there_is_nothing_before():
    """The first generation of a line has no parent to compare with."""
    fill(FOLDER, "train", DRAFT)

    result = resume("diff", "train")

    assert result.exit_code == 2
    assert "generation 1 of train is the first of its line" in result.stderr


def test_text_out_of_a_manifest_cannot_reach_the_terminal_raw():
    """Escape sequences and markup in names and values are shown, not obeyed."""
    nasty = (Variable("x", "str", 5, "\x1b]0;title\x07[bold]red[/bold]\nnext"),)
    fill(FOLDER, "train", later(variables=nasty, function="\x1b[31mf"))

    text = resume("show", "train").output

    assert "\x1b" not in text
    assert "\x07" not in text
    assert "[bold]red[/bold]\\nnext" in text


def test_a_wide_table_is_not_cut_in_a_pipe():
    """What goes to a file or `grep` is whole, whatever the width of a terminal."""
    long = "v" * 300
    fill(FOLDER, "train", later(variables=(Variable(long, "int", 5, "1"),)))

    assert long in resume("show", "train").output
    assert not any(line.endswith(" ") for line in resume("show", "train").output.splitlines())


@pytest.mark.parametrize("place", ["--folder", "RESUME_DIR"])
def test_the_folder_can_be_named(place, monkeypatch):
    """`--folder` and `RESUME_DIR` choose another folder than the one that is found."""
    fill(Path("elsewhere"), "train", DRAFT)
    options = ["--folder", "elsewhere"] if place == "--folder" else []
    if place == "RESUME_DIR":
        monkeypatch.setenv("RESUME_DIR", "elsewhere")

    assert ["train"] == [row["name"] for row in resume_json("ls", *options)]
