"""Programs of the corpus under `resume run`: killed behind saves, and never another result."""

from __future__ import annotations

import random
import signal
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from processes import environment
from reentry_killing import Command, difference, killed, undisturbed
from reentry_programs import Program, programs
from reentry_proof import Shown, files_in
from reruns import dying, resumed, run

OFTEN = 16
"""One program in so many is part of the normal run: other ones on each Python."""
FIRST = sys.version_info.minor * 5 % OFTEN
EVENT_LOOPS = {"below_c_code", "coroutines"}
"""They run an event loop, and are refused."""
OVERWRITTEN = {"appended_rows", "binary_files", "heat_equation"}
"""They change a closed file, and it counts what was there: they need `--undo-files`."""


def _marked() -> list[object]:
    found = [each for each in programs() if each.name not in EVENT_LOOPS]
    return [pytest.param(each, id=each.name, marks=_marks(row)) for row, each in enumerate(found)]


def _marks(row: int) -> list[pytest.MarkDecorator]:
    return [] if row % OFTEN == FIRST else [pytest.mark.slow]


def _run(program: Program, words: list[str], folder: Path, how: Callable[..., Any]) -> Any:
    """Run it in *folder*, its output behind that of the runs before."""
    folder.mkdir(exist_ok=True)
    saved = folder.parent / "checkpoints"
    given = {"log": folder.with_suffix(".log"), "stdin": program.stdin, "RESUME_DIR": str(saved)}
    return how(folder, *words, **given, PYTHONHASHSEED="0")


def _shown(code: int, folder: Path) -> Shown:
    return Shown(code, folder.with_suffix(".log").read_bytes(), b"", files_in(folder))


@pytest.mark.untraced  # a tracer holds off saves on 3.11
@pytest.mark.timeout(600)
@pytest.mark.parametrize("program", _marked())
def test_killed_behind_its_saves(program, tmp_path):
    """Standard output, files and exit status are those of `python`, after up to five kills."""
    if missing := program.missing():
        pytest.skip(f"{missing} is not installed")
    (tmp_path / "source").mkdir()
    script = str(program.copied(tmp_path / "source"))
    words = [script, *program.arguments]
    dice = random.Random(program.name)
    code = _run(program, words, tmp_path / "plain", run).returncode
    told, kills, died = "", 0, -signal.SIGKILL

    while died == -signal.SIGKILL:
        lives = dice.randint(1, 6) if kills < 5 else 0
        ended = _run(program, words, tmp_path / "killed", partial(dying, saves=lives))
        died = ended.returncode
        kills += died == -signal.SIGKILL
        told += ended.stderr

    plain, killed = _shown(code, tmp_path / "plain"), _shown(died, tmp_path / "killed")
    assert plain.difference(killed) == "", f"after {kills} kills\n{told}"


@pytest.mark.slow
@pytest.mark.untraced
@pytest.mark.timeout(900)
@pytest.mark.parametrize("program", _marked())
def test_killed_from_outside(program, tmp_path):
    """The same, killed a dozen times at whatever moment, in a save too."""
    if missing := program.missing():
        pytest.skip(f"{missing} is not installed")
    (tmp_path / "source").mkdir()
    script = str(program.copied(tmp_path / "source"))
    env = environment(PYTHONHASHSEED="0", RESUME_DIR=str(tmp_path / "checkpoints"))
    given = program.stdin.encode()
    plain, seconds = undisturbed(
        Command((sys.executable, script, *program.arguments), env, given), tmp_path / "plain"
    )
    options = ["--undo-files"] if program.name in OVERWRITTEN else []
    words = ("-m", "resume", "run", "--rate", "0", *options, script, *program.arguments)

    run = killed(
        Command((sys.executable, *words), env, given, starts_over=partial(_none_saved, tmp_path)),
        tmp_path / "killed",
        kills=12,
        lives_s=(0.3, 0.6 + seconds),
        seed=len(program.name),
    )

    assert difference(plain, run) == "", run.shown.stderr.decode()


def _none_saved(folder: Path) -> bool:
    return not list((folder / "checkpoints").rglob("*.manifest.json"))


@pytest.mark.parametrize("name", sorted(EVENT_LOOPS))
def test_a_program_with_an_event_loop_is_refused(name, tmp_path):
    """It does not start; the line, the reason and what to do are told."""
    (program,) = (each for each in programs() if each.name == name)
    script = program.copied(tmp_path)

    ended = _run(program, [str(script)], tmp_path / "run", resumed)

    assert ended.returncode == 10
    assert f"{script}, line " in ended.stderr
    assert "async" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert (tmp_path / "run.log").read_bytes() == b""
