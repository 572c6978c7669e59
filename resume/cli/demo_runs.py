"""The demo's child processes: start the program, follow what it prints, kill it on cue."""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import resume
from resume.errors import ConfigError

PROGRAM = Path(__file__).with_name("demo_program.py")
_MEASURED_STEPS = 200


@dataclass(slots=True)
class Outcome:
    """How one run of the program ended."""

    step: int = 0
    """The last step that it told."""
    result: dict[str, object] | None = None
    killed: bool = False
    code: int = 0
    lines: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        """The last lines that were neither steps nor the result."""
        return "\n".join(self.lines[-15:])


def run_once(
    folder: Path,
    steps: int,
    *,
    on_step: Callable[[int, str], None],
    on_line: Callable[[str], None],
    kill_at: int | None = None,
) -> Outcome:
    """Run the program in *folder* to its end, or until a moment after step *kill_at*.

    The moment is random within some steps, so that the kill meets saves and steps alike. The child
    is gone when this returns, whatever happened.
    """
    outcome = Outcome()
    start = time.monotonic()
    with _child(folder, steps) as (process, lines):
        for line in lines:
            if not line.endswith("\n"):  # cut off by the kill
                break
            _follow(line.rstrip("\n"), outcome, on_step, on_line)
            if kill_at is not None and outcome.step >= kill_at and not outcome.killed:
                a_step = (time.monotonic() - start) / max(outcome.step, 1)
                time.sleep(random.uniform(0, 5) * min(a_step, 0.02))  # noqa: S311
                process.kill()
                outcome.killed = True
        code = process.wait()
    # a program that ended in the moment of the kill was not killed
    outcome.killed = outcome.killed and code != 0
    outcome.code = code
    return outcome


def _follow(
    line: str,
    outcome: Outcome,
    on_step: Callable[[int, str], None],
    on_line: Callable[[str], None],
) -> None:
    first, _, rest = line.partition(" ")
    if first == "step":
        number, _, last = rest.partition(" ")
        outcome.step = int(number)
        on_step(outcome.step, last)
    elif first == "result":
        outcome.result = json.loads(rest)
    elif line and not outcome.killed:
        outcome.lines.append(line)
        on_line(f"   {line}")


@contextmanager
def _child(folder: Path, steps: int) -> Iterator[tuple[subprocess.Popen[str], IO[str]]]:
    folder.mkdir(exist_ok=True)
    program = folder / PROGRAM.name
    if not program.exists():
        shutil.copyfile(PROGRAM, program)
    process = subprocess.Popen(  # noqa: S603 - our own interpreter and our own file
        [sys.executable, str(program), str(steps)],
        cwd=folder,
        env=_environment(folder),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
    )
    if process.stdout is None:
        raise ConfigError("the demo's program has no output to follow")
    try:
        with process.stdout:
            yield process, process.stdout
    finally:
        process.kill()
        process.wait()


def _environment(folder: Path) -> dict[str, str]:
    """The user's environment without its settings of ours; the package importable from anywhere."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("RESUME_")}
    package = str(Path(resume.__file__).parent.parent)
    paths = [package, *filter(None, [kept.get("PYTHONPATH")])]
    return kept | {
        "RESUME_DIR": str(folder / ".checkpoints"),
        "PYTHONPATH": os.pathsep.join(paths),
        "PYTHONIOENCODING": "utf-8",
        "OMP_NUM_THREADS": "1",  # matrices this small only wait for each other on more
    }


def steps_for(seconds: float, folder: Path) -> int:
    """How many steps of the program take about *seconds* on this machine, a round number."""
    told: list[float] = []
    run_once(
        folder,
        _MEASURED_STEPS,
        on_step=lambda *_: told.append(time.monotonic()),
        on_line=lambda _: None,
    )
    if len(told) < _MEASURED_STEPS:  # it failed: the run that follows says how
        return _MEASURED_STEPS
    a_step = (told[-1] - told[0]) / len(told)
    return max(_MEASURED_STEPS, round(seconds / a_step / 100) * 100)
