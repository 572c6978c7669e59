"""`resume ls`: every checkpoint of the folder."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import click

from resume.cli.places import checkpoints_folder, every_store, folder_option, label, state_of
from resume.cli.places import newest as newest_of
from resume.cli.shown import age, json_option, names_in_short, print_json, print_table, size
from resume.store import Entry, Store


@click.command(short_help="List the checkpoints of the folder.")
@folder_option
@click.option("--all", "everything", is_flag=True, help="Lines that were set aside, too.")
@json_option
def ls(folder: Path | None, everything: bool, as_json: bool) -> None:  # noqa: FBT001 - click's options
    """List the checkpoints: name, generation, age, size, variables, state.

    JSON: a list of objects with name, shown_as, generation, line, state, live, saved_at (seconds
    since the epoch), age_s, size_bytes, variables (names), function, file.
    """
    place = checkpoints_folder(folder)
    rows = [row for store in every_store(place) for row in _lines(store, everything=everything)]
    if as_json:
        print_json(rows)
    elif rows:
        print_table(
            ("NAME", ">GEN", "SAVED", ">SIZE", "STATE", "VARIABLES"), [_shown(row) for row in rows]
        )
    else:
        click.echo(f"no checkpoints in {place}")


def _lines(store: Store, *, everything: bool) -> Iterator[dict[str, Any]]:
    """One row for the live line; with *everything*, one more for each line set aside."""
    entries = store.entries()
    aside = [entry for entry in entries if not entry.live and entry.manifest is not None]
    live = [entry for entry in entries if entry not in aside]
    # what nobody can read belongs to no line: it is shown, and counted, with the live one
    if live:
        yield _row(store, live, state_of(store, live), live=True)
    if everything:
        for line in Counter(entry.manifest.line for entry in aside if entry.manifest):
            of_line = [e for e in aside if e.manifest is not None and e.manifest.line == line]
            yield _row(store, of_line, "set aside", live=False)


def _row(store: Store, entries: Sequence[Entry], state: str, *, live: bool) -> dict[str, Any]:
    found = newest_of(entries)
    row: dict[str, Any] = {
        "name": store.name,
        "shown_as": label(store),
        "generation": entries[0].number,
        "line": found.line if found else None,
        "state": state,
        "live": live,
        "saved_at": found.created_at if found else None,
        "age_s": time.time() - found.created_at if found else None,
        "size_bytes": sum(entry.size_bytes for entry in entries),
        "variables": [],
        "function": found.draft.function if found else None,
        "file": found.draft.file if found else None,
    }
    if found:
        row["variables"] = [v.name for v in found.draft.variables if v.skipped is None]
    return row


def _shown(row: dict[str, Any]) -> tuple[object, ...]:
    return (
        row["shown_as"],
        row["generation"],
        age(row["saved_at"]) if row["saved_at"] is not None else "?",
        size(row["size_bytes"]),
        row["state"],
        names_in_short(row["variables"]),
    )
