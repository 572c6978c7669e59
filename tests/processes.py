"""Run programs in processes of their own, kill them for real, and keep what they left behind.

Two ways, both real processes that die by a real SIGKILL:

- `run_program`: a new interpreter, killed from outside after so many seconds. What a user has.
- `Nursery`: one warm interpreter that has imported numpy and the library and forks a child for each
  program. A tenth of the time, so every save of every program can have its own kill.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import resume

RUNNER = Path(__file__).parent / "corpus" / "loops" / "run_program.py"


@dataclass(frozen=True, slots=True)
class Ended:
    """How one process ended, and what it said."""

    code: int
    """Exit status; minus the signal's number where a signal ended it."""
    stdout: str
    stderr: str
    seconds: float = 0.0
    report: Mapping[str, Any] = field(default_factory=dict)
    """What the runner counted: `commits`, `ticks`, and of an uncaught error `error` (the names of
    its class and of its bases) and `text`. Empty where the process was killed."""

    @property
    def killed(self) -> bool:
        """Whether SIGKILL ended it."""
        return self.code == -9

    @property
    def last_line(self) -> str:
        """The last line of its standard output, empty where there was none."""
        return self.stdout.rstrip("\n").rpartition("\n")[2]

    def raised(self, name: str) -> bool:
        """Whether an uncaught error of this class, or of one derived from it, ended it."""
        return name in self.report.get("error", ())


def environment(**more: str) -> dict[str, str]:
    """The environment of a program under test: none of the caller's RESUME_*, one BLAS thread."""
    inherited = {
        name: value for name, value in os.environ.items() if not name.startswith("RESUME_")
    }
    root = str(Path(resume.__file__).resolve().parents[1])
    return inherited | {
        "PYTHONPATH": root,
        "PYTHONDONTWRITEBYTECODE": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "OMP_NUM_THREADS": "1",
        **more,
    }


def run_program(
    arguments: Sequence[str | Path],
    *,
    cwd: Path,
    env: Mapping[str, str],
    kill_after_s: float | None = None,
    timeout_s: float = 60.0,
) -> Ended:
    """Run `python ARGUMENTS` and wait for its end; kill it with SIGKILL after *kill_after_s*.

    Raises:
        subprocess.TimeoutExpired: It hung longer than *timeout_s*. It was killed.
    """
    started = time.monotonic()
    with subprocess.Popen(
        [sys.executable, *map(str, arguments)],
        cwd=cwd,
        env=dict(env),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            stdout, stderr = process.communicate(
                timeout=timeout_s if kill_after_s is None else kill_after_s
            )
        except subprocess.TimeoutExpired:
            process.kill()
            stdout, stderr = process.communicate()
            if kill_after_s is None:
                raise
    return Ended(process.returncode, stdout, stderr, time.monotonic() - started)


class Nursery:
    """A warm interpreter that forks one child for each program it is asked to run."""

    def __init__(self, scratch: Path) -> None:
        self.scratch = scratch
        self.runs = 0
        # Thousands of children, most of them killed: coverage is measured elsewhere.
        env = {name: value for name, value in environment().items() if not name.startswith("COV")}
        self.process = subprocess.Popen(
            [sys.executable, str(RUNNER), "--serve"],
            env=env,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def run(
        self,
        program: Path,
        *,
        store: Path,
        arguments: Sequence[str] = (),
        kill: str = "",
        **env: str,
    ) -> Ended:
        """Run *program* with its checkpoints in *store*.

        Args:
            program: The script; it runs as `__main__`.
            store: RESUME_DIR of the child.
            arguments: The rest of its `sys.argv`.
            kill: `commit:3` to die by SIGKILL right after the third commit, `tick:5` at the
                fifth call of `tick()`; empty to let it end by itself.
            **env: More environment variables of the child.
        """
        self.runs += 1
        base = self.scratch / f"run-{os.getpid()}"
        job = {
            "program": str(program),
            "arguments": list(arguments),
            "base": str(base),
            "cwd": str(self.scratch),
            "env": {"RESUME_DIR": str(store), "RESUME_TEST_KILL": kill, **env},
        }
        started = time.monotonic()
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps(job) + "\n")
        self.process.stdin.flush()
        answer = json.loads(self.process.stdout.readline())
        report = base.with_suffix(".report")
        ended = Ended(
            answer["code"],
            base.with_suffix(".out").read_text(),
            base.with_suffix(".err").read_text(),
            time.monotonic() - started,
            json.loads(report.read_text()) if report.exists() else {},
        )
        report.unlink(missing_ok=True)
        return ended

    def close(self) -> None:
        """End the interpreter; its children have all ended by then."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.close()
        self.process.wait(timeout=20)
        self.process.stdout.close()
