"""Run a program again and again, as `resume run` lets one do: its stdout goes into one log.

Each run opens the log to append, as `>> log` does, and is a process of its own.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent
DYING = CHECKOUT / "tests" / "corpus" / "reentry_dying.py"


def pinned_environment(**more: str) -> dict[str, str]:
    """The caller's, without RESUME_*, with the package under test and one hash seed for all."""
    plain = {name: text for name, text in os.environ.items() if not name.startswith("RESUME_")}
    return {**plain, "PYTHONHASHSEED": "7", "PYTHONPATH": str(CHECKOUT), **more}


def run(
    folder: Path, *words: str, log: str | Path = "log", stdin: str = "", **more: str
) -> subprocess.CompletedProcess[str]:
    """Run `python WORDS` in *folder* to its end.

    Args:
        folder: Where it works.
        *words: What stands behind `python`.
        log: Where its stdout goes, behind what is there; relative to *folder*.
        stdin: What it reads.
        **more: Environment variables.

    Raises:
        subprocess.TimeoutExpired: It hung for 100 seconds. It was killed.
    """
    with (folder / log).open("ab") as out:
        return subprocess.run(
            [sys.executable, *words],
            cwd=folder,
            env=pinned_environment(**more),
            input=stdin,
            stdout=out,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            timeout=100,
        )


def resumed(folder: Path, *words: str, **more: str) -> subprocess.CompletedProcess[str]:
    """`run`, under `resume run`."""
    return run(folder, "-m", "resume", "run", *words, **more)


def dying(folder: Path, *words: str, saves: int, **more: str) -> subprocess.CompletedProcess[str]:
    """`resumed`, saving as often as it can, until so many saves are made; 0: to its end."""
    return run(folder, str(DYING), str(saves), *words, **more)


def died(folder: Path, saves: int, *words: str) -> None:
    """`dying`, and it did not end before."""
    ended = dying(folder, *words, saves=saves)

    assert ended.returncode == -signal.SIGKILL, ended.stderr


def generations(folder: Path) -> list[Path]:
    """The manifests of all that is saved in *folder*, oldest first."""
    return sorted((folder / ".checkpoints").glob("*/*.manifest.json"))
