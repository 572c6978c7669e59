"""`resume show`: all that one generation's manifest says."""

from __future__ import annotations

import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from resume.cli.places import (
    checkpoints_folder,
    folder_option,
    generation,
    label,
    state_of,
    store_named,
)
from resume.cli.shown import (
    age,
    json_option,
    one_line,
    print_fields,
    print_json,
    print_table,
    print_title,
    shape_of,
    size,
)
from resume.cli.stack import stack_lines
from resume.store import Store
from resume.types import Manifest, Variable
from resume.units import show_seconds


@click.command(short_help="Show one generation: variables, position, call.")
@click.argument("name")
@click.option("-g", "--generation", "number", type=int, help="This one, not the newest.")
@folder_option
@json_option
def show(name: str, number: int | None, folder: Path | None, as_json: bool) -> None:  # noqa: FBT001 - click's options
    """Show what a generation holds: variables, position, call, environment, sizes.

    JSON: an object with name, shown_as, generation, parent, line, state, complete, saved_at, age_s,
    elapsed_s, trigger, function, file, lineno, call, config, extra, position, metric, variables
    (name, type, shape, dtype, size_bytes, preview, skipped), environment, size_bytes, bodies
    (name, size_bytes, sha256), schema_version, signed, place.
    """
    store = store_named(checkpoints_folder(folder), name)
    found = generation(store, number)
    record = _record(store, found)
    if as_json:
        print_json(record)
        return
    print_fields(_head(record))
    lines = stack_lines({**record, "code": found.draft.code})
    if lines:
        print_title("stack")
        for line in lines:
            click.echo(line)
    print_title("variables")
    print_table(("NAME", "TYPE", "SHAPE", ">SIZE", "VALUE"), [_row(v) for v in record["variables"]])
    print_title("environment")
    print_fields((key, one_line(value)) for key, value in record["environment"].items())


def _record(store: Store, manifest: Manifest) -> dict[str, Any]:
    draft = manifest.draft
    return {
        "name": manifest.name,
        "shown_as": label(store),
        "generation": manifest.number,
        "parent": manifest.parent,
        "line": manifest.line,
        "state": state_of(store, store.entries()),
        "complete": draft.complete,
        "saved_at": manifest.created_at,
        "age_s": time.time() - manifest.created_at,
        "elapsed_s": draft.elapsed_s,
        "trigger": draft.trigger,
        "function": draft.function,
        "file": draft.file,
        "lineno": draft.lineno,
        "call": draft.call,
        "config": draft.config,
        "extra": draft.extra,
        "position": draft.position,
        "metric": draft.metric,
        "variables": [asdict(variable) for variable in draft.variables],
        "environment": draft.environment,
        "size_bytes": sum(body.size_bytes for body in manifest.bodies),
        "bodies": [asdict(body) for body in manifest.bodies],
        "schema_version": manifest.schema_version,
        "signed": manifest.signature is not None,
        "place": str(store.place),
    }


def _head(record: dict[str, Any]) -> list[tuple[str, object]]:
    parent = record["parent"]
    after = "the first of its line" if parent is None else f"after {parent}"
    where = record["file"]
    if where and record["lineno"]:
        where = f"{where}:{record['lineno']}"
    return [
        ("checkpoint", record["shown_as"]),
        ("generation", f"{record['generation']} ({after})"),
        ("state", record["state"]),
        ("saved", f"{age(record['saved_at'])}, by {record['trigger']}"),
        ("running time", show_seconds(record["elapsed_s"])),
        ("function", " in ".join(filter(None, (record["function"], where)))),
        ("call", _call(record["call"])),
        ("position", position_in_short(record["position"])),
        ("metric", record["metric"]),
        ("config", one_line(record["config"])),
        ("extra", one_line(record["extra"])),
        ("size", f"{size(record['size_bytes'])} in {len(record['bodies'])} file(s)"),
        ("signed", "yes" if record["signed"] else "no"),
        ("place", record["place"]),
    ]


def _call(call: dict[str, Any]) -> str:
    arguments = call.get("arguments")
    if not isinstance(arguments, dict):
        return ""
    return ", ".join(f"{name}={value}" for name, value in arguments.items())


def position_in_short(position: dict[str, Any]) -> str:
    """Where the state was saved: `loop at line 12, item 48; loop at line 13, item 3`."""
    loops = [
        f"loop at line {loop.get('line')}, item {loop.get('done')}"
        for loop in position.get("loops") or ()
    ]
    if loops:
        return "; ".join(loops)
    if position.get("program"):
        names = [frame["function"] for frame in position["program"]["stack"]]
        return f"line {position.get('line')}, in {' > '.join(names[-4:])}"
    if position.get("door") == "end":
        return "at the end"
    return f"line {position['line']}" if position.get("line") else ""


def _row(variable: dict[str, Any]) -> tuple[object, ...]:
    shown = Variable(**variable)
    value = shown.preview if shown.skipped is None else f"not saved: {shown.skipped}"
    space = "" if shown.skipped is not None else size(shown.size_bytes)
    return (shown.name, shown.type, shape_of(shown.shape, shown.dtype), space, value)
