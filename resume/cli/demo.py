"""`resume demo`: train a model, kill it three times, and show that the result is the same."""

from __future__ import annotations

import random
import re
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.syntax import Syntax

from resume.cli.demo_runs import PROGRAM, Outcome, run_once, steps_for
from resume.cli.shown import clean, console, json_option, print_json, print_table
from resume.errors import ResumeError

KILLS = 3
SECONDS_A_RUN = 6.0


@click.command(short_help="See a run killed three times end as if it had not been.")
@click.option("--steps", type=click.IntRange(min=20), help="Length of the job; default: 6 seconds.")
@json_option
def demo(steps: int | None, as_json: bool) -> None:  # noqa: FBT001 - click's options
    """Train a small model on Python's own sources; kill it three times; compare the results.

    Takes about 20 seconds, in a temporary folder that it removes. Exit code 1 when the interrupted
    run does not end as the uninterrupted one.

    JSON: an object with equal, steps, kills (the step of each), seconds, uninterrupted and
    interrupted (loss, weights and random: sha256 digests).
    """
    start = time.monotonic()
    show = _Show(quiet=as_json)
    show.program()
    with tempfile.TemporaryDirectory(prefix="resume-demo-") as scratch, show:
        steps = steps or steps_for(SECONDS_A_RUN, Path(scratch, "trial"))
        straight = _run_to_its_end(Path(scratch, "straight"), steps, show)
        kills, broken = _run_with_kills(Path(scratch, "killed"), steps, show)
    equal = straight == broken
    if as_json:
        record = {"equal": equal, "steps": steps, "kills": kills, "uninterrupted": straight}
        print_json(record | {"interrupted": broken, "seconds": time.monotonic() - start})
    else:
        _print_verdict(straight, broken, equal=equal, kills=len(kills))
    if not equal:
        click.get_current_context().exit(1)


class _Show:
    """What the demo says while it runs: a progress bar on a terminal, plain lines elsewhere."""

    def __init__(self, *, quiet: bool) -> None:
        self._quiet = quiet
        self._out: Console = console()
        self._bar: Progress | None = None
        self._told = 0

    def __enter__(self) -> None:
        if self._out.is_terminal and not self._quiet:
            columns = (TextColumn("{task.description:<26}"), BarColumn(), MofNCompleteColumn())
            self._bar = Progress(
                *columns, TimeElapsedColumn(), TextColumn("{task.fields[last]}"), console=self._out
            )
            self._bar.start()

    def __exit__(self, *exc: object) -> None:
        if self._bar is not None:
            self._bar.stop()

    def program(self) -> None:
        """The program that is going to be killed, and what for."""
        text = re.sub(r"  # noqa: .*", "", PROGRAM.read_text(encoding="utf-8"))
        if self._quiet:
            return
        if self._out.is_terminal:
            self._out.print(Syntax(text, "python", background_color="default"))
        else:
            click.echo(text)
        self.say(
            "It runs once to its end, and once more with a SIGKILL at three random moments, "
            "each time followed by the same command again."
        )
        self.say("")

    def say(self, text: str) -> None:
        """One line above the bar."""
        if not self._quiet:
            self._out.print(clean(text), soft_wrap=True)

    def run(self, title: str, steps: int) -> Callable[[int, str], None]:
        """A new bar; call the result with the step that was reached and what the child says."""
        self._told = 0
        if self._bar is None:
            self.say(f"-- {title}: {steps} steps")
            return lambda step, last: self._tell_tenths(step, steps, last)
        bar = self._bar
        task = bar.add_task(title, total=steps, last="")
        return lambda step, last: bar.update(task, completed=step, last=last)

    def _tell_tenths(self, step: int, steps: int, last: str) -> None:
        tenth = step * 10 // steps
        if tenth != self._told:
            self._told = tenth
            self.say(f"   step {step} of {steps}: {last}")


def _run_to_its_end(folder: Path, steps: int, show: _Show) -> dict[str, object]:
    report = show.run("never interrupted", steps)
    outcome = run_once(folder, steps, on_step=report, on_line=show.say)
    return _result(outcome)


def _run_with_kills(folder: Path, steps: int, show: _Show) -> tuple[list[int], dict[str, object]]:
    """Run the program with a SIGKILL at three random moments; returns the steps it died at."""
    report = show.run(f"killed {KILLS} times", steps)
    kills: list[int] = []
    for moment in _moments(steps):
        outcome = run_once(folder, steps, on_step=report, on_line=show.say, kill_at=moment)
        if not outcome.killed:
            return kills, _result(outcome)
        kills.append(outcome.step)
        show.say(f"   SIGKILL at step {outcome.step}; the same command again:")
    return kills, _result(run_once(folder, steps, on_step=report, on_line=show.say))


def _moments(steps: int) -> list[int]:
    """Three steps, each random in a third of the job, well before its end."""
    third = 0.9 / KILLS
    return [int(steps * third * (k + random.uniform(0.35, 0.95))) for k in range(KILLS)]  # noqa: S311


def _result(outcome: Outcome) -> dict[str, object]:
    if outcome.result is None:
        raise ResumeError(
            f"the demo's program ended with exit code {outcome.code} and no result:\n{outcome.text}"
        )
    return outcome.result


def _print_verdict(
    straight: dict[str, object], broken: dict[str, object], *, equal: bool, kills: int
) -> None:
    click.echo()
    rows = [
        (key, _short(straight[key]), _short(broken[key]), "=" if same else "DIFFERENT")
        for key, same in ((key, straight[key] == broken[key]) for key in straight)
    ]
    print_table(("", "NEVER INTERRUPTED", f"KILLED {kills} TIMES", ""), rows)
    click.echo()
    click.echo(
        "equal, bit for bit" if equal else "NOT EQUAL: please report this, with `resume doctor`"
    )


def _short(value: object) -> str:
    return f"{value[:32]}…" if isinstance(value, str) else repr(value)
