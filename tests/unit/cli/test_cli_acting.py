"""The commands that check and remove; and what none of them ever does."""

from __future__ import annotations

from pathlib import Path

import pytest
from cli_shelf import DRAFT, damage, fill, later, resume, resume_json

from resume.cli import main

FOLDER = Path(".checkpoints")


def bodies(store):
    return sorted(store.place.glob("*.ckpt"))


def test_verify_of_whole_checkpoints_says_so():
    """Every byte as it was written: exit code 0."""
    fill(FOLDER, "train", DRAFT, DRAFT)

    result = resume("verify")

    assert result.exit_code == 0
    assert result.output.startswith("train: 2 generations, ")
    assert result.output.rstrip().endswith("whole")


def test_verify_finds_one_flipped_bit_and_the_generations_that_it_harms():
    """Exit code 32; the file, the harm, and the newest generation that is whole are named."""
    store = fill(FOLDER, "train", DRAFT, DRAFT)
    damage(bodies(store)[-1])

    result = resume("verify", "train")

    assert result.exit_code == 32
    assert "DAMAGED" in result.output
    assert bodies(store)[-1].name in result.output
    assert "harms generations: 2" in result.output
    assert "generation 1 is the newest whole one" in result.output


def test_json_of_verify_has_the_documented_keys():
    """Programs may rely on these keys; the exit code is 32 under `--json` too."""
    store = fill(FOLDER, "train", DRAFT)
    damage(bodies(store)[0])

    (record,) = resume_json("verify", code=32)

    assert list(record) == [
        "name", "shown_as", "generations", "size_bytes", "whole", "problems",
    ]  # fmt: skip
    assert record["whole"] is False
    assert set(record["problems"][0]) == {"file", "what", "generations"}


def test_verify_of_an_empty_folder_is_no_error():
    """Nothing there, nothing damaged."""
    assert resume("verify").exit_code == 0
    assert "no checkpoints in" in resume("verify").output


def test_rm_asks_and_removes():
    """Yes removes everything of the checkpoint, no leaves everything."""
    store = fill(FOLDER, "train", DRAFT)

    kept = resume("rm", "train", answer="n\n")
    assert "kept train" in kept.output
    assert bodies(store)

    removed = resume("rm", "train", answer="y\n")
    assert removed.exit_code == 0
    assert "removed train" in removed.output
    assert resume_json("ls") == []


def test_rm_without_anybody_to_answer_removes_nothing():
    """In a script without `--yes`, the text says which option answers."""
    store = fill(FOLDER, "train", DRAFT)

    result = resume("rm", "train")

    assert result.exit_code == 2
    assert "use --yes" in result.stderr
    assert bodies(store)


def test_rm_yes_takes_several_names():
    """`--yes` does not ask."""
    fill(FOLDER, "train", DRAFT)
    fill(FOLDER, "fit", DRAFT)

    assert resume("rm", "train", "fit", "--yes").exit_code == 0
    assert resume_json("ls") == []


def test_rm_refuses_while_a_program_holds_the_checkpoint():
    """Exit code 31, and the files stay."""
    store = fill(FOLDER, "train", DRAFT)
    store.lock()
    try:
        result = resume("rm", "train", "--yes")
    finally:
        store.unlock()

    assert result.exit_code == 31
    assert bodies(store)


def test_gc_frees_what_was_set_aside():
    """The line that another took the place of goes; the live one stays whole."""
    fill(FOLDER, "train", DRAFT)
    store = fill(FOLDER, "train", DRAFT, new_line=True)

    result = resume("gc")

    assert result.exit_code == 0
    assert "train: freed" in result.output
    assert [2] == [entry.number for entry in store.entries()]
    assert resume("verify").exit_code == 0


def test_gc_dry_run_frees_nothing_and_tells_the_same():
    """`--dry-run` tells the bytes that the real one frees."""
    fill(FOLDER, "train", DRAFT)
    store = fill(FOLDER, "train", DRAFT, new_line=True)
    before = sorted(store.place.iterdir())

    (told,) = resume_json("gc", "--dry-run")

    assert list(told) == ["name", "shown_as", "freed_bytes", "dry_run", "busy"]
    assert before == sorted(store.place.iterdir())
    assert told["freed_bytes"] > 1 << 10
    assert told["freed_bytes"] == resume_json("gc")[0]["freed_bytes"]


