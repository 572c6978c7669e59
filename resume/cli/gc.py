"""`resume gc`: free what no live generation needs."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from resume.cli.places import checkpoints_folder, every_store, folder_option, label, store_named
from resume.cli.shown import clean, json_option, print_json, size
from resume.errors import CheckpointBusyError
from resume.store import Retention, Store


@click.command(short_help="Free what no live line needs.")
@click.argument("name", required=False)
@click.option("-n", "--dry-run", is_flag=True, help="Only say what would be freed.")
@click.option("--expired", is_flag=True, help="Complete ones older than 30 days, too.")
@folder_option
@json_option
def gc(name: str | None, dry_run: bool, expired: bool, folder: Path | None, as_json: bool) -> None:  # noqa: FBT001 - click's options
    """Remove lines that were set aside, scratch files, and bodies that no manifest names.

    A checkpoint that a program holds is left as it is.

    JSON: a list of objects with name, shown_as, freed_bytes, dry_run, busy.
    """
    place = checkpoints_folder(folder)
    stores = [store_named(place, name)] if name else list(every_store(place))
    rows = [_cleaned(store, dry_run=dry_run, expired=expired) for store in stores]
    if as_json:
        print_json(rows)
        return
    for row in rows:
        click.echo(clean(f"{row['shown_as']}: {_told(row)}"))
    total = size(sum(row["freed_bytes"] for row in rows))
    click.echo(f"{'would free' if dry_run else 'freed'} {total}")


def _cleaned(store: Store, *, dry_run: bool, expired: bool) -> dict[str, Any]:
    row: dict[str, Any] = {"name": store.name, "shown_as": label(store)}
    row |= {"freed_bytes": 0, "dry_run": dry_run, "busy": store.holder() is not None}
    if row["busy"]:
        return row
    retention = Retention() if expired else Retention(expire_s=None)
    try:
        with _rehearsal(store.place) if dry_run else _itself(store.place) as place:
            held = Store(place.parent, store.name, retention=retention)
            try:
                row["freed_bytes"] = held.gc()
            finally:
                held.unlock()
    except CheckpointBusyError:  # taken since the look above
        row["busy"] = True
    return row


@contextmanager
def _itself(place: Path) -> Iterator[Path]:
    yield place


@contextmanager
def _rehearsal(place: Path) -> Iterator[Path]:
    """A copy of *place* made of hard links: what cleaning frees there, it frees in the place.

    So the dry run needs no rules of its own, which could come to differ from those of the real one.
    """
    with tempfile.TemporaryDirectory(prefix=".resume-gc-", dir=place.parent) as scratch:
        copy = Path(scratch, place.name)
        shutil.copytree(place, copy, copy_function=_link, ignore=shutil.ignore_patterns("lock"))
        yield copy


def _link(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:  # a file system without hard links
        shutil.copy2(source, target)


def _told(row: dict[str, Any]) -> str:
    if row["busy"]:
        return "busy, left as it is"
    return f"{'would free' if row['dry_run'] else 'freed'} {size(row['freed_bytes'])}"
