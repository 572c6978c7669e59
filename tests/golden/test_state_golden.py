"""A checkpoint written when format version 1 was fixed is read, and its run goes on, for ever."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import resume

HERE = Path(__file__).resolve().parent
PROGRAM = """
import json, sys
from pathlib import Path
sys.path.insert(0, {root!r})
import make_state_v1
make_state_v1.HERE = Path({place!r})
print(json.dumps(make_state_v1.run()))
"""


@pytest.fixture
def copy(tmp_path):
    """The committed files, owned by whoever runs the tests."""
    shutil.copytree(HERE / "state_v1", tmp_path / "state_v1")
    shutil.copy(HERE / "make_state_v1.py", tmp_path)
    return tmp_path


def result(place: Path) -> dict[str, object]:
    text = PROGRAM.format(root=str(place), place=str(place))
    ended = subprocess.run(
        [sys.executable, "-c", text], capture_output=True, text=True, check=True, timeout=60
    )
    answer: dict[str, object] = json.loads(ended.stdout)
    return answer | {"resumed": "resuming" in ended.stderr}


def test_the_saved_variables_are_read(copy):
    saved = resume.load("golden", folder=copy / "state_v1", trust=True)

    assert saved.manifest.schema_version == 1
    assert saved["names"]["a"] is saved["names"]["b"] is saved["shared"]
    assert saved["window"].base is saved["table"]
    assert list(saved["names"]["t", 2]) == [1, 2, 3]
    assert saved["queue"].maxlen == 4
    assert saved["note"] == "kept"


def test_the_run_goes_on_to_the_result_of_an_uninterrupted_one(copy, tmp_path):
    """In the middle of two loops, with all generators of random numbers where they were."""
    (tmp_path / "elsewhere").mkdir()
    shutil.copy(HERE / "make_state_v1.py", tmp_path / "elsewhere")
    plain = result(tmp_path / "elsewhere")
    resumed = result(copy)

    assert not plain.pop("resumed")
    assert resumed.pop("resumed")
    assert plain == resumed
