"""Many generations of one run: what they leave behind in the process and on the disk."""

from __future__ import annotations

import gc
import sys

import many
import pytest
from many import Look, growth

MIB = 1 << 20
# 3.12 never frees an interned string, and pathlib interns each part of a path: two names a save
KEPT_BY_A_SAVE = 4 if sys.version_info[:2] == (3, 12) else 2


@pytest.mark.untraced
def test_saves_leave_nothing_behind_in_memory(tmp_path):
    """Two hundred more saves hold no more objects: nothing is kept for each of them.

    One object a save is its time in the benchmark's own list, and caches fill up for hundreds of
    saves; so the bound stands at two. A single name kept for each save breaks it.
    """
    held = {}

    def look_at_memory(generations, folder):
        gc.collect()
        held[generations] = sys.getallocatedblocks()

    many.measure((400, 600), tmp_path, fsync=False, look=look_at_memory)

    assert held[600] - held[400] < KEPT_BY_A_SAVE * 200


def test_saves_leave_nothing_behind_on_the_disk(tmp_path):
    """Files, open files and threads are as many after 40 saves as after 8."""
    looks, times = many.measure((1, 8, 40), tmp_path, fsync=False)

    assert [1, 8, 40] == [one.generations for one in looks]
    assert 40 == len(times)
    assert [] == growth(looks, 1.0, 1.0)


@pytest.mark.parametrize(
    ("end", "late_s", "told"),
    [
        (Look(10, 90 * MIB, 8, 1, 7, 1000), 1.0, "memory by 40 MiB"),
        (Look(10, 50 * MIB, 9, 1, 7, 1000), 1.0, "open_files from 8 to 9"),
        (Look(10, 50 * MIB, 8, 2, 7, 1000), 1.0, "threads from 1 to 2"),
        (Look(10, 50 * MIB, 8, 1, 9, 1000), 1.0, "files from 7 to 9"),
        (Look(10, 50 * MIB, 8, 1, 7, 9 * MIB), 1.0, "disk from 1e+03 B to 9 MiB"),
        (Look(10, 50 * MIB, 8, 1, 7, 1000), 2.0, "a save from 1.00 s to 2.00 s"),
    ],
)
def test_growth_is_told(end, late_s, told):
    """Each kind of growth is named, with how much."""
    start = Look(1, 50 * MIB, 8, 1, 7, 1000)

    assert [told] == growth([start, start, end], 1.0, late_s)


def test_the_command(tmp_path, capsys):
    """It prints every look, and ends with the status that says whether something grew."""
    with pytest.raises(SystemExit) as ended:
        many.main(["--generations", "30", "--folder", str(tmp_path)])

    printed = capsys.readouterr().out
    assert printed.count("\n| ") == 3
    assert ended.value.code == ("grew: nothing" not in printed)
    assert [] == list(tmp_path.iterdir())
