"""`resume rm`: take away a checkpoint with all its generations."""

from __future__ import annotations

from pathlib import Path

import click

from resume.cli.places import checkpoints_folder, folder_option, label, store_named
from resume.cli.shown import clean, size
from resume.errors import ConfigError


@click.command(short_help="Remove checkpoints.")
@click.argument("name", nargs=-1, required=True)
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@folder_option
def rm(name: tuple[str, ...], yes: bool, folder: Path | None) -> None:  # noqa: FBT001 - click's options
    """Remove checkpoints, all generations of all lines; refused while a program holds one."""
    place = checkpoints_folder(folder)
    stores = [store_named(place, each) for each in name]
    for store in stores:
        entries = store.entries()
        shown = clean(label(store))
        amount = f"{len(entries)} generations, {size(sum(e.size_bytes for e in entries))}"
        if not yes and not _agreed(f"remove {shown} ({amount})?"):
            click.echo(f"kept {shown}")
            continue
        store.remove()
        click.echo(f"removed {shown}")


def _agreed(question: str) -> bool:
    """Ask; where nobody can answer, say which option answers instead."""
    try:
        return click.confirm(question)
    except click.Abort as why:
        raise ConfigError(f"{question} nobody answered. Nothing was removed; use --yes.") from why
