"""Prove one program: plain in a process of its own, then rewritten, undisturbed and stopped."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from processes import environment
from reentry_programs import Program

MACHINE = Path(__file__).parent / "reentry_machine.py"


@dataclass(frozen=True, slots=True)
class Shown:
    """All that a run leaves."""

    code: int
    stdout: bytes
    stderr: bytes
    files: dict[str, bytes]

    def difference(self, other: Shown) -> str:
        """Say what is not the same in *other*; empty where nothing is."""
        if self == other:
            return ""
        for name in ("stdout", "stderr", "code"):
            mine, its = getattr(self, name), getattr(other, name)
            if mine != its:
                return f"{name} differs: {_first_difference(mine, its)}"
        names = {name for name, _ in set(self.files.items()) ^ set(other.files.items())}
        return f"files differ: {sorted(names)}"


def _first_difference(mine: object, its: object) -> str:
    if not isinstance(mine, bytes) or not isinstance(its, bytes):
        return f"{mine!r}, not {its!r}"
    ours, theirs = mine.splitlines(), its.splitlines()
    for number, (one, other) in enumerate(zip(ours, theirs, strict=False), 1):
        if one != other:
            return f"line {number} is {other!r}, not {one!r}"
    more = theirs[len(ours) :][:1] or ours[len(theirs) :][:1]
    return f"{len(theirs)} lines in place of {len(ours)}, from {more!r} on"


def files_in(folder: Path) -> dict[str, bytes]:
    """Return all files below *folder*, by relative name; no hidden ones, no compiled modules."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.name.startswith(".") and path.suffix != ".pyc"
    }


def run_plain(program: Program, script: Path, folder: Path, stdin: Path) -> Shown:
    """Run `python SCRIPT ARGUMENTS` in the new *folder*."""
    folder.mkdir()
    with stdin.open("rb") as given:
        ended = subprocess.run(
            [sys.executable, str(script), *program.arguments],
            cwd=folder,
            env=environment(PYTHONHASHSEED="0"),
            stdin=given,
            capture_output=True,
            timeout=100,
            check=False,
        )
    return Shown(ended.returncode, ended.stdout, ended.stderr, files_in(folder))


@dataclass(slots=True)
class Verdict:
    """What the proof of one program found."""

    plain: Shown
    differences: list[str] = field(default_factory=list)
    stops: list[list[str]] = field(default_factory=list)
    """Of each run that stopped: where."""
    postponed: Counter[str] = field(default_factory=Counter)


class Machine:
    """A warm interpreter that rewrites, runs and stops scripts in forks of its own."""

    def __init__(self) -> None:
        # Hundreds of children that end by `os._exit`: coverage is measured elsewhere.
        kept = environment(PYTHONHASHSEED="0")
        self._process = subprocess.Popen(
            [sys.executable, str(MACHINE)],
            env={name: value for name, value in kept.items() if not name.startswith("COV")},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def run(self, **job: Any) -> int:
        """Do a job, and return the exit status of its process."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(job) + "\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())

    def close(self) -> None:
        """End the interpreter."""
        self._process.communicate(timeout=20)


def prove(
    program: Program, machine: Machine, scratch: Path, *, scale: int | None, stops: int, seed: int
) -> Verdict:
    """Run *program* plain, rewritten, and stopped at *stops* places, and compare all they leave."""
    sources, runs, stdin = scratch / "source", scratch / "runs", scratch / "stdin"
    sources.mkdir()
    runs.mkdir()
    stdin.write_text(program.stdin, encoding="utf-8")
    script = program.copied(sources, scale)
    verdict = Verdict(run_plain(program, script, scratch / "plain", stdin))
    status = machine.run(
        script=str(script),
        arguments=program.arguments,
        base=str(runs),
        stdin=str(stdin),
        needs=program.needs,
        stops=stops,
        seed=seed,
    )
    assert status == 0, f"the machine failed at {program.name}"
    for number in range(stops + 1):
        _judge(verdict, runs / str(number))
    return verdict


def _judge(verdict: Verdict, folder: Path) -> None:
    report = folder.with_suffix(".report")
    said = json.loads(report.read_text()) if report.exists() else {"code": -1}
    shown = Shown(
        said["code"],
        folder.with_suffix(".out").read_bytes(),
        folder.with_suffix(".err").read_bytes(),
        files_in(folder),
    )
    stops = said.get("stops", [])
    verdict.postponed.update(said.get("postponed", {}))
    if stops:
        verdict.stops.append(stops)
    difference = verdict.plain.difference(shown)
    if difference:
        where = f"stopped at {', '.join(stops)}" if stops else "undisturbed"
        verdict.differences.append(f"run {folder.name}, {where}: {difference}")
