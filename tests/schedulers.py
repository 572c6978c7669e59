"""Schedulers' commands for tests: real executables on PATH, which print what they are told to."""

from __future__ import annotations

import shlex
from pathlib import Path

VARIABLES = (
    *("SLURM_JOB_END_TIME", "SLURM_JOB_ID", "SLURM_ARRAY_JOB_ID", "SLURM_ARRAY_TASK_ID"),
    *("PBS_WALLTIME", "PBS_JOBID", "LSB_JOBID", "LSB_JOBINDEX", "FLUX_JOB_ID"),
    *("_CONDOR_JOB_AD", "_CONDOR_MACHINE_AD"),
)
"""Variables by which the tests' own scheduler would be taken for the program's."""


class Commands:
    """A folder for PATH with commands that do what the test says, and note their words."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()

    def prints(self, name: str, text: str, *, words: str | None = None) -> None:
        """*name* prints *text*; with *words*: only for them, else it fails."""
        fails = "echo 'other words were expected' >&2; exit 9"
        check = "" if words is None else f'[ "$*" = {shlex.quote(words)} ] || {{ {fails}; }}\n'
        self.does(name, f"{check}cat <<'END'\n{text}\nEND")

    def fails(self, name: str, text: str, status: int = 1) -> None:
        """*name* fails, and says *text*."""
        self.does(name, f"echo {shlex.quote(text)} >&2; exit {status}")

    def does(self, name: str, script: str) -> None:
        """*name* does what *script* says; its words are noted first."""
        path, notes = self.folder / name, shlex.quote(str(self.folder / f"{name}.calls"))
        path.write_text(f'#!/bin/sh\necho "$*" >>{notes}\n{script}\n', encoding="utf-8")
        path.chmod(0o755)

    def calls(self, name: str) -> list[str]:
        """The words of each call of *name*."""
        notes = self.folder / f"{name}.calls"
        return notes.read_text(encoding="utf-8").splitlines() if notes.exists() else []
