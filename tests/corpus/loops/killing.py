"""Kill a program at every save and between saves, run it again, and judge what came out.

The truth is what the program prints with RESUME_DISABLE=1, where nothing is saved or restored. A
run after a kill may end in two ways: *equal*, it prints the truth; *refused*, a ResumeError ends
it. (A plain function that ends before the way back was found cannot raise: it says so at level
ERROR, which is *told*.) Anything else is a *third thing*, and fails the test that sees it.
"""

from __future__ import annotations

import re
import shutil
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from processes import Ended, Nursery

PROGRAMS = Path(__file__).parent / "programs"
MOST_COMMITS = 12
MOST_TICKS = 3
TOLD = re.compile(r"could not find the way back", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Expectation:
    """What the comments at a program's head say about it."""

    outcome: str
    """equal, equal-or-refused, refused, warned"""
    error: str
    """The class that refuses; empty where any ResumeError may."""
    says: tuple[str, ...]
    """What the error or the warning must say."""

    @classmethod
    def of(cls, program: Path) -> Expectation:
        head = program.read_text().split('"""', 1)[0]
        outcome, _, error = re.search(r"^# expect: (.+)$", head, re.MULTILINE)[1].partition(" ")
        refuses = re.search(r"^# refuses: (\w+)$", head, re.MULTILINE)
        return cls(
            outcome,
            error or (refuses[1] if refuses else ""),
            tuple(re.findall(r"^# says: (.+)$", head, re.MULTILINE)),
        )


@dataclass(slots=True)
class Tally:
    """How the runs after a kill ended."""

    ends: Counter[str] = field(default_factory=Counter)
    errors: Counter[str] = field(default_factory=Counter)
    third: list[str] = field(default_factory=list)
    """One text for each third thing: the kills, what was expected, what came."""

    def add(self, kills: Sequence[str], truth: str, ended: Ended) -> None:
        end = judge(truth, ended)
        self.ends[end] += 1
        if end == "refused":
            self.errors[ended.report["error"][0]] += 1
        if end == "third":
            self.third.append(
                f"killed at {', '.join(kills) or 'nothing'}: status {ended.code}\n"
                f"  expected: {truth}\n  got:      {ended.last_line}\n"
                f"  stderr:   {ended.stderr.strip()[-1500:]}"
            )


def judge(truth: str, ended: Ended) -> str:
    """Say `equal`, `refused`, `told` or `third` of a run that nothing killed."""
    if ended.code == 0 and ended.last_line == truth:
        return "equal"
    if ended.raised("ResumeError"):
        return "refused"
    if TOLD.search(ended.stderr):
        return "told"
    return "third"


def truth_of(nursery: Nursery, program: Path, store: Path) -> str:
    """Return what *program* prints when nothing is saved.

    Raises:
        AssertionError: It did not end well; its standard error is in the text.
    """
    ended = nursery.run(program, store=store, RESUME_DISABLE="1")
    assert ended.code == 0, f"{program.name} fails by itself: {ended.stderr}"
    assert ended.last_line
    return ended.last_line


def kill_points(whole: Ended, most_commits: int = MOST_COMMITS) -> Iterator[str]:
    """Name the moments to kill a program at: after its commits, and at ticks between them."""
    for what, count, most in (
        ("commit", whole.report["commits"], most_commits),
        ("tick", whole.report["ticks"], MOST_TICKS),
    ):
        step = max(1, -(-count // most))
        # The last ones always: what lies behind the loops is killed there.
        for number in sorted({*range(1, count + 1, step), *range(max(1, count - 1), count + 1)}):
            yield f"{what}:{number}"


def run_with_kills(nursery: Nursery, program: Path, store: Path, kills: Sequence[str]) -> Ended:
    """Run *program* once for each kill and once more, or until it ends by itself."""
    for kill in kills:
        ended = nursery.run(program, store=store, kill=kill)
        if not ended.killed:
            return ended
    return nursery.run(program, store=store)


def kill_everywhere(
    nursery: Nursery, program: Path, scratch: Path, *, most_commits: int = MOST_COMMITS
) -> tuple[Ended, Tally]:
    """Run *program* once whole and once for each kill point, each in a fresh store.

    Every fourth kill point gets a second and a third kill in the runs after it.

    Returns:
        The run that nothing killed, and the tally of the others, the whole one included.
    """
    tally = Tally()
    truth = truth_of(nursery, program, scratch / "unused")
    whole = nursery.run(program, store=scratch / "whole")
    tally.add((), truth, whole)
    if judge(truth, whole) != "equal":
        return whole, tally
    for number, point in enumerate(kill_points(whole, most_commits)):
        kills = [point] if number % 4 else [point, "commit:1", "commit:2"]
        store = scratch / f"store-{number}"
        tally.add(kills, truth, run_with_kills(nursery, program, store, kills))
        shutil.rmtree(store, ignore_errors=True)
    return whole, tally


def listing(store: Path) -> dict[str, tuple[int, int, bytes]]:
    """Return size, time of change and bytes of every body and manifest in *store*."""
    return {
        str(path.relative_to(store)): (
            path.stat().st_size,
            path.stat().st_mtime_ns,
            path.read_bytes(),
        )
        for path in sorted(store.rglob("*"))
        if path.is_file() and path.suffix in (".ckpt", ".json")
    }
