"""How a proof is shown: what happens while it runs, and what it found."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import click
from rich.console import Console
from rich.status import Status

from resume.cli.shown import clean, console, names_in_short, print_fields, print_title
from resume.proving import Proof, Verdict
from resume.units import show_bytes

NOT_COMPARED = (
    "stderr; times, owners and permissions of files; what the script does outside of its folder"
)
_MOST_ROWS = 6
_A_START_S = 0.3


class Watching:
    """A line for each run; on a terminal also what is going on just now."""

    def __init__(self, kills: int, *, quiet: bool) -> None:
        self._kills, self._quiet = kills, quiet
        self._out: Console = console()
        self._status: Status | None = None

    def __enter__(self) -> None:
        if self._out.is_terminal and not self._quiet:
            self._status = self._out.status("")
            self._status.start()

    def __exit__(self, *exc: object) -> None:
        if self._status is not None:
            self._status.stop()

    def begins(self, what: str) -> None:
        """See `Watcher`."""
        if self._status is not None:
            self._status.update(what)

    def ends(self, what: str) -> None:
        """See `Watcher`."""
        if not self._quiet:
            self._out.print(clean(what), soft_wrap=True)

    def was_killed(self, count: int) -> None:
        """See `Watcher`."""
        self.begins(f"killed {count} of {self._kills} times")


def record_of(proof: Proof) -> dict[str, Any]:
    """What `--json` prints; the keys are those that `--help` lists."""
    found = proof.difference
    return {
        "verdict": proof.verdict.value,
        "why": proof.why,
        "difference": None if found is None else {"names": found.names, "first": found.first},
        "kills": {
            "working": proof.kills.working,
            "returning": proof.kills.returning,
            "unsaved": proof.kills.unsaved,
        },
        "rounds": proof.rounds,
        "went_on": proof.went_on,
        "saves": proof.saves,
        "rate_s": proof.rate_s,
        "seed": proof.plan.seed,
        "exit_code": proof.code,
        "stdout_bytes": proof.stdout_bytes,
        "written": proof.written,
        "python_s": proof.python_s,
        "python_cpu_s": proof.python_cpu_s,
        "resume_cpu_s": proof.resume_cpu_s,
        "overhead": _ratio(proof),
        "postponed": dict(proof.postponed.most_common()),
        "warnings": proof.warnings,
        "not_compared": NOT_COMPARED,
    }


def print_proof(proof: Proof) -> None:
    """The facts, the first difference, and the verdict below all."""
    click.echo()
    print_fields(_facts(proof))
    if proof.difference is not None:
        print_title(_title(proof))
        for line in proof.difference.first.splitlines():
            click.echo(clean(line))
    if proof.last_words and _is_about_the_end(proof):
        print_title("its last line on stderr")
        click.echo(clean(proof.last_words))
    click.echo()
    color = {Verdict.EQUAL: "green", Verdict.DIFFERENT: "red"}.get(proof.verdict, "yellow")
    for line in _verdict(proof):
        click.secho(clean(line), bold=True, fg=color)


def _is_about_the_end(proof: Proof) -> bool:
    if proof.difference is not None:
        return "exit code" in proof.difference.names
    return proof.verdict is not Verdict.EQUAL


def _facts(proof: Proof) -> Iterator[tuple[str, object]]:
    if proof.kills.count:
        yield "kills", _kills(proof)
    if proof.saves:
        yield "saves", f"{proof.saves} in an undisturbed run, one every {proof.rate_s:.3g} s"
    if proof.resume_cpu_s:
        yield "overhead", _overhead(proof)
    for row, line in enumerate(_postponed(proof)):
        yield ("" if row else "postponed"), line
    for row, line in enumerate(proof.warnings[:_MOST_ROWS]):
        yield ("" if row else "warnings"), line
    yield "not compared", NOT_COMPARED
    yield "seed", f"{proof.plan.seed} (--seed {proof.plan.seed} draws the same moments)"


def _kills(proof: Proof) -> str:
    kills = proof.kills
    parts = (
        (kills.working, "at work behind a save"),
        (kills.returning, "on the way back to a save"),
        (kills.unsaved, "before the first save, which prove nothing"),
    )
    told = ", ".join(f"{count} {when}" for count, when in parts if count)
    rounds = f"{_number(proof.rounds, 'round')} from beginning to end"
    went_on = f"{_number(proof.went_on, 'time')} it went on from a save"
    return f"{kills.count} in {rounds}: {told}; {went_on}"


def _number(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"


def _ratio(proof: Proof) -> float | None:
    return proof.resume_cpu_s / proof.python_cpu_s if proof.python_cpu_s else None


def _overhead(proof: Proof) -> str:
    ratio, more = _ratio(proof), proof.resume_cpu_s - proof.python_cpu_s
    times = "" if ratio is None else f"{ratio:.2f} times the processor time: "
    start = "; a start takes most of the difference" if abs(more) < _A_START_S else ""
    return (
        f"{times}python {proof.python_cpu_s:.2f} s, resume run undisturbed "
        f"{proof.resume_cpu_s:.2f} s{start}"
    )


def _postponed(proof: Proof) -> Iterator[str]:
    rows = proof.postponed.most_common(_MOST_ROWS)
    for reason, count in rows:
        yield f"{_number(count, 'time')}: {reason}"
    if len(proof.postponed) > len(rows):
        yield f"and {len(proof.postponed) - len(rows)} more reasons"


def _title(proof: Proof) -> str:
    assert proof.difference is not None
    names = proof.difference.names
    more = f", the first of {len(names)}: {names_in_short(names)}" if len(names) > 1 else ""
    return f"difference{more}"


def _verdict(proof: Proof) -> Iterator[str]:
    match proof.verdict:
        case Verdict.EQUAL:
            count = len(proof.written)
            files = _number(count, "written file")
            stdout = show_bytes(proof.stdout_bytes)
            yield f"equal: exit code {proof.code}, {stdout} of stdout, {files}"
            if proof.code:
                yield f"the script itself fails, in each run: {proof.last_words}"
        case Verdict.DIFFERENT:
            yield f"DIFFERENT from plain python: {proof.why}"
        case Verdict.NOT_COMPARABLE:
            yield f"not comparable: {proof.why}"
            if proof.difference is not None:
                yield (
                    "seed its random numbers, and print times and process ids to stderr: that is "
                    "not compared"
                )
        case Verdict.NEVER_SAVED:
            yield f"nothing is proved: {proof.why}"
