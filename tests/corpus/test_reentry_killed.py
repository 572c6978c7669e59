"""Programs of the corpus under `resume run`: killed behind saves, and never another result."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from reentry_programs import Program, programs
from reentry_proof import Shown, files_in

DYING = Path(__file__).parent / "reentry_dying.py"
CHECKOUT = DYING.parents[2]
OFTEN = 16
"""One program in so many is part of the normal run."""
EVENT_LOOPS = {"below_c_code", "coroutines"}
"""They run an event loop, and are refused."""


NOT_YET = {
    "argparse_main": "the place in standard input is not saved",
    "decorators": "what `cache_info()` counts is not saved",
    "default_of_a_global": "a class body that reads a computed global is refused at the restore",
    "log_to_file": "what `logging` was told is not saved",
    "metaclasses": "a metaclass that reads a computed global is refused at the restore",
    "object_lifetimes": "objects of frames that were left end at another time",
    "set_order": "not every order of a set can be made again",
    "traceback_texts": "an exception that is held loses its traceback",
}
"""What is not as it should be, program by program."""


def _marked() -> list[object]:
    found = [each for each in programs() if each.name not in EVENT_LOOPS]
    return [
        pytest.param(each, id=each.name, marks=_marks(each.name, row))
        for row, each in enumerate(found)
    ]


def _marks(name: str, row: int) -> list[pytest.MarkDecorator]:
    known = [pytest.mark.xfail(reason=NOT_YET[name])] if name in NOT_YET else []
    return [*known, *([pytest.mark.slow] if row % OFTEN or known else [])]


def _run(program: Program, words: list[str], folder: Path, checkpoints: Path) -> tuple[int, str]:
    """Run it in *folder*, its output behind that of the runs before."""
    folder.mkdir(exist_ok=True)
    environment = {
        **{name: text for name, text in os.environ.items() if not name.startswith("RESUME_")},
        "PYTHONHASHSEED": "0",
        "PYTHONPATH": str(CHECKOUT),
        "RESUME_DIR": str(checkpoints),
    }
    with folder.with_suffix(".log").open("ab") as log:
        ended = subprocess.run(
            [sys.executable, *words],
            cwd=folder,
            env=environment,
            input=program.stdin.encode(),
            stdout=log,
            stderr=subprocess.PIPE,
            timeout=100,
        )
    return ended.returncode, ended.stderr.decode(errors="replace")


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
    words, saved = [script, *program.arguments], tmp_path / "checkpoints"
    dice = random.Random(program.name)
    code, _ = _run(program, words, tmp_path / "plain", saved)
    told, kills, died = "", 0, -signal.SIGKILL

    while died == -signal.SIGKILL:
        lives = dice.randint(1, 6) if kills < 5 else 0
        died, stderr = _run(program, [str(DYING), str(lives), *words], tmp_path / "killed", saved)
        kills += died == -signal.SIGKILL
        told += stderr

    plain, killed = _shown(code, tmp_path / "plain"), _shown(died, tmp_path / "killed")
    assert plain.difference(killed) == "", f"after {kills} kills\n{told}"


@pytest.mark.parametrize("name", sorted(EVENT_LOOPS))
def test_a_program_with_an_event_loop_is_refused(name, tmp_path):
    """It does not start; the line, the reason and what to do are told."""
    (program,) = (each for each in programs() if each.name == name)
    script = program.copied(tmp_path)

    code, told = _run(
        program, ["-m", "resume", "run", str(script)], tmp_path / "run", tmp_path / "c"
    )

    assert code == 10
    assert f"{script}, line " in told
    assert "async" in told
    assert "Traceback" not in told
    assert (tmp_path / "run.log").read_bytes() == b""
