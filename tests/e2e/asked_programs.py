"""Programs that can be asked for a save from outside: one for each way in, all doing the same."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

PATIENCE_S = 90

_PLAIN = """
from resume import Checkpoint

def count():
    chp = Checkpoint({options})
    i = 0
    chp.restore()
    while True:
        i += 1
        {work}
        chp.sync()

count()
"""
_RESUMABLE = """
from resume import resumable

@resumable({options})
def count():
    i = 0
    while True:
        i += 1
        {work}

count()
"""
_SCRIPT = """
i = 0
while True:
    i += 1
    {work}
"""
WAYS = {"Checkpoint": _PLAIN, "@resumable": _RESUMABLE, "resume run": _SCRIPT}
WORK = "__import__('time').sleep(0.002); open('began', 'a').close()"


class Running:
    """A program that runs in a process of its own."""

    def __init__(self, process: subprocess.Popen[str], said: Path, name: str) -> None:
        self.process, self._said, self.name = process, said, name

    @property
    def said(self) -> str:
        """What it has written to standard error."""
        return self._said.read_text(encoding="utf-8")

    def wait_for(self, condition: Callable[[], object]) -> None:
        """Until something is so, while the program runs."""
        until = time.monotonic() + PATIENCE_S
        while not condition():
            assert self.process.poll() is None, self.said
            assert time.monotonic() < until, self.said
            time.sleep(0.005)

    def ended(self) -> int:
        """Wait for its end, and return its exit status."""
        return self.process.wait(PATIENCE_S)


@contextmanager
def running(way: str, folder: Path, *words: str, options: str = 'rate="1h"') -> Iterator[Running]:
    """The program of *way*, from when its loop runs until the block ends, where it is killed.

    Args:
        way: One of `WAYS`.
        folder: Its working folder.
        words: Options of `resume run`.
        options: Those of the checkpoint in the others.
    """
    path = folder / "count.py"
    path.write_text(WAYS[way].format(options=options, work=WORK))
    (folder / "began").unlink(missing_ok=True)
    before = ["-m", "resume", "run", "--rate", "1h", *words] if way == "resume run" else []
    said = folder / "said"
    with said.open("w") as errors:
        process = subprocess.Popen(
            [sys.executable, *before, str(path)], cwd=folder, stderr=errors, text=True
        )
    found = Running(process, said, "count")
    try:
        found.wait_for((folder / "began").exists)
        yield found
    finally:
        process.kill()
        process.wait()
