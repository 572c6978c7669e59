"""Kill a command from outside at random times, run it again until it ends, and compare.

What stays over all runs is what a user has: the folder, and one log that stdout goes to. There are
two ways to have such a log, and a program that goes on must cut back either:

- `>> log`: each run opens it anew, to append.
- `(again and again) > log`: it is opened once, and all runs share the place where it is written.

A run is a process group of its own and dies by SIGKILL as a whole. Times are drawn by a seed; what
a program has done by then is the machine's matter, so the same seed kills elsewhere on another day.
"""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from reentry_proof import Shown, files_in


@dataclass(frozen=True, slots=True)
class Command:
    """What is run, each time the same."""

    arguments: tuple[str, ...]
    """The whole command line, e.g. `python -m resume run script.py 3`."""
    env: Mapping[str, str]
    stdin: bytes = b""
    starts_over: Callable[[], bool] | None = None
    """Says after a kill that nothing was saved yet, so that the log and the folder are emptied
    before the next run; None: the command sees to that by itself."""


@dataclass(frozen=True, slots=True)
class Killed:
    """How it went over all runs."""

    shown: Shown
    """What the last run left; its stdout is the whole log, its stderr that of the last run."""
    kills: int
    fresh: int
    """After how many kills nothing was saved yet."""
    seconds: tuple[float, ...]
    """How long each run lived."""


@contextlib.contextmanager
def _log(path: Path, *, once: bool):
    """Yield a function that gives each run its stdout."""
    if once:
        with path.open("wb", buffering=0) as log:
            yield lambda: contextlib.nullcontext(log)
    else:
        yield lambda: path.open("ab", buffering=0)


def _run(
    command: Command, folder: Path, out: IO[bytes], kill_after_s: float | None, timeout_s: float
) -> tuple[int, bytes]:
    """Run it once; returns its exit status, -9 where it was killed, and its stderr."""
    given, told = folder.with_suffix(".in"), folder.with_suffix(".err")
    given.write_bytes(command.stdin)
    with given.open("rb") as stdin, told.open("wb") as stderr:
        process = subprocess.Popen(
            command.arguments,
            cwd=folder,
            env=dict(command.env),
            stdin=stdin,
            stdout=out,
            stderr=stderr,
            start_new_session=True,
        )
        try:
            process.wait(timeout_s if kill_after_s is None else kill_after_s)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            if kill_after_s is None:
                raise
    return process.returncode, told.read_bytes()


def undisturbed(command: Command, folder: Path, *, timeout_s: float = 100) -> tuple[Shown, float]:
    """Run *command* once in the new *folder*; returns what it leaves, and its seconds."""
    folder.mkdir()
    path = folder.with_suffix(".log")
    started = time.monotonic()
    with path.open("wb") as out:
        code, stderr = _run(command, folder, out, None, timeout_s)
    seconds = time.monotonic() - started
    return Shown(code, path.read_bytes(), stderr, files_in(folder)), seconds


def killed(
    command: Command,
    folder: Path,
    *,
    kills: int,
    lives_s: tuple[float, float],
    seed: int,
    once: bool = False,
    timeout_s: float = 100,
) -> Killed:
    """Run *command* in the new *folder*, kill it *kills* times, and let it end.

    Args:
        command: What is run.
        folder: Where. Beside it are the log, the input and the stderr of the last run.
        kills: How often at most; it may end before.
        lives_s: A run lives so many seconds at least, and at most, before it is killed.
        seed: Draws the seconds.
        once: The log is opened once for all runs, not by each run to append.
        timeout_s: How long the last run may take.

    Raises:
        subprocess.TimeoutExpired: The last run hung. It was killed.
    """
    folder.mkdir()
    path = folder.with_suffix(".log")
    draw, done, fresh, seconds = random.Random(seed), 0, 0, list[float]()
    with _log(path, once=once) as log:
        while True:
            after = draw.uniform(*lives_s) if done < kills else None
            started = time.monotonic()
            with log() as out:
                code, stderr = _run(command, folder, out, after, timeout_s)
                seconds.append(time.monotonic() - started)
                if code != -signal.SIGKILL:
                    shown = Shown(code, path.read_bytes(), stderr, files_in(folder))
                    return Killed(shown, done, fresh, tuple(seconds))
                done += 1
                if command.starts_over is not None and command.starts_over():
                    fresh += 1
                    _empty(folder, out)


def _empty(folder: Path, out: IO[bytes]) -> None:
    os.ftruncate(out.fileno(), 0)
    os.lseek(out.fileno(), 0, os.SEEK_SET)
    for name in files_in(folder):
        (folder / name).unlink()


def difference(plain: Shown, run: Killed) -> str:
    """Say what a killed and rerun command left otherwise; empty where nothing. Stderr is not
    compared: what was told before a kill is told again.
    """
    shown = run.shown
    found = Shown(plain.code, plain.stdout, b"", plain.files).difference(
        Shown(shown.code, shown.stdout, b"", shown.files)
    )
    return f"after {run.kills} kills, {found}" if found else ""
