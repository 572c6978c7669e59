"""`resume doctor`: the machine, the folder and the settings, with a remedy for what is wrong."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import click

from resume.cli.checks import (
    Finding,
    look_at_disk,
    look_at_folder,
    look_at_key,
    look_at_python,
    look_at_variables,
)
from resume.cli.places import folder_option
from resume.cli.shown import clean, json_option, print_fields, print_json
from resume.store import find_folder


@click.command(short_help="Check python, folder, disk and settings.")
@folder_option
@json_option
def doctor(folder: Path | None, as_json: bool) -> None:  # noqa: FBT001 - click's options
    """Check python, the folder of checkpoints and its disk; exit code 1 when something is wrong.

    JSON: a list of objects with name, value, problem (null where nothing is wrong), remedy.
    """
    findings = list(_findings(folder))
    wrong = [finding for finding in findings if finding.problem]
    if as_json:
        print_json([asdict(finding) for finding in findings])
    else:
        print_fields((finding.name, finding.value) for finding in findings)
        _print_problems(wrong)
    if wrong:
        click.get_current_context().exit(1)


def _findings(explicit: Path | None) -> Iterator[Finding]:
    folder, above = find_folder(explicit)
    yield from look_at_python()
    yield from look_at_folder(folder, _how(explicit, above=above))
    yield from look_at_disk(folder)
    yield from look_at_key()
    yield from look_at_variables()


def _how(explicit: Path | None, *, above: bool) -> str:
    if explicit is not None:
        return "from --folder"
    if os.environ.get("RESUME_DIR"):
        return "from RESUME_DIR"
    return "found above the working folder" if above else "in the working folder"


def _print_problems(wrong: list[Finding]) -> None:
    click.echo()
    if not wrong:
        click.echo("nothing is wrong")
    for finding in wrong:
        click.secho(clean(f"{finding.name}: {finding.problem}"), bold=True)
        if finding.remedy:
            click.echo(clean(f"  {finding.remedy}"))
