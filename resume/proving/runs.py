"""One run of the program: with plain python or under `resume run`, killed or to its end.

A run is a process group of its own: it dies as a whole, with what it started, and no Ctrl-C of the
terminal reaches it before it reaches us.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import resume
from resume.proving.comparing import Left
from resume.proving.told import Told, read_told


@dataclass(frozen=True, slots=True)
class Job:
    """What is run, each time the same."""

    words: tuple[str, ...]
    """What stands behind `python`: a script's path relative to the folder, or -m and a module,
    and the arguments."""
    folder: Path
    """Where the user would run it."""
    hash_seed: str
    stdin: Path | None = None
    options: tuple[str, ...] = ()
    """More for `resume run`."""


@dataclass(frozen=True, slots=True)
class Ended:
    """How one run ended."""

    code: int
    was_killed: bool
    """By us, before its end."""
    was_too_long: bool
    """It did not end in time, and was killed for that."""
    seconds: float
    cpu_s: float
    """Seconds of processors, with those of its children."""
    start_s: float | None
    """Seconds until the program's own code began; None: it did not, or nobody told."""
    first_save_s: float | None
    """Seconds until it first saved; None: it did not."""
    told: Told
    stderr: str
    """Of this run, and of those that it went on from."""

    @property
    def last_words(self) -> str:
        """The last line of its stderr."""
        return self.stderr.rstrip().rpartition("\n")[2]


class Stage:
    """Where all runs take place, one after the other.

    Args:
        scratch: A folder for it alone, which holds the folder `given` that each run begins with.
        job: What is run.
    """

    def __init__(self, scratch: Path, job: Job) -> None:
        self._scratch, self._job = scratch, job
        self.given, self._work = scratch / "given", scratch / "work" / job.folder.name
        self._log, self._told = scratch / "stdout", scratch / "stderr"
        self._saved, self._proof = scratch / "saved", scratch / "proof"
        self._proof.mkdir()
        self._environment = self._make_environment()

    def _moved(self, text: str) -> str:
        """A word of the user's, with paths in his folder led into the copy."""
        below = re.escape(str(self._job.folder)) + rf"(?={re.escape(os.sep)}|$)"
        return re.sub(below, lambda _: str(self._work), text)

    def _make_environment(self) -> dict[str, str]:
        kept = {name: text for name, text in os.environ.items() if not name.startswith("RESUME_")}
        paths = [self._moved(path) for path in kept.get("PYTHONPATH", "").split(os.pathsep) if path]
        package = Path(resume.__file__).parent.parent
        if package.name not in {"site-packages", "dist-packages"}:  # else it is found anyway
            paths.append(str(package))
        return kept | {
            "PWD": str(self._work),
            "PYTHONHASHSEED": self._job.hash_seed,
            **({"PYTHONPATH": os.pathsep.join(paths)} if paths else {}),
            "RESUME_DIR": str(self._saved),
            "RESUME_PROOF": str(self._proof),
        }

    def clear(self) -> None:
        """Let the next run begin as the first one did."""
        for folder in (self._work, self._saved):
            shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(self.given, self._work, symlinks=True)
        for log in (self._log, self._told):
            log.write_bytes(b"")

    def python(self, timeout_s: float | None) -> Ended:
        """Run it with plain python."""
        return self._run([], None, timeout_s)

    def resumed(
        self, rate_s: float, *, kill_after_s: float | None, timeout_s: float | None
    ) -> Ended:
        """Run it under `resume run`; *kill_after_s* None: to its end."""
        return self._run(
            ["-m", "resume", "run", "--rate", f"{rate_s:.6f}", *self._job.options],
            kill_after_s,
            timeout_s,
        )

    def take(self, name: str, ended: Ended) -> Left:
        """Put aside what the run, or those that it went on from, left, under *name*."""
        folder, stdout = self._scratch / name, self._scratch / f"{name}.stdout"
        shutil.rmtree(folder, ignore_errors=True)
        self._work.rename(folder)
        self._log.replace(stdout)
        return Left(ended.code, stdout, folder)

    def has_state(self) -> bool:
        """Whether there is a state of the program to go on from."""
        return any(
            json.loads(manifest.read_bytes()).get("position", {}).get("program")
            for manifest in self._saved.glob("*/*.manifest.json")
        )

    def _run(
        self, before: Sequence[str], kill_after_s: float | None, timeout_s: float | None
    ) -> Ended:
        words = [sys.executable, *before, *map(self._moved, self._job.words)]
        began, cpu = time.monotonic(), _cpu_of_children()
        with (
            (self._job.stdin or Path(os.devnull)).open("rb") as stdin,
            self._log.open("ab") as stdout,
            self._told.open("ab") as stderr,
        ):
            process = _start(words, self._work, self._environment, stdin, stdout, stderr)
            try:
                in_time = _wait(process, timeout_s if kill_after_s is None else kill_after_s)
            finally:
                _kill(process)
        seconds = time.monotonic() - began
        was_cut = not in_time and process.returncode == -signal.SIGKILL
        said = read_told(self._proof, process.pid)
        return Ended(
            code=process.returncode,
            was_killed=was_cut and kill_after_s is not None,
            was_too_long=was_cut and kill_after_s is None,
            seconds=seconds,
            cpu_s=_cpu_of_children() - cpu,
            start_s=None if said.began_at is None else said.began_at - began,
            first_save_s=None if said.saved_at is None else said.saved_at - began,
            told=said,
            stderr=self._told.read_text(encoding="utf-8", errors="replace"),
        )


def _start(
    words: Sequence[str],
    folder: Path,
    environment: dict[str, str],
    stdin: IO[bytes],
    stdout: IO[bytes],
    stderr: IO[bytes],
) -> subprocess.Popen[bytes]:
    return subprocess.Popen(  # noqa: S603 - the user's own program
        words,
        cwd=folder,
        env=environment,
        stdin=stdin,
        stdout=stdout,
        stderr=stderr,
        start_new_session=True,
    )


def _wait(process: subprocess.Popen[bytes], seconds: float | None) -> bool:
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        return False
    return True


def _kill(process: subprocess.Popen[bytes]) -> None:
    """Kill it, if it runs, and whatever it has left behind."""
    with contextlib.suppress(ProcessLookupError, PermissionError):  # macOS: a zombie's group
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _cpu_of_children() -> float:
    import resource  # noqa: PLC0415 - not everywhere

    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime
