"""A program that cannot find its way back must not end as if its result were one."""

from __future__ import annotations

import pytest

SCRIPT = """
    import os, sys
    from resume import Checkpoint
    turn = 0
    total = 0
    chp = Checkpoint(rate=0, fsync=False, background=False)
    chp.restore()
    if turn == 0:
        for i in chp.loop(range(4)):
            total += i
            turn = 1
            if i == 2 and sys.argv[1:] == ["die"]:
                os._exit(9)
    print("total", total)
"""
FUNCTION = """
    import os, sys
    from resume import Checkpoint

    def work():
        turn = total = 0
        chp = Checkpoint(rate=0, fsync=False, background=False)
        chp.restore()
        if turn == 0:
            for i in chp.loop(range(4)):
                total += i
                turn = 1
                if i == 2 and sys.argv[1:] == ["die"]:
                    os._exit(9)
        return total

    print("total", work())
"""


@pytest.mark.parametrize("source", [SCRIPT, FUNCTION], ids=["script", "function"])
def test_script_that_missed_its_way_ends_with_the_status_of_the_error(run_program, source):
    """Nothing can be raised behind the last statement, so a line tells it, and the status."""
    assert run_program(source, "die").returncode == 9

    ended = run_program(source)

    assert ended.returncode == 50
    assert "could not find the way back" in ended.stderr
    assert ended.stdout.startswith("total")


def test_script_that_fails_by_itself_keeps_its_own_status(run_program):
    source = SCRIPT + "    sys.exit('broken') if len(sys.argv) < 2 else None\n    1 / 0\n"
    assert run_program(source, "die").returncode == 9

    ended = run_program(source, "other")

    assert ended.returncode == 1
    assert "ZeroDivisionError" in ended.stderr


def test_script_that_finds_its_way_ends_with_zero(run_program):
    source = SCRIPT.replace("if turn == 0:", "if True:")
    assert run_program(source, "die").returncode == 9

    ended = run_program(source)

    assert (ended.returncode, ended.stdout) == (0, "total 6\n")
