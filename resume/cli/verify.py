"""`resume verify`: every byte of every body against its sha256."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from resume.cli.places import checkpoints_folder, every_store, folder_option, label, store_named
from resume.cli.shown import clean, json_option, print_json, size
from resume.errors import IntegrityError
from resume.store import Store


@click.command(short_help="Read every byte and compare the digests.")
@click.argument("name", required=False)
@folder_option
@json_option
def verify(name: str | None, folder: Path | None, as_json: bool) -> None:  # noqa: FBT001 - click's options
    """Read every byte of a checkpoint, or of all, and compare the digests; exit code 32 on damage.

    JSON: a list of objects with name, shown_as, generations (numbers), size_bytes, whole, problems
    (file, what, generations: those that it harms).
    """
    place = checkpoints_folder(folder)
    stores = [store_named(place, name)] if name else list(every_store(place))
    found = [_record(store) for store in stores]
    if as_json:
        print_json(found)
    elif not found:
        click.echo(f"no checkpoints in {place}")
    else:
        for record in found:
            _print(record)
    if not all(record["whole"] for record in found):
        click.get_current_context().exit(IntegrityError.exit_code)


def _record(store: Store) -> dict[str, Any]:
    entries = store.entries()
    problems = store.verify()
    return {
        "name": store.name,
        "shown_as": label(store),
        "generations": [entry.number for entry in entries],
        "size_bytes": sum(entry.size_bytes for entry in entries),
        "whole": not problems,
        "problems": [asdict(problem) for problem in problems],
    }


def _print(record: dict[str, Any]) -> None:
    count = len(record["generations"])
    state = "whole" if record["whole"] else "DAMAGED"
    amount = f"{count} generation{'' if count == 1 else 's'}, {size(record['size_bytes'])}"
    click.echo(clean(f"{record['shown_as']}: {amount}: {state}"))
    for problem in record["problems"]:
        harmed = ", ".join(map(str, problem["generations"])) or "none"
        what = problem["what"].removeprefix(f"{problem['file']} ")
        click.echo(clean(f"  {problem['file']}: {what} (harms generations: {harmed})"))
    if record["problems"]:
        hurt = {number for problem in record["problems"] for number in problem["generations"]}
        kept = [number for number in record["generations"] if number not in hurt]
        rest = f"generation {kept[0]} is the newest whole one" if kept else "no generation is whole"
        click.echo(f"  {rest}")
