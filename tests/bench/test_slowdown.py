"""The measurement of the main thread during a background save tells what happened."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import slowdown
from slowdown import AllChanged, Turn, table, work


def test_the_command_prints_a_full_table(tmp_path):
    """A row for each contender, every cell filled, and nothing left behind."""
    given = ["--size", "1MiB", "--repetitions", "1", "--work", "vector", "--folder", str(tmp_path)]
    given += ["--peers", "resume;fork+pickle;thread+pickle"]

    printed = subprocess.run(
        [sys.executable, slowdown.__file__, *given],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    ).stdout

    rows = [line.strip("| ").split(" | ") for line in printed.splitlines() if line.startswith("|")]
    assert ["resume", "fork+pickle", "thread+pickle"] == [row[0] for row in rows[2:]]
    assert all(len(row) == 6 and all(row) for row in rows[2:])
    assert [] == list(tmp_path.iterdir())


@pytest.mark.filterwarnings("ignore:torch.distributed is disabled")
@pytest.mark.parametrize("name", slowdown.CONTENDERS)
def test_every_contender_tells_when_it_has_written(name, tmp_path):
    """`is_writing` turns false by itself, and what was written is the changed state."""
    contender = slowdown.CONTENDERS[name]()
    if why := contender.missing():
        pytest.skip(why)
    state = AllChanged(1 << 20)
    state.place = tmp_path

    turn = slowdown.take_turn(contender, state, work("python"))

    assert turn.pause_s > 0
    assert turn.control_s > 0


def test_a_turn_in_numbers():
    """Two units, of which one took three times the control."""
    turn = Turn(pause_s=0.1, writing_s=0.4, control_s=0.1, units_s=[0.1, 0.3])

    assert [2.0, 3.0, 0.2] == pytest.approx([turn.slowdown, turn.worst, turn.lost_s])


def test_who_had_written_all_before_is_told():
    """No slowdown is claimed of a save that was over when it returned."""
    text = table("python", {"resume": [Turn(0.1, 0.0, 0.1)]}, {"other": "not here"})

    assert "| resume | 100 ms (100 ms to 100 ms) | had written all before it returned |" in text
    assert "| other | not here |" in text


def test_a_step_changes_all_of_the_state():
    state = AllChanged(1 << 20)
    before = {name: array.copy() for name, array in state.value.items()}

    state.change()

    assert all(np.all(before[name] != array) for name, array in state.value.items())


@pytest.mark.parametrize("kind", ["python", "vector", "matmul"])
def test_units_of_work_run(kind):
    assert work(kind)() is None
