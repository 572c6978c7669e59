"""`resume key`: the key that signs what is saved."""

from __future__ import annotations

import click

from resume.cli.shown import clean
from resume.store import trust


@click.group(short_help="Make the key that signs saves.")
def key() -> None:
    """The key that signs what is saved, so that it may be read whoever owns the files."""


@key.command()
def new() -> None:
    """Make a key file that only you can read; every later save is signed with it.

    Copy it, or its text as RESUME_KEY, to the machines that are to read what you save.
    """
    path = trust.new_key()
    click.echo(clean(f"{path}: saves are signed with it from now on"))
