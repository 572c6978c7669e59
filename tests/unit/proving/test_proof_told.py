"""What a run tells `resume prove` arrives, and nothing else does."""

from __future__ import annotations

import os
from collections import Counter

from reruns import resumed

from resume.proving.told import Told, read_told
from resume.script.telling import Teller

SCRIPT = """
import os, resume
class Body:
    resume.save()
for k in range(4):
    resume.save()
    if k == 2:
        os._exit(9)
"""


def test_a_run_tells_of_its_begin_and_its_saves(tmp_path):
    """Each run for itself; where it went on, and what was in the way of a save."""
    (tmp_path / "script.py").write_text(SCRIPT)

    told = []
    for _ in range(2):
        assert resumed(tmp_path, "script.py", RESUME_PROOF=str(tmp_path)).returncode in {0, 9}
        process = int((tmp_path / "told").read_bytes().split(b'"pid": ')[-1].split(b",")[0])
        told.append(read_told(tmp_path, process))

    first, second = told
    assert (first.gone_on_from, first.saves, second.gone_on_from) == (None, 3, 3)
    assert first.began_at < first.saved_at < second.began_at
    assert second.saved_at is None
    assert sum(first.postponed.values()) == sum(second.postponed.values()) == 1
    assert list((tmp_path / "code").iterdir()), "what is kept of its code lies there, too"


def test_lines_of_others_and_lines_cut_off_are_passed_over(tmp_path):
    """A kill may come in the middle of a line; a program may start another."""
    assert read_told(tmp_path, 1) == Told()
    Teller(str(tmp_path)).tell("begin", 4, {})
    Teller(str(tmp_path)).tell("save", 6, {"why": 2})
    with (tmp_path / "told").open("a") as told:
        told.write('{"pid": 1, "event": "begin", "at": 2.0, "generation": null, "postponed": {}}\n')
        told.write(f'{{"pid": {os.getpid()}, "event": "sa')

    mine = read_told(tmp_path, os.getpid())

    assert (mine.gone_on_from, mine.saves, mine.postponed) == (4, 2, Counter(why=2))
    assert read_told(tmp_path, 1) == Told(began_at=2.0)


def test_a_fork_tells_nothing(tmp_path):
    """It is another program, with the same words."""
    teller = Teller(str(tmp_path))
    child = os.fork()
    if not child:
        teller.tell("end", None, {})
        os._exit(0)
    os.waitpid(child, 0)

    assert read_told(tmp_path, child) == read_told(tmp_path, os.getpid()) == Told()
