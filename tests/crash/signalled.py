"""Programs that are sent signals, as users write them, and processes that run them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
PATIENCE_S = 100.0

_WORK = '''
import os, random, sys, time
random.seed(7)

def note(k):
    """One line for each item that is done: its number, in a file that is never cut back."""
    with open("log", "a") as log:
        log.write(f"{k}\\n")

def step(state, k):
    time.sleep(0.001)
    for _ in range(200):
        j = random.randrange(len(state))
        state[j] = state[j] * 0.5 + random.random()
    return j
'''

PLAIN = (
    _WORK
    + """
from resume import Checkpoint

def work(n):
    chp = Checkpoint("work", rate="1h")
    state, total = [0.0] * 100, 0
    chp.restore()
    for k in chp.loop(range(n)):
        total += step(state, k)
        note(k)
    return total, sum(state)

if __name__ == "__main__":
    print(work(int(sys.argv[1])))
"""
)

RESUMABLE = (
    _WORK
    + """
from resume import resumable

@resumable(rate="1h")
def work(n):
    state, total = [0.0] * 100, 0
    for k in range(n):
        total += step(state, k)
        note(k)
    return total, sum(state)

if __name__ == "__main__":
    print(work(int(sys.argv[1])))
"""
)

SCRIPT = (
    _WORK
    + """
state, total = [0.0] * 100, 0
for k in range(int(sys.argv[1])):
    total += step(state, k)
    note(k)
print((total, sum(state)))
"""
)


class Program:
    """A program that runs in a folder of its own."""

    def __init__(self, folder: Path, source: str, *words: str) -> None:
        self.folder = folder
        folder.mkdir(exist_ok=True)
        (folder / "program.py").write_text(source)
        self.words = words

    def start(self) -> Running:
        """Run it in a process of its own."""
        return Running(self.folder, self.words)

    def ended(self) -> Ended:
        """Run it to its end."""
        return self.start().ended()

    def log(self) -> list[int]:
        """Numbers of the items that were done."""
        path = self.folder / "log"
        lines = path.read_text().split() if path.exists() else []
        return [int(line) for line in lines]


class Ended:
    """How a process ended."""

    def __init__(self, code: int, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err

    def __repr__(self) -> str:
        return f"ended with {self.code}\n{self.out}\n{self.err}"


class Running:
    """A process; what it says is read while it runs."""

    def __init__(self, folder: Path, words: tuple[str, ...]) -> None:
        # a tracer that measures these holds what their saves need on 3.11
        plain = {
            name: text
            for name, text in os.environ.items()
            if not name.startswith(("RESUME_", "COV"))
        }
        paths = {"PYTHONPATH": str(CHECKOUT), "PYTHONHASHSEED": "7"}
        self.process = subprocess.Popen(
            [sys.executable, *words],
            cwd=folder,
            env={**plain, **paths},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.lines: list[str] = []
        self._errors: list[str] = []
        streams = ((self.process.stdout, self.lines), (self.process.stderr, self._errors))
        self._readers = [
            threading.Thread(target=into.extend, args=(stream,)) for stream, into in streams
        ]
        for reader in self._readers:
            reader.start()

    def send(self, number: int) -> None:
        """Send it a signal."""
        self.process.send_signal(number)

    def wait_for(self, is_true) -> None:
        """Wait until that is so.

        Raises:
            AssertionError: It has ended before, or it takes too long.
        """
        deadline = time.monotonic() + PATIENCE_S
        while not is_true():
            assert self.process.poll() is None, self.ended()
            assert time.monotonic() < deadline, self.killed()
            time.sleep(0.002)

    def wait_for_line(self, line: str) -> None:
        """Wait until it has printed that."""
        self.wait_for(lambda: f"{line}\n" in self.lines)

    def killed(self) -> Ended:
        """End it from outside."""
        self.process.send_signal(signal.SIGKILL)
        return self.ended()

    def ended(self) -> Ended:
        """Wait for its end."""
        try:
            code = self.process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            code = self.process.wait()
        for reader in self._readers:
            reader.join()
        for stream in (self.process.stdout, self.process.stderr):
            stream.close()
        return Ended(code, "".join(self.lines), "".join(self._errors))