def test_gc_leaves_what_is_old_and_complete_but_for_the_option(tmp_path):
    """Only the program knows when its checkpoints expire; `--expired` means 30 days."""
    store = fill(FOLDER, "train", later(complete=True))
    (manifest,) = store.place.glob("*.manifest.json")
    age_by(manifest, days=40)

    assert resume_json("gc")[0]["freed_bytes"] == 0
    assert resume_json("ls")[0]["state"] == "complete"
    assert resume_json("gc", "--expired")[0]["freed_bytes"] > 0
    assert resume_json("ls") == []


def age_by(path, *, days):
    """Make a manifest older, as its own text says it; its digest follows."""
    from dataclasses import replace

    from resume.store import layout

    old = layout.decode_manifest(path.read_bytes())
    aged = replace(old, created_at=old.created_at - days * 86400)
    path.chmod(0o600)
    record = layout.to_record(aged)
    record["digest"] = layout.digest_of(record)
    path.write_bytes(layout.encode_manifest(record))


def test_gc_leaves_a_busy_checkpoint_alone():
    """What a program holds is not touched, and the others are cleaned all the same."""
    store = fill(FOLDER, "train", DRAFT)
    store.lock()
    try:
        result = resume("gc")
    finally:
        store.unlock()

    assert result.exit_code == 0
    assert "train: busy, left as it is" in result.output


def test_key_new_signs_later_saves_and_refuses_to_replace_a_key(tmp_path):
    """One key file, readable by its owner alone; a second `key new` leaves it as it was."""
    made = resume("key", "new")
    fill(FOLDER, "train", DRAFT)

    assert made.exit_code == 0, made.output
    path = Path(made.output.partition(":")[0])
    assert path.stat().st_mode & 0o777 == 0o600
    assert resume_json("show", "train")["signed"] is True
    text = path.read_text()
    again = resume("key", "new")
    assert again.exit_code == 2
    assert "is there already" in again.stderr
    assert path.read_text() == text


SHOWING = [("ls", "--all"), ("show", "train"), ("log", "train"), ("diff", "train"), ("verify",)]
SHOWING += [("gc",), ("doctor",)]


@pytest.mark.parametrize(
    "command",
    [*SHOWING, *((*command, "--json") for command in SHOWING), ("rm", "train", "--yes")],
    ids=" ".join,
)
def test_no_command_unpickles(command):
    """Every saved state here is a pickle that would make a folder: it never appears."""
    fill(FOLDER, "train", DRAFT, later(complete=True))

    result = resume(*command)

    assert result.exit_code == 0, result.output
    assert not Path("unpickled").exists()


def test_the_payload_of_these_tests_would_bite():
    """The test above can fail: unpickled, the payload does make the folder."""
    import pickle

    from cli_shelf import PAYLOAD

    pickle.loads(PAYLOAD)

    assert Path("unpickled").is_dir()


def test_a_folder_that_is_a_file_holds_no_checkpoint():
    """No traceback for a wrong path, but the path and what to do."""
    Path("file").write_text("")

    result = resume("show", "train", "--folder", "file")

    assert result.exit_code == 2
    assert f"no checkpoint 'train' in {Path.cwd() / 'file'}" in result.stderr


def test_an_error_of_the_disk_is_one_line_with_its_exit_code():
    """What the operating system refuses is told with the path, exit code 30."""
    result = resume("rm", "train", "--yes", "--folder", "x" * 5000)

    assert result.exit_code == 30
    assert result.stderr.startswith("resume: ")
    assert result.stderr.endswith(": File name too long\n")


def test_every_command_has_help_that_says_what_it_does():
    """`--help` of each command tells more than its options, `--json` its keys."""
    for name, command in main.commands.items():
        text = resume(name, "--help").output
        assert command.help, name
        assert ("JSON: " in text) == ("--json" in text), name


def test_version():
    """`resume --version` names the package and its version."""
    import resume as package

    assert resume("--version").output == f"resume, version {package.__version__}\n"
