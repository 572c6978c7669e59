"""What a script has read and set in its process, over kills: input from a file, signals, logs."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[2]
DYING = CHECKOUT / "tests" / "corpus" / "reentry_dying.py"
pytestmark = [pytest.mark.timeout(120), pytest.mark.untraced]  # a tracer holds off saves on 3.11

SCRIPT = """
import atexit, logging, os, signal, sys, time

class Node:
    pass

caught, nodes = [], {Node() for _ in range(50)}
def handler(number, frame):
    caught.append(number)

def work(line):
    total = 0
    for k in range(5000):
        total += len(line) * k
    return total

signal.signal(signal.SIGUSR1, handler)
signal.signal(signal.SIGUSR2, signal.SIG_IGN)
atexit.register(print, "the end")
logging.basicConfig(filename="all.log", level=logging.INFO)
print(input())
for number, line in enumerate(sys.stdin):
    while os.path.exists(f"stop-{number}"):
        time.sleep(0.001)
    os.kill(os.getpid(), signal.SIGUSR1)
    os.kill(os.getpid(), signal.SIGUSR2)
    logging.info("line %s", line.strip())
    print(line.strip(), work(line), len(caught))
"""
INPUT = "".join(f"line {number}\n" for number in range(400))


def run(folder: Path, *words: str, stdin: Path, log: str = "log") -> subprocess.CompletedProcess:
    kept = {name: text for name, text in os.environ.items() if not name.startswith("RESUME_")}
    with (folder / log).open("ab") as out, stdin.open("rb") as given:
        return subprocess.run(
            [sys.executable, *words],
            cwd=folder,
            env={**kept, "PYTHONHASHSEED": "7", "PYTHONPATH": str(CHECKOUT)},
            stdin=given,
            stdout=out,
            stderr=subprocess.PIPE,
            text=True,
        )


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "script.py").write_text(SCRIPT)
    (tmp_path / "input").write_text(INPUT)
    return tmp_path


def test_input_signals_logs_and_the_end_are_those_of_one_run(folder):
    """Killed twice, at the latest where it is held up; then, another input is refused."""
    stdin, log = folder / "input", folder / "all.log"
    run(folder, "script.py", stdin=stdin, log="plain")
    logged = log.read_bytes()
    log.unlink()
    (folder / "other").write_text("another\n" + INPUT)

    for saves, hold in ((5, folder / "stop-150"), (4, folder / "stop-300")):
        hold.touch()
        died = run(folder, str(DYING), str(saves), "script.py", stdin=stdin)
        assert died.returncode == -signal.SIGKILL
        hold.unlink()
    refused = run(folder, "-m", "resume", "run", "script.py", stdin=folder / "other")
    last = run(folder, "-m", "resume", "run", "script.py", stdin=stdin)

    assert "of its standard input, which is another now" in refused.stderr
    assert refused.returncode not in (0, 1)
    assert "resuming script" in last.stderr
    assert "1 of the saved sets cannot be made again exactly" in last.stderr
    assert (folder / "log").read_bytes() == (folder / "plain").read_bytes()
    assert log.read_bytes() == logged
