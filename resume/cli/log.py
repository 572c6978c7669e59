"""`resume log`: the generations of a checkpoint."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import click

from resume.cli.places import checkpoints_folder, folder_option, store_named
from resume.cli.show import position_in_short
from resume.cli.shown import age, json_option, print_json, print_table, size
from resume.store import Entry
from resume.units import show_seconds


@click.command(short_help="List the generations of a checkpoint.")
@click.argument("name")
@folder_option
@click.option("--all", "everything", is_flag=True, help="Lines that were set aside, too.")
@json_option
def log(name: str, folder: Path | None, everything: bool, as_json: bool) -> None:  # noqa: FBT001 - click's options
    """List the generations of a checkpoint, newest first.

    JSON: a list of objects with generation, parent, line, live, state (complete, saved, damaged),
    problem, saved_at, age_s, elapsed_s, trigger, size_bytes, position.
    """
    store = store_named(checkpoints_folder(folder), name)
    entries = [e for e in store.entries() if everything or e.live or e.manifest is None]
    rows = [_row(entry) for entry in entries]
    if as_json:
        print_json(rows)
        return
    print_table(
        (">GEN", ">AFTER", "SAVED", "BY", ">RUNNING", ">SIZE", "STATE", "POSITION"),
        [_shown(row) for row in rows],
    )


def _row(entry: Entry) -> dict[str, Any]:
    row: dict[str, Any] = {
        "generation": entry.number,
        "parent": None,
        "line": None,
        "live": entry.live,
        "state": "damaged",
        "problem": entry.problem,
        "saved_at": None,
        "age_s": None,
        "elapsed_s": None,
        "trigger": None,
        "size_bytes": entry.size_bytes,
        "position": {},
    }
    found = entry.manifest
    if found is not None:
        row |= {
            "parent": found.parent,
            "line": found.line,
            "state": "complete" if found.draft.complete else "saved",
            "saved_at": found.created_at,
            "age_s": time.time() - found.created_at,
            "elapsed_s": found.draft.elapsed_s,
            "trigger": found.draft.trigger,
            "position": found.draft.position,
        }
    return row


def _shown(row: dict[str, Any]) -> tuple[object, ...]:
    if row["saved_at"] is None:
        return (row["generation"], "", "?", "", "", size(row["size_bytes"]), _state(row), "")
    return (
        row["generation"],
        "" if row["parent"] is None else row["parent"],
        age(row["saved_at"]),
        row["trigger"],
        show_seconds(row["elapsed_s"]),
        size(row["size_bytes"]),
        _state(row),
        position_in_short(row["position"]),
    )


def _state(row: dict[str, Any]) -> str:
    state: str = row["state"] if row["live"] or row["problem"] else f"{row['state']}, set aside"
    return f"{state}: {row['problem']}" if row["problem"] else state
