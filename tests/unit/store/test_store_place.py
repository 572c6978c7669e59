"""Which folder a program means."""

from __future__ import annotations

import pytest
from crash.disk import save

from resume.store import Store, find_folder, names


def test_a_keyword_beats_the_environment_beats_the_search(tmp_path, monkeypatch):
    """`folder=` > `RESUME_DIR` > what lies there; relative ones are those of the working folder."""
    (tmp_path / ".checkpoints").mkdir()
    assert find_folder(None) == (tmp_path / ".checkpoints", False)
    monkeypatch.setenv("RESUME_DIR", "env")
    assert find_folder(None) == (tmp_path / "env", False)
    assert find_folder("given") == (tmp_path / "given", False)
    assert find_folder(tmp_path / "abs") == (tmp_path / "abs", False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert find_folder("~/c") == (tmp_path / "home" / "c", False)


@pytest.mark.parametrize("mark", [".git", ".hg", ".svn"])
def test_the_search_goes_up_to_the_root_of_version_control(tmp_path, mark):
    """A `.checkpoints` above the root is another project's."""
    inner = tmp_path / "project" / "a" / "b"
    inner.mkdir(parents=True)
    (tmp_path / ".checkpoints").mkdir()
    assert find_folder(None, inner) == (inner / ".checkpoints", False)
    (tmp_path / "project" / mark).mkdir()
    assert find_folder(None, inner) == (inner / ".checkpoints", False)
    (tmp_path / "project" / ".checkpoints").mkdir()
    assert find_folder(None, inner) == (tmp_path / "project" / ".checkpoints", True)
    (inner.parent / ".checkpoints").mkdir()
    assert find_folder(None, inner) == (inner.parent / ".checkpoints", True)


def test_names_are_those_with_generations(tmp_path):
    """Sorted, decoded; empty folders and files are no checkpoints."""
    for name in ("b", "a/b", "ü"):
        store = Store(tmp_path / "c", name, fsync=False)
        save(store, 1, None)
        store.unlock()
    (tmp_path / "c" / "empty").mkdir()

    assert names(tmp_path / "c") == ["a/b", "b", "ü"]
    assert names(tmp_path / "none") == []


def test_a_folder_of_the_users_own_gets_no_gitignore(tmp_path):
    """Only a folder that we made, or a `.checkpoints`, is hidden from version control."""
    for folder, expected in (("runs", False), (".checkpoints", True)):
        (tmp_path / folder).mkdir(mode=0o755)
        store = Store(tmp_path / folder, "x", fsync=False)
        store.lock()
        store.unlock()
        assert (tmp_path / folder / ".gitignore").exists() == expected
        assert (tmp_path / folder).stat().st_mode & 0o777 == 0o755
