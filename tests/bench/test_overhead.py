"""The measurement of what `resume run` costs tells what happened."""

from __future__ import annotations

import stat
import subprocess
import sys

import overhead
import pytest
from overhead import Bench, Row, Trial, Unequal, geometric_mean, table


def printed(*words: str, **more) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, overhead.__file__, *words],
        capture_output=True,
        text=True,
        timeout=100,
        **more,
    )


def cells(text: str) -> list[list[str]]:
    rows = [line for line in text.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line[1:-1].split("|")] for line in rows]


def test_the_command_prints_a_full_table():
    """A row for each program, then the mean and the worst."""
    ended = printed("--programs", "queens,tasks", "--repetitions", "1", "--scale", "0.01")

    rows = cells(ended.stdout)
    assert ["queens", "tasks", "**geometric mean**", "**worst**"] == [row[0] for row in rows[2:]]
    assert all(row[2][0] in "0123456789" for row in rows[2:])
    assert "medians of 1" in ended.stdout


@pytest.mark.parametrize("name", overhead.PROGRAMS)
def test_every_program_gives_the_same_answer_rewritten(name, tmp_path):
    """Small, in one process; the answer of twice the size is another."""
    from resume.rewrite import Helpers, rewrite
    from resume.script.options import NoSaving, RunOptions

    bench = Bench(tmp_path, "30s")
    size = bench.write(name)
    text = (tmp_path / f"{name}.py").read_text()
    plain, ours = {"__name__": __name__}, {"__name__": __name__}  # dataclasses look there
    exec(compile(text, name, "exec"), plain)
    exec(rewrite(text, name, Helpers(**NoSaving(RunOptions("")).helpers())).code, ours)
    small = max(1, size // 200)

    assert ours["main"](small) == plain["main"](small)
    assert plain["main"](2 * small) != plain["main"](small)


def test_another_answer_is_no_measurement():
    with pytest.raises(Unequal, match="fast: 1 plainly, 2 under resume run"):
        Row("fast").add(Trial(1.0, 1.0, "1"), Trial(1.0, 1.0, "2"))


def test_a_program_that_fails_is_told(tmp_path):
    (tmp_path / "broken.py").write_text("raise ValueError('too small')\n")

    with pytest.raises(Unequal, match="ended with 1:\n(.|\n)*too small"):
        Bench(tmp_path, "30s").run("broken", 1, rewritten=True)


def test_the_figures_below_the_table():
    """Means of ratios are geometric; the worst is named; what was not measured is a dash."""
    slow, fast = Row("slow"), Row("fast")
    slow.add(Trial(1.0, 1.0, ""), Trial(2.0, 1.0, ""))
    fast.add(Trial(1.0, 1.0, ""), Trial(0.5, 1.0, ""))
    fast.instructions = 1.25

    rows = {row[0]: row[1:] for row in cells(table([slow, fast]))}

    assert ["1.00 s", "2.000 (2.00 to 2.00)", "1.000 (1.00 to 1.00)", "–"] == rows["slow"]
    assert ["", "1.000", "1.000", "1.250"] == rows["**geometric mean**"]
    assert ["2.000 (slow)", "1.250 (fast)"] == [rows["**worst**"][1], rows["**worst**"][3]]
    assert None is geometric_mean([])
    assert "–" in table([Row("none")]).splitlines()[-1]


VALGRIND = """#!/bin/sh
# Counts as many instructions as the program's size has, a million each; ten millions to start.
for word; do size=$word; done
echo "==1== I   refs:      $((10 + size * FACTOR)),000,000" >&2
"""


def test_instructions_are_those_of_the_program_alone(tmp_path, monkeypatch):
    """What starting takes drops out, however much it is."""
    tool = tmp_path / "bin" / "valgrind"
    tool.parent.mkdir()
    tool.write_text(VALGRIND)
    tool.chmod(tool.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{tool.parent}:/usr/bin:/bin")
    monkeypatch.setenv("FACTOR", "7")

    assert 1.0 == overhead.count(Bench(tmp_path, "1h"), "queens", scale=0.1)
    assert 24_000_000 == Bench(tmp_path, "1h").instructions("queens", 2, rewritten=True)


def test_without_valgrind_it_says_so(monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")

    ended = printed("--instructions")

    assert (1, "") == (ended.returncode, ended.stdout)
    assert "needs valgrind" in ended.stderr
