"""What of a user's folder a proof copies, and what it refuses to copy."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from resume.errors import ConfigError
from resume.proving import copy_folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of a user, beside another."""
    mine, other = tmp_path / "mine", tmp_path / "other"
    for each in (mine, mine / "data", mine / "empty", other):
        each.mkdir()
    (mine / "script.py").write_text("print(1)\n")
    (mine / "data" / "table.csv").write_text("a,b\n")
    (other / "far.txt").write_text("far")
    return mine


def listed(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def copied(folder: Path, **more) -> Path:
    target = folder.parent / "copy"
    copy_folder(folder, target, **{"most_bytes": 1 << 20, **more})
    return target


def test_files_and_folders_are_copied_and_counted(folder):
    """With their times and rights; a change of the copy is none of the original."""
    os.utime(folder / "script.py", (1, 1))
    (folder / "script.py").chmod(0o500)

    told = copy_folder(folder, folder.parent / "copy", most_bytes=13)
    copy = folder.parent / "copy"
    (copy / "data" / "table.csv").write_text("other")

    assert (told.files, told.size_bytes, told.linked) == (2, 13, 0)
    assert listed(copy) == ["data", "data/table.csv", "empty", "script.py"]
    status = (copy / "script.py").stat()
    assert (status.st_mtime, status.st_mode & 0o777) == (1, 0o500)
    assert (folder / "data" / "table.csv").read_text() == "a,b\n"


@pytest.mark.parametrize("name", [".git", ".checkpoints", "__pycache__", "data/__pycache__"])
def test_what_no_script_works_with_is_left_out(folder, name):
    (folder / name).mkdir()
    (folder / name / "file").write_text("x" * (2 << 20))

    assert listed(copied(folder)) == ["data", "data/table.csv", "empty", "script.py"]


def test_a_virtual_environment_is_left_out_whatever_its_name(folder):
    (folder / "py").mkdir()
    (folder / "py" / "pyvenv.cfg").write_text("home = /usr")

    assert "py" not in listed(copied(folder))


def test_a_link_in_the_folder_leads_into_the_copy(folder):
    """Relative or absolute: never to the original."""
    (folder / "one").symlink_to("data/table.csv")
    (folder / "data" / "two").symlink_to(folder / "script.py")

    copy = copied(folder)

    assert (copy / "one").readlink() == Path("data/table.csv")
    assert (copy / "data" / "two").resolve() == copy / "script.py"


def test_what_a_link_leads_to_outside_is_copied(folder):
    """A file or a folder; what is written there is written to the copy. A dead link stays one."""
    (folder / "far").symlink_to(folder.parent / "other")
    (folder / "far.txt").symlink_to(folder.parent / "other" / "far.txt")
    (folder / "dead").symlink_to("nowhere")

    copy = copied(folder)

    assert (copy / "far" / "far.txt").read_text() == "far"
    assert not (copy / "far").is_symlink()
    assert not (copy / "far.txt").is_symlink()
    assert (copy / "dead").readlink() == Path("nowhere")


def test_a_link_to_a_folder_around_is_not_followed_for_ever(folder):
    """What is inside of itself is copied once."""
    (folder / "data" / "up").symlink_to(folder.parent)

    assert "data/up/other/far.txt" in listed(copied(folder))
    assert "data/up/mine" not in listed(folder.parent / "copy")


def test_pipes_and_sockets_are_left_out(folder):
    os.mkfifo(folder / "pipe")

    assert "pipe" not in listed(copied(folder))


def test_what_is_only_read_may_be_linked(folder):
    """It counts for nothing."""
    (folder / "data" / "large").write_bytes(bytes(100))

    told = copy_folder(folder, folder.parent / "copy", most_bytes=9, linked={Path("data")})

    assert (told.files, told.linked) == (1, 1)
    assert (folder.parent / "copy" / "data").readlink() == folder / "data"


def test_a_large_folder_is_refused_before_anything_is_copied(folder):
    """With what takes most of it, and both ways out."""
    (folder / "data" / "large").write_bytes(bytes(3 << 20))

    with pytest.raises(ConfigError, match=r"3\.0 MiB.*at most 1\.0 MiB.*data 3\.0 MiB") as told:
        copied(folder)

    assert "--link" in str(told.value)
    assert "--limit" in str(told.value)
    assert not (folder.parent / "copy").exists()
