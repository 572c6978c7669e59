"""`resume doctor`: real findings about this machine, and a remedy for each problem."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from cli_shelf import DRAFT, fill, resume, resume_json

FOLDER = Path(".checkpoints")


def finding(name, *options, code=0):
    found = {one["name"]: one for one in resume_json("doctor", *options, code=code)}
    return found[name]


def test_a_healthy_machine_has_no_problem():
    """Python, disk and folder are all right here: exit code 0, and that is said."""
    result = resume("doctor")

    assert result.exit_code == 0, result.output
    assert result.output.rstrip().endswith("nothing is wrong")


def test_the_disk_is_tried_and_nothing_is_left():
    """Rename, hard links, locks and fsync are tried in a scratch folder that is gone afterwards."""
    fill(FOLDER, "train", DRAFT)
    before = sorted(FOLDER.iterdir())

    assert finding("rename")["value"] == "atomic"
    assert finding("hard links")["value"] == "yes, and refuses a taken name"
    assert finding("locks")["value"] == "yes, and keeps a second one out"
    assert finding("fsync")["value"].startswith(tuple("0123456789"))
    assert before == sorted(FOLDER.iterdir())


@pytest.mark.parametrize(
    ("how", "told"),
    [
        ("here", "in the working folder"),
        ("above", "found above the working folder"),
        ("option", "from --folder"),
        ("variable", "from RESUME_DIR"),
    ],
)
def test_the_folder_and_how_it_was_found(how, told, monkeypatch):
    """A person who wonders where the checkpoints are gets the folder and the reason."""
    fill(FOLDER, "train", DRAFT)
    place = FOLDER.absolute()
    options = ["--folder", str(place)] if how == "option" else []
    if how == "variable":
        monkeypatch.setenv("RESUME_DIR", str(place))
    if how == "above":
        Path(".git").mkdir()
        Path("below").mkdir()
        monkeypatch.chdir("below")

    assert finding("folder", *options)["value"] == f"{place} ({told})"


def test_a_folder_that_all_may_write_to_is_a_problem_with_a_remedy():
    """Its files could be anybody's: exit code 1 and the way out."""
    fill(FOLDER, "train", DRAFT)
    FOLDER.chmod(0o777)

    found = finding("owner", code=1)

    assert "every user" in found["problem"]
    assert "chmod o-w" in found["remedy"]
    assert "chmod o-w" in resume("doctor").output


def test_a_folder_of_another_user_is_a_problem(tmp_path):
    """Files of somebody else are not read: said before the program fails on it."""
    if os.geteuid() != 0:
        pytest.skip("only root can give a folder away")
    fill(FOLDER, "train", DRAFT)
    os.chown(FOLDER, 12345, 12345)

    assert "12345" in finding("owner", code=1)["problem"]


def test_a_variable_that_nothing_reads_is_a_problem(monkeypatch):
    """`RESUME_DIRR` does nothing: the doctor says so and names the near one."""
    monkeypatch.setenv("RESUME_DIRR", "x")

    found = finding("RESUME_DIRR", code=1)

    assert found["problem"] == "no such variable: nothing reads it"
    assert found["remedy"] == "did you mean RESUME_DIR?"


def test_a_key_is_never_shown(monkeypatch):
    """The report can be pasted into a public place."""
    monkeypatch.setenv("RESUME_KEY", "very secret")

    assert "very secret" not in resume("doctor").output
    assert "saves are signed" in finding("key")["value"]


def test_a_key_file_that_others_may_read_is_a_problem(tmp_path):
    """Such a key is not used; the remedy is one command."""
    from resume.store import trust

    path = trust.new_key()
    assert "saves are signed" in finding("key")["value"]

    path.chmod(0o644)

    assert finding("key", code=1)["remedy"] == f"chmod 600 {path}"


def test_json_of_doctor_has_the_documented_keys():
    """Programs may rely on these keys."""
    assert all(list(one) == ["name", "value", "problem", "remedy"] for one in resume_json("doctor"))


def test_a_folder_that_cannot_be_written_is_a_problem():
    """No scratch folder can be made there: the doctor says which folder and why."""
    result = resume_json("doctor", "--folder", "/proc/nowhere", code=1)

    (found,) = [one for one in result if one["name"] == "writable"]
    assert "cannot write to /proc" in found["problem"]
